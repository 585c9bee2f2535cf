#!/usr/bin/env bash
# The built controller against a real API server and tee-sim: start-up errors, peers that are away, objects and
# answers that are wrong, and every defect of a document under its own reason.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
SAMPLE=$TEE_ROOT/manifests/samples/teedeployment.yaml
AMI=AWS_NITRO_AMI_ID=ami-0123456789abcdef0

begin_stack

# refuses NAME WANTED [VARIABLE=VALUE...] -- FLAGS...: exits with 2 and one line that holds the wanted text.
refuses() {
  local name=$1 wanted=$2 output status=0 variables=()
  shift 2
  while [[ $1 != -- ]]; do
    variables+=("$1")
    shift
  done
  shift
  output=$(clean_env "${variables[@]}" "$BUILD/bin/tee-controller" "$@" 2>&1) || status=$?
  if ((status == 2)) && [[ $output == *"$wanted"* && $output != *$'\n'* ]]; then
    pass "$name"
  else
    fail "$name" "exit $status, wanted 2 and: $wanted" "got: $output"
  fi
}

printf 'apiVersion: v1\nclusters: [\n' >"$DIR/broken.yaml"
refuses "no AMI" "AWS_NITRO_AMI_ID" AWS_REGION=us-east-1 -- --kubeconfig "$CONTROLLER_KUBECONFIG"
refuses "CPU count that does not parse" "AWS_NITRO_ENCLAVE_CPU_COUNT" "$AMI" AWS_NITRO_ENCLAVE_CPU_COUNT=two -- --kubeconfig "$CONTROLLER_KUBECONFIG"
refuses "memory that does not parse" "AWS_NITRO_ENCLAVE_MEMORY_MB" "$AMI" AWS_NITRO_ENCLAVE_MEMORY_MB=1G -- --kubeconfig "$CONTROLLER_KUBECONFIG"
refuses "unknown flag" "--wrokers" "$AMI" -- --wrokers 3
refuses "number out of bounds" "--workers" "$AMI" -- --workers 0
refuses "lease shorter than its deadline" "--leader-elect-lease-duration" "$AMI" -- --leader-elect-lease-duration 5
refuses "kubeconfig that is not there" "nowhere.yaml" "$AMI" -- --kubeconfig "$DIR/nowhere.yaml"
refuses "kubeconfig that is not YAML" "broken.yaml" "$AMI" -- --kubeconfig "$DIR/broken.yaml"
refuses "context that does not exist" "nosuch" "$AMI" -- --kubeconfig "$CONTROLLER_KUBECONFIG" --context nosuch
refuses "root that is not a certificate" "broken.yaml" "$AMI" -- --kubeconfig "$CONTROLLER_KUBECONFIG" --attestation-root "$DIR/broken.yaml"
expect "--version" "tee-controller" "$BUILD/bin/tee-controller" --version
expect "--help names the flags" "--inventory-interval" "$BUILD/bin/tee-controller" --help

health() { curl --noproxy '*' -s "http://127.0.0.1:$(ready_port)/$1"; }
health_says() { health "$1" | grep -qF -- "$2"; }

# start_alone KUBECONFIG ENDPOINT: without the sim
start_alone() {
  : >"$DIR/controller.log"
  run_controller AWS_ENDPOINT_URL_EC2="$2" AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test -- --kubeconfig "$1" "${QUICK_LEASE[@]}"
  wait_until 10 "the controller serves" has_port
}

# stops NAME: SIGTERM ends it with exit code 0.
stops() {
  local pid status=0
  pid=$(<"$DIR/controller.pid")
  kill -TERM "$pid"
  wait "$pid" || status=$?
  rm -f "$DIR/controller.pid"
  if ((status == 0)); then pass "$1"; else fail "$1" "exit $status" "$(tail -n 3 "$DIR/controller.log")"; fi
}

sed 's|server: .*|server: https://127.0.0.1:1|' "$CONTROLLER_KUBECONFIG" >"$DIR/away.yaml"
start_alone "$DIR/away.yaml" http://127.0.0.1:1
expect "API server away: alive" "ok" health livez
expect "API server away: /readyz says which" "[-] start" health readyz
stops "API server away: stops cleanly"

kubectl apply -f "$TEE_ROOT/manifests/crd.yaml" >/dev/null
await_crd
start_alone "$CONTROLLER_KUBECONFIG" http://127.0.0.1:1
wait_until 20 "the store is complete" health_says readyz "[+] store ok"
expect "EC2 away: /readyz says which" "[-] inventory" health readyz
expect "EC2 away: alive" "ok" health livez
stops "EC2 away: stops cleanly"

