#!/usr/bin/env bash
# The whole story on this machine: a real control plane, tee-sim in AWS's place, the controller, and kubectl's view.
#
# Usage: hack/demo.sh [--once] [--use-cluster]      tells the story, then leaves everything running (--once: ends it)
#        hack/demo.sh --stop DIR                    ends what was left running
# --use-cluster takes the cluster of KUBECONFIG in place of a control plane of its own.
# Everything lives in one new folder; nothing of the caller's AWS_*, KUBECONFIG or proxy settings is seen by what is
# started. --once exits 0 only if every step was reached.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$TEE_ROOT/hack/stack.sh"

ONCE=no
USE_CLUSTER=no
STEPS=14
STEP=0
BUILD=$TEE_ROOT/build

usage() {
  sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
  exit "$1"
}

tear_down() {
  end_process controller
  end_process sim
  [[ -e $DIR/own-plane ]] && "$TEE_ROOT/hack/kube.sh" down "$DIR/kube" >/dev/null 2>&1
  rm -rf "$DIR"
}

step() { # step TEXT
  STEP=$((STEP + 1))
  printf '\n==> %d/%d  %s\n' "$STEP" "$STEPS" "$1"
}

show() { # show COMMAND...: prints the command line as a user would type it, and runs it
  printf '$ %s\n' "$*"
  "$@"
}

explain_failure() {
  printf '\ndemo: FAILED in step %d of %d\n' "$STEP" "$STEPS"
  kubectl get teedeployments -A -o wide 2>/dev/null || true
  kubectl get teedeployment hello -o yaml 2>/dev/null | sed '/evidence:/d' | head -n 120 || true
  echo '--- the last lines of the controller'
  tail -n 20 "$DIR/controller.log" 2>/dev/null || true
}

# ---- the story ----------------------------------------------------------------------------------------------------

step_crd() {
  step "The kind TeeDeployment is made known, and the controller started"
  show kubectl apply -f "$TEE_ROOT/manifests/crd.yaml"
  await_crd
  show kubectl wait --for=condition=Established crd/teedeployments.tee.dev --timeout=30s
  local started
  started=$(date +%s%N)
  start_controller
  wait_until 30 "the controller serves" has_port
  wait_until 30 "the controller is ready" is_ready
  printf 'ready %d ms after its start; resident memory %s\n' $((($(date +%s%N) - started) / 1000000)) \
    "$(awk '/VmRSS/ {print $2 " " $3}' "/proc/$(<"$DIR/controller.pid")/status")"
}

step_refused() {
  step "An object that cannot be right is refused at admission"
  local answer
  sed 's/@sha256:[0-9a-f]*/:latest/' "$SAMPLE" >"$DIR/bad.yaml"
  printf '$ kubectl apply -f bad.yaml     # its image is :latest\n'
  if answer=$(kubectl apply -f "$DIR/bad.yaml" 2>&1); then
    say "it was accepted"
    return 1
  fi
  printf '%s\n' "$answer"
  [[ $answer == *"image must end in a digest"* ]]
}

step_ready() {
  step "The sample is applied and becomes Ready"
  local started
  started=$(date +%s%N)
  show kubectl apply -f "$SAMPLE"
  show kubectl wait --for=condition=Ready teedeployment/hello --timeout=60s
  printf 'Ready %d ms after the apply\n' $((($(date +%s%N) - started) / 1000000))
}

step_status() {
  step "The status: instance, verdict, measurements, public key"
  show kubectl get teedeployment hello
  show kubectl get teedeployment hello -o jsonpath='{.status.instance.id}{"\n"}{.status.attestation.verdict}{" against set "}{.status.attestation.matchedMeasurement}{"\nPCR0 "}{.status.attestation.measurement.digest}{"\nkey  "}{.status.attestation.publicKey.value}{" ("}{.status.attestation.publicKey.keyType}{")\n"}'
  is hello '{.status.attestation.verdict}' Verified
  is_not hello '{.status.instance.id}' ''
  is hello '{.status.attestation.pcrs[?(@.index==0)].sha384}' \
    "$("$BUILD/bin/tee-sim" pcrs "$(sed -n 's/.*@sha256:\([0-9a-f]*\)/\1/p' "$SAMPLE")" | awk '$1 == 0 {print $2}')"
  is_not hello '{.status.attestation.publicKey.value}' ''
}

