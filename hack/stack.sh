# tee-sim and the controller as processes in the folder DIR, and ways to look at them. Sourced by the demo and by
# tests; the caller has sourced lib.sh, has set DIR and BUILD, and has KUBECONFIG and CONTROLLER_KUBECONFIG.

# In a background list, exec makes the recorded id that of the program and not of a shell around it.
clean_env() { exec env -i PATH=/usr/local/bin:/usr/bin:/bin HOME="$DIR/home" "$@"; }

# end_process NAME: by the id that was written when it was started, and waits until it is gone.
end_process() {
  local file=$DIR/$1.pid pid tries
  [[ -s $file ]] || return 0
  pid=$(<"$file")
  rm -f "$file"
  kill "$pid" 2>/dev/null || return 0
  for ((tries = 0; tries < 200; tries++)); do
    kill -0 "$pid" 2>/dev/null || return 0
    read -rt 0.1 <> <(:) || true
  done
  kill -9 "$pid" 2>/dev/null || true
}

start_sim() {
  mkdir -p "$DIR/sim"
  clean_env "$BUILD/bin/tee-sim" --listen 127.0.0.1:0 --attestation-port 0 --state-dir "$DIR/sim" --boot-ms 1000 \
    --launch-ms 500 --stop-ms 500 >"$DIR/sim.json" 2>"$DIR/sim.log" &
  echo $! >"$DIR/sim.pid"
  wait_until 10 "tee-sim listens" test -s "$DIR/sim.json"
  SIM=$(jq -r .endpoint "$DIR/sim.json")
  ATTESTATION_PORT=$(jq -r .attestationPort "$DIR/sim.json")
  SIM_ROOT=$(jq -r .root "$DIR/sim.json")
}

# A lease that changes hands within seconds.
QUICK_LEASE=(--leader-elect-lease-duration 4 --leader-elect-renew-deadline 3 --leader-elect-retry-period 1)

# run_controller [VARIABLE=VALUE...] -- [FLAG...]: in the background, with what any controller here needs; a flag or
# variable that is given twice counts as it is given here.
run_controller() {
  local -a variables=()
  while [[ $1 != -- ]]; do
    variables+=("$1")
    shift
  done
  shift
  clean_env AWS_REGION=us-east-1 AWS_NITRO_AMI_ID=ami-0123456789abcdef0 "${variables[@]}" \
    "$BUILD/bin/tee-controller" --kubeconfig "$CONTROLLER_KUBECONFIG" --leader-elect-namespace tee-system \
    --metrics-bind-address 127.0.0.1:0 --health-probe-bind-address 127.0.0.1:0 "$@" 2>>"$DIR/controller.log" &
  echo $! >"$DIR/controller.pid"
}

# run_beside_sim [FLAG...]: with tee-sim as AWS, and its root as that of all enclaves.
run_beside_sim() {
  run_controller AWS_ENDPOINT_URL="$SIM" AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test -- \
    --attestation-root "$SIM_ROOT" --attestation-port "$ATTESTATION_PORT" "$@"
}

start_controller() { run_beside_sim "${QUICK_LEASE[@]}" --inventory-interval 2; }

# wait_until SECONDS WHAT COMMAND...: until the command succeeds.
wait_until() {
  local limit=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < limit)) || {
      say "timed out waiting until $what"
      return 1
    }
    read -rt 0.2 <> <(:) || true
  done
}

sim() { # sim METHOD PATH [JSON]
  curl --noproxy '*' -sSf -X "$1" "$SIM/_sim/$2" ${3:+-H 'Content-Type: application/json' -d "$3"}
}

field() { kubectl get teedeployment "$1" -o jsonpath="$2"; }
is() { [[ $(field "$1" "$2") == "$3" ]]; }
is_not() { [[ -n $(field "$1" "$2") && $(field "$1" "$2") != "$3" ]]; }
condition() { printf '{.status.conditions[?(@.type=="%s")].%s}' "$1" "$2"; }
live_instances() { sim GET instances | jq -r '[.. | objects | select(.id? and (.state | IN("pending","running","stopping","stopped"))) | .id] | length'; }
ready_port() { jq -r 'select(.msg == "Serving") | .healthPort' "$DIR/controller.log" 2>/dev/null | tail -n 1; }
metrics_port() { jq -r 'select(.msg == "Serving") | .metricsPort' "$DIR/controller.log" | tail -n 1; }
metrics() { curl --noproxy '*' -s "http://127.0.0.1:$(metrics_port)/metrics"; }
has_port() { [[ -n $(ready_port) ]]; }
is_ready() { curl --noproxy '*' -sf "http://127.0.0.1:$(ready_port)/readyz"; }
count_calls() { sim GET "calls?action=$1" | jq .count; } # count_calls ACTION
asked_count() { count_calls RunInstances; }
was_asked() { (($(asked_count) > $1)); }