start_sim
: >"$DIR/controller.log"
start_controller
wait_until 30 "the controller is ready" is_ready
wait_until 15 "it leads" health_says readyz "role: leader"
expect "ready: the role is told" "role: leader" health readyz

# Every status that is written from here on is judged at the end.
kubectl get teedeployments --watch -o json >"$DIR/statuses.json" 2>/dev/null &
echo $! >"$DIR/watch.pid"

kubectl apply -f "$SAMPLE" >/dev/null
sed -e 's/name: hello/name: debug/' -e 's/    cpuCount: 2/    debugMode: true\n    cpuCount: 2/' "$SAMPLE" | kubectl apply -f - >/dev/null
expect "a spec that cannot work is Stalled" "met" kubectl wait --for=condition=Stalled teedeployment/debug --timeout=30s
expect "its message names the field and the flag" "--allow-debug-enclaves" field debug "$(condition Ready message)"
expect "the other object becomes Ready" "met" kubectl wait --for=condition=Ready teedeployment/hello --timeout=60s
expect "evidence is in the status" "h" field hello '{.status.attestation.evidence}'
expect "a line of a pass has the keys of controller-runtime's" \
  "reconcile teedeployment tee.dev TeeDeployment default hello default hello 36" jq -r 'select(.msg == "Instance was launched" and .name == "hello")
    | [.logger, .controller, .controllerGroup, .controllerKind, .TeeDeployment.namespace, .TeeDeployment.name, .namespace, .name,
       (.reconcileID | length | tostring)] | join(" ")' "$DIR/controller.log"
kubectl delete teedeployment debug --timeout=30s >/dev/null

INSTANCE=$(field hello '{.status.instance.id}')

# A host that never answers, as nothing listens at its port: looked at again when its minute is over, below.
sed -e 's/name: hello/name: silent/' -e 's/^  attestation:$/  timeouts: {bootSeconds: 60}\n&\n    port: 9/' "$SAMPLE" |
  kubectl apply -f - >/dev/null
wait_until 20 "the silent host is launched" is_not silent '{.status.instance.id}' ''
SILENT=$(field silent '{.status.instance.id}')
sim POST "instances/$SILENT" "$(jq -n '{console: ("Starting\n" + "x" * 70000 + "\n" + ("token=hunter2 \n" * 3)
  + "GET https://user:hunter2@b.example/app.eif?X-Amz-Signature=hunter2 failed\nAKIAIOSFODNN7EXAMPLE refused\n")}')" >/dev/null
counted_more() { (($(failures "$1") > $2)); }
wait_field() { wait_until 20 "$2 is $3" is "$1" "$2" "$3" && field "$1" "$2"; }
request() { kubectl annotate --overwrite teedeployment hello "tee.dev/reconcile-requested-at=$(date -u +%FT%T.%NZ)" >/dev/null; }
failures() { metrics | sed -n "s/^tee_attestation_failures_total{reason=\"$1\"} //p"; }

# rejected WHAT REASON: the reason is in both conditions and on its own counter, and the host stays.
rejected() {
  local what=$1 reason=$2 before=${3:-0}
  if wait_until 20 "$what is seen as $reason" is hello "$(condition Attested reason)" "$reason" &&
    is hello "$(condition Attested status)" False && is hello "$(condition Ready status)" False &&
    is hello "$(condition Ready reason)" "$reason" && is hello '{.status.instance.id}' "$INSTANCE" &&
    (($(failures "$reason") > before)); then
    pass "document: $what is $reason"
  else
    fail "document: $what is $reason" "Attested: $(field hello "$(condition Attested reason)")" \
      "Ready: $(field hello "$(condition Ready reason)")" "counted: $(failures "$reason"), before: $before"
  fi
}
heals() {
  if wait_until 20 "it heals" is hello "$(condition Ready status)" True; then
    pass "document: $1 heals without a restart"
  else
    fail "document: $1 heals without a restart" "Ready: $(field hello "$(condition Ready reason)")"
  fi
}
defect() { # defect NAME REASON
  local before
  before=$(failures "$2")
  sim POST "instances/$INSTANCE" "{\"enclave\":{\"defect\":\"$1\"}}" >/dev/null
  request
  rejected "$1" "$2" "${before:-0}"
  sim POST "instances/$INSTANCE" '{"enclave":{"clear":true}}' >/dev/null
  request
  heals "$1"
}
defect wrongPcr PCRMismatch
defect debug DebugEnclave
defect wrongInstance WrongInstance
defect wrongRole WrongRole
defect stale Stale
defect future FromFuture
defect replayNonce NonceMismatch
defect wrongNonce NonceMismatch
defect noNonce NonceMissing
defect foreignRoot UntrustedRoot
defect expiredChain CertificateExpired
defect badChain BadChain
defect badSignature BadSignature
defect wrongAlgorithm UnsupportedAlgorithm
defect malformed MalformedDocument
defect endless MalformedDocument