step_stop() {
  step "desiredState: Stopped"
  MODULE=$(field hello '{.status.attestation.moduleID}')
  show kubectl patch teedeployment hello --type=merge -p '{"spec":{"desiredState":"Stopped"}}'
  show kubectl wait --for=jsonpath='{.status.phase}'=Stopped teedeployment/hello --timeout=60s
  show kubectl get teedeployment hello
  is hello '{.status.instance.state}' stopped
}

step_start() {
  step "Back to Running: a NEW document of the new boot is verified"
  show kubectl patch teedeployment hello --type=merge -p '{"spec":{"desiredState":"Running"}}'
  wait_until 60 "another module is attested" is_not hello '{.status.attestation.moduleID}' "$MODULE"
  show kubectl wait --for=condition=Ready teedeployment/hello --timeout=60s
  printf 'before: %s\nnow:    %s\n' "$MODULE" "$(field hello '{.status.attestation.moduleID}')"
  is_not hello '{.status.attestation.moduleID}' "$MODULE"
}

step_replaced() {
  step "The instance is terminated behind the controller's back: it is replaced"
  INSTANCE=$(field hello '{.status.instance.id}')
  sim POST "instances/$INSTANCE" '{"terminate":true}' >/dev/null
  wait_until 60 "there is another instance" is_not hello '{.status.instance.id}' "$INSTANCE"
  show kubectl wait --for=condition=Ready teedeployment/hello --timeout=60s
  printf 'before: %s\nnow:    %s\n' "$INSTANCE" "$(field hello '{.status.instance.id}')"
  [[ $(live_instances) == 1 ]]
}

request_reconcile() {
  show kubectl annotate --overwrite teedeployment hello "tee.dev/reconcile-requested-at=$(date -u +%FT%T.%NZ)"
}

step_rejected() {
  step "The enclave's image is swapped underneath: Attested=False, Ready=False, the instance is kept"
  INSTANCE=$(field hello '{.status.instance.id}')
  sim POST "instances/$INSTANCE" '{"enclave":{"defect":"wrongPcr"}}' >/dev/null
  request_reconcile
  show kubectl wait --for=condition=Attested=False teedeployment/hello --timeout=60s
  show kubectl get teedeployment hello
  show kubectl get teedeployment hello -o jsonpath='{.status.conditions[?(@.type=="Ready")].message}{"\n"}'
  is hello "$(condition Attested reason)" PCRMismatch
  is hello "$(condition Ready status)" False
  is hello "$(condition Ready reason)" PCRMismatch
  is hello '{.status.instance.id}' "$INSTANCE"
}

step_put_right() {
  step "Put right: Ready again"
  sim POST "instances/$INSTANCE" '{"enclave":{"clear":true}}' >/dev/null
  request_reconcile
  show kubectl wait --for=condition=Ready teedeployment/hello --timeout=60s
  is hello '{.status.instance.id}' "$INSTANCE"
}

step_killed() {
  step "The controller is killed between RunInstances and its answer"
  local asked
  asked=$(asked_count)
  sim POST faults '{"action":"RunInstances","count":1,"hold":true}' >/dev/null
  sed 's/name: hello/name: second/' "$SAMPLE" >"$DIR/second.yaml"
  show kubectl apply -f "$DIR/second.yaml"
  wait_until 60 "RunInstances was sent" was_asked "$asked"
  wait_until 60 "EC2 has the instance" is_count 2
  printf '$ kill -9 %s     # RunInstances was sent, its answer is held back\n' "$(<"$DIR/controller.pid")"
  { kill -9 "$(<"$DIR/controller.pid")" && wait "$(<"$DIR/controller.pid")"; } 2>/dev/null || true
  sim DELETE faults >/dev/null
}

is_count() { [[ $(live_instances) == "$1" ]]; }

step_restarted() {
  step "After the restart there is exactly one instance for it"
  start_controller
  show kubectl wait --for=condition=Ready teedeployment/second --timeout=90s
  show kubectl get teedeployments
  local count
  count=$(sim GET instances | jq -r --arg id "nitro-$(field second '{.metadata.uid}')" \
    '[.. | objects | select(.id? and (.tags? | tostring | contains($id)))] | length')
  printf 'instances that were ever launched for it: %s\n' "$count"
  [[ $count == 1 ]]
}