# What the spec expects may be what is wrong: a revoked set, a key, user data. A change of spec asks again at once.
spec() { kubectl patch teedeployment hello --type json -p "$1" >/dev/null; }
SETS=/spec/attestation/measurements
spec "[{\"op\":\"add\",\"path\":\"$SETS/0/notAfter\",\"value\":\"2026-01-01T00:00:00Z\"}]"
rejected "a set that was revoked" MeasurementExpired
spec "[{\"op\":\"remove\",\"path\":\"$SETS/0/notAfter\"}]"
heals "a set that was revoked"
ZERO=$(printf '0%.0s' {1..64})
spec "[{\"op\":\"add\",\"path\":\"/spec/attestation/publicKeySHA256\",\"value\":\"$ZERO\"}]"
rejected "another key" KeyMismatch
spec '[{"op":"remove","path":"/spec/attestation/publicKeySHA256"}]'
heals "another key"
spec "[{\"op\":\"add\",\"path\":\"/spec/attestation/userDataSHA256\",\"value\":\"$ZERO\"}]"
rejected "other user data" UserDataMismatch
spec '[{"op":"remove","path":"/spec/attestation/userDataSHA256"}]'
heals "other user data"

# Rollout of measurements: the next set is added beside the current one, the image changes under it, the old one goes.
spec "[{\"op\":\"add\",\"path\":\"$SETS/-\",\"value\":{\"name\":\"next\",\"pcrs\":[{\"index\":0,\"sha384\":\"$(printf '1%.0s' {1..96})\"}]}}]"
expect "a second set beside the first: Ready" "v1" wait_field hello '{.status.attestation.matchedMeasurement}' v1
spec "[{\"op\":\"remove\",\"path\":\"$SETS/1\"}]"

# The silent host's minute is long over.
event_of() { kubectl get events.events.k8s.io -o json | jq -r --arg n "$1" --arg r "$2" '.items[] | select(.regarding.name == $n and .reason == $r) | .note'; }
has_event() { [[ -n $(event_of "$1" "$2") ]]; }
wait_until 90 "the boot's failure is told" has_event silent BootFailed ||
  fail "BootFailed" "$(kubectl get teedeployment silent -o json | jq -c .status.conditions)"
expect "BootFailed: Stalled with it" "BootTimeout" field silent "$(condition Stalled reason)"
if [[ $(event_of silent BootFailed) == *"boot of $SILENT"*$'ends with:\n'*"token= [redacted]"*"@b.example/app.eif?[redacted] failed"$'\n[redacted] refused' ]]; then
  pass "BootFailed: the console's last lines, struck out"
else
  fail "BootFailed: the console's last lines, struck out" "$(event_of silent BootFailed)"
fi
if kubectl get events,teedeployments -o yaml | cat - "$DIR/controller.log" | grep -qE 'hunter2|AKIAIOSFODNN7'; then
  fail "BootFailed: no secret is anywhere" "$(kubectl get events -o yaml | grep -E 'hunter2|AKIA')"
else
  pass "BootFailed: no secret is anywhere"
fi
kubectl delete teedeployment silent --timeout=60s >/dev/null

# A body that drips costs its deadline and no more: the verdict before it stays, and other objects go on.
sim POST "instances/$INSTANCE" '{"enclave":{"defect":"slow"}}' >/dev/null
before=$(failures Unreachable)
request
wait_until 30 "the dripping body was given up" counted_more Unreachable "${before:-0}" ||
  fail "a dripping body ends at its deadline" "not counted as Unreachable"
expect "a dripping body takes nothing from the verdict before it" "Verified" field hello '{.status.attestation.verdict}'
sim POST "instances/$INSTANCE" '{"enclave":{"clear":true}}' >/dev/null

expect "passes are counted" 'controller_runtime_reconcile_total{controller="teedeployment",result="requeue_after"}' metrics

LIVE=$(($(live_instances) + 6))
for name in b1 b2 b3 b4 b5 b6; do sed "s/name: hello/name: $name/" "$SAMPLE" | kubectl apply -f - >/dev/null; done
all_launched() { (($(live_instances) >= LIVE)); }
wait_until 60 "six more instances are there" all_launched
before=$(count_calls TerminateInstances)
kubectl delete teedeployment b1 b2 b3 b4 b5 b6 --timeout=60s >/dev/null
asked=$(($(count_calls TerminateInstances) - before))
if ((asked > 0 && asked <= 3)); then
  pass "six deletions share calls"