step_deleted() {
  step "kubectl delete: the instances are terminated, then the objects go"
  show kubectl delete teedeployment hello second --timeout=90s
}

step_empty() {
  step "EC2 is empty"
  printf 'live instances: %s\n' "$(live_instances)"
  is_count 0
}

step_graceful() {
  step "The controller stops when it is asked to, and gives the lease back"
  local pid
  pid=$(<"$DIR/controller.pid")
  kill -TERM "$pid"
  wait "$pid"
  show kubectl get lease tee-controller -n tee-system -o jsonpath='{"holder: \""}{.spec.holderIdentity}{"\"\n"}'
  [[ -z $(kubectl get lease tee-controller -n tee-system -o jsonpath='{.spec.holderIdentity}') ]]
}

tell() {
  local each
  for each in crd refused ready status stop start replaced rejected put_right killed restarted deleted empty graceful; do
    "step_$each"
  done
}

# ---- main ---------------------------------------------------------------------------------------------------------

prepare() {
  say "Checking packages"
  "$TEE_ROOT/hack/deps.sh" build kube
  say "Building"
  mkdir -p "$BUILD"
  cmake --preset release -S "$TEE_ROOT" >"$BUILD/configure.log" 2>&1 || {
    tail -n 20 "$BUILD/configure.log" >&2
    return 1
  }
  with_progress "Build" "$BUILD/build.log" cmake --build "$BUILD" --target tee-controller tee-sim
  TEE_CACHE_DIR=$(tee_cache)
  export TEE_CACHE_DIR
  local tool
  if [[ $USE_CLUSTER == no ]]; then # while the caller's proxy settings are still there
    for tool in etcd kubectl kube-apiserver; do "$TEE_ROOT/hack/kube.sh" tool "$tool" >/dev/null; done
  fi
  unset "${!AWS_@}" HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy
}

start_plane() {
  if [[ $USE_CLUSTER == yes ]]; then
    kubectl get --raw /readyz >/dev/null || die "the cluster of KUBECONFIG does not answer"
    CONTROLLER_KUBECONFIG=${KUBECONFIG:?--use-cluster needs KUBECONFIG}
    kubectl apply -f "$TEE_ROOT/manifests/namespace.yaml"
    return
  fi
  say "Starting the control plane"
  local environment
  environment=$("$TEE_ROOT/hack/kube.sh" up "$DIR/kube")
  eval "$environment"
  touch "$DIR/own-plane"
}

main() {
  while (($# > 0)); do
    case $1 in
    --once) ONCE=yes ;;
    --use-cluster) USE_CLUSTER=yes ;;
    --stop)
      DIR=${2:?--stop needs the folder}
      [[ -e $DIR/demo ]] || die "$DIR is not a folder of this demo"
      tear_down
      exit 0
      ;;
    -h | --help) usage 0 ;;
    *) usage 2 >&2 ;;
    esac
    shift
  done
  prepare
  DIR=$(mktemp -d "${TMPDIR:-/tmp}/tee-demo.XXXXXX")
  mkdir -p "$DIR/home"
  touch "$DIR/demo"
  SAMPLE=$TEE_ROOT/manifests/samples/teedeployment.yaml
  trap 'finish' EXIT
  trap 'exit 130' INT TERM
  start_plane
  export HOME=$DIR/home
  start_sim
  tell
  printf '\ndemo: %d of %d steps passed\n' "$STEP" "$STEPS"
}

finish() {
  local status=$?
  trap - EXIT
  ((status == 0)) || explain_failure
  if [[ $ONCE == yes || $status != 0 ]]; then
    tear_down
  else
    start_controller
    printf '\nIt is left running. To look:\n  export KUBECONFIG=%s PATH=%s:$PATH\n  kubectl get teedeployments\nTo end it:\n  hack/demo.sh --stop %s\n' \
      "$KUBECONFIG" "$(dirname "$(command -v kubectl)")" "$DIR"
  fi
  exit "$status"
}

main "$@"