else
  fail "six deletions share calls" "$asked calls of TerminateInstances for six instances"
fi

sim POST faults '{"action":"RunInstances","count":1,"cut":"after"}' >/dev/null
sed 's/name: hello/name: cut/' "$SAMPLE" | kubectl apply -f - >/dev/null
expect "an answer that is cut after the launch: Ready" "met" kubectl wait --for=condition=Ready teedeployment/cut --timeout=60s
expect "an answer that is cut after the launch: one instance each" "2" live_instances
sim POST faults '{"action":"RunInstances","count":1,"code":"InsufficientInstanceCapacity","httpStatus":500}' >/dev/null
sed 's/name: hello/name: short/' "$SAMPLE" | kubectl apply -f - >/dev/null
wait_until 20 "the lack of capacity is shown" is short "$(condition HostLaunched reason)" InsufficientCapacity
# The place is left alone for three minutes, unless somebody asks.
kubectl annotate teedeployment short "tee.dev/reconcile-requested-at=now" >/dev/null
expect "lack of capacity is not terminal" "met" kubectl wait --for=condition=Ready teedeployment/short --timeout=60s
want_state() { kubectl patch teedeployment "$1" --type merge -p "{\"spec\": {\"desiredState\": \"$2\"}}" >/dev/null; }
want_state short Stopped
wait_until 20 "it is stopped" is short "$(condition Ready reason)" Stopped
sim POST faults '{"action":"StartInstances","count":1,"code":"InsufficientInstanceCapacity"}' >/dev/null
want_state short Running
wait_until 20 "a start finds no capacity" is short "$(condition HostLaunched reason)" InsufficientCapacity || true
expect "no capacity for a start: shown, with the next attempt" "next attempt at" field short "$(condition HostLaunched message)"
kubectl annotate --overwrite teedeployment short "tee.dev/reconcile-requested-at=$(date -u +%FT%T.%NZ)" >/dev/null
expect "asked for at once: it starts" "met" kubectl wait --for=condition=Ready teedeployment/short --timeout=60s
# with_type NAME TYPE: the sample under another name and type
with_type() {
  kubectl apply --dry-run=client -o json -f "$SAMPLE" |
    jq --arg name "$1" --arg type "$2" '.metadata.name = $name | .spec.instance.instanceType = $type' | kubectl apply -f - >/dev/null
}
with_type impossible t3.medium
wait_until 20 "a type without enclaves is Stalled" is impossible "$(condition Stalled reason)" Invalid
expect "what is wrong, where, and what to do" "spec.instance.instanceType: t3.medium has no enclave support; choose" \
  field impossible "$(condition PreflightSucceeded message)"
sim POST faults '{"action":"RunInstances.DryRun","count":1,"code":"UnauthorizedOperation"}' >/dev/null
with_type denied c5.xlarge
wait_until 20 "a denial is shown" is denied "$(condition PreflightSucceeded reason)" Unauthorized
expect "action, resource and principal, as STS decodes them" \
  "ec2:RunInstances on arn:aws:ec2:us-east-1:000000000000:instance/* is not allowed to arn:aws:iam::000000000000:user/test" \
  field denied "$(condition PreflightSucceeded message)"
expect "nothing was launched for either" "3" live_instances
kubectl annotate --overwrite teedeployment denied "tee.dev/reconcile-requested-at=now" >/dev/null
expect "allowed later: Ready" "met" kubectl wait --for=condition=Ready teedeployment/denied --timeout=60s
sim POST faults '{"action":"DescribeInstances","count":3,"code":"RequestLimitExceeded","httpStatus":503}' >/dev/null
expect "throttled reads change nothing" "True" field hello "$(condition Ready status)"
kubectl delete teedeployment --all --timeout=60s >/dev/null
expect "all gone" "0" live_instances
end_process watch
judge() { "$BUILD/bin/status_watch" <"$DIR/statuses.json"; }
expect "kstatus and Flux can rely on each status that was written" ", 0 broken" judge
if grep -qiE 'nonce=|"evidence"|AWS4-HMAC|BEGIN CERT' "$DIR/controller.log"; then
  fail "the log holds no document, nonce or signature" "$(grep -iE 'nonce=|AWS4-HMAC' "$DIR/controller.log" | head -n 2)"
else
  pass "the log holds no document, nonce or signature"
fi
stops "stops cleanly"
finish
