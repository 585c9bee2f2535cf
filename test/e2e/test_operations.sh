#!/usr/bin/env bash
# What an operator has in hand beside the objects: the names of the metrics, the flight recorder, and what is told of
# objects that cannot be read.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
SAMPLE=$TEE_ROOT/manifests/samples/teedeployment.yaml

begin_stack
kubectl apply -f "$TEE_ROOT/manifests/crd.yaml" >/dev/null
await_crd
start_sim
: >"$DIR/controller.log"
start_controller
wait_until 30 "the controller is ready" is_ready
kubectl apply -f "$SAMPLE" >/dev/null
expect "an object becomes Ready" "met" kubectl wait --for=condition=Ready teedeployment/hello --timeout=60s

# The scrape as lines of name, type and labels. Names and labels are an interface: dashboards and
# alerts that know controller-runtime's must work here.
families() {
  metrics | awk '
    $1 == "#" && $2 == "TYPE" { type[$3] = $4; labels[$3] = "?"; next }
    $1 == "#" { next }
    {
      name = $0; sub(/[{ ].*/, "", name)
      keys = ""
      if (match($0, /\{.*\}/)) {
        rest = substr($0, RSTART + 1, RLENGTH - 2)
        while (match(rest, /^,?[a-z_]+="([^"\\]|\\.)*"/)) {
          pair = substr(rest, 1, RLENGTH); rest = substr(rest, RLENGTH + 1)
          sub(/^,/, "", pair); sub(/=.*/, "", pair)
          if (pair != "le") keys = keys (keys == "" ? "" : ",") pair
        }
      }
      if (!(name in type)) sub(/_(bucket|sum|count)$/, "", name)
      labels[name] = keys
    }
    END { for (name in type) print name, type[name] (labels[name] == "" ? "" : " " labels[name]) }' |
    sed -e "/^tee_attestation_failures_total /d" -e "/^rest_client_request_retries_total /d" | LC_ALL=C sort # none until one fails
}
if names=$(diff "$TEE_ROOT/test/e2e/metric_names.txt" <(families)); then
  pass "metrics: names, types and labels are those of metric_names.txt"
else
  fail "metrics: names, types and labels are those of metric_names.txt" "$names"
fi
undocumented=$({ cat "$TEE_ROOT/test/e2e/metric_names.txt"; echo rest_client_request_retries_total; } | while read -r name _; do
  [[ $name == process_* ]] || grep -qF "\`$name\`" "$TEE_ROOT/docs/api.md" || echo "$name"
done)
if [[ -z $undocumented ]]; then pass "metrics: each is in docs/api.md"; else fail "metrics: each is in docs/api.md" "$undocumented"; fi
value() { metrics | sed -n "s/^$1 //p"; }
is_above() { awk -v value="$(value "$1")" -v limit="$2" 'BEGIN { exit !(value > limit) }'; }
expect "metrics: the memory of the store is counted" "" is_above tee_store_bytes 100
expect "metrics: what the watch brought is counted" "" is_above tee_watch_events_total 0
expect "metrics: passes are timed in the queue" "" is_above 'workqueue_queue_duration_seconds_count{name="teedeployment",controller="teedeployment"}' 0
expect "metrics: the API server's host" "host=\"${SERVER#https://}\"" metrics
fresh() { awk -v value="$(metrics | sed -n 's/^informer_staleness_seconds{.*} //p')" 'BEGIN { exit !(value >= 0 && value < 75) }'; }
expect "metrics: the watch is fresh" "" fresh
expect "metrics: the version of the store" "" is_above 'informer_store_resource_version{name="tee-controller",group="tee.dev",version="v1alpha1",resource="teedeployments"}' 1
host="host=\"${SERVER#https://}\""
expect "metrics: requests are timed" "" is_above "rest_client_request_duration_seconds_count{verb=\"PATCH\",$host}" 0
expect "metrics: what is sent is measured" "" is_above "rest_client_request_size_bytes_sum{verb=\"PATCH\",$host}" 100
expect "metrics: what comes is measured" "" is_above "rest_client_response_size_bytes_sum{verb=\"PATCH\",$host}" 100
bounds() { metrics | sed -n "s/^$1_bucket{verb=\"PATCH\",.*le=\"\(.*\)\"} .*/\1/p" | tr '\n' ' '; }
expect "metrics: the buckets of durations" "0.005 0.025 0.1 0.25 0.5 1 2 4 8 15 30 60 +Inf" bounds rest_client_request_duration_seconds
expect "metrics: the buckets of sizes" "64 256 512 1024 4096 16384 65536 262144 1048576 4194304 16777216 +Inf" bounds rest_client_request_size_bytes

# flight WHAT: how many transitions of that jq condition were dumped
flight() { jq -s "[.[] | select(.msg == \"Transition\") | select($1)] | length" "$DIR/controller.log"; }
has_flight() { (($(flight "$1") > 0)); }
dumps() { jq -s '[.[] | select(.msg == "Flight recorder was dumped")] | length' "$DIR/controller.log"; }
has_dumps() { (($(dumps) == $1)); }
recorded() {
  if has_flight "$2"; then pass "flight recorder: $1"; else fail "flight recorder: $1" "no transition with $2"; fi
}
kill -USR1 "$(<"$DIR/controller.pid")"
wait_until 10 "the recorder is dumped" has_dumps 1 || fail "SIGUSR1 dumps the flight recorder" "$(tail -n 3 "$DIR/controller.log")"
recorded "the list" '.part == "watch" and .what == "listed"'
recorded "the object's event" '.part == "watch" and .what == "added" and .key == "default/hello"'
recorded "what was queued" '.part == "queue" and .what == "added" and .reason == "urgent" and .key == "default/hello"'
recorded "what a worker began" '.part == "queue" and .what == "started" and .key == "default/hello"'
recorded "how it ended" '.part == "queue" and .what == "ended" and .reason == "requeue_after"'
recorded "what was planned" '.part == "plan" and .what == "run" and .key == "default/hello"'
recorded "the lease" '.part == "lease" and .what == "gained"'
recorded "the call to EC2" '.part == "ec2" and .what == "RunInstances" and .reason == "asked"'
recorded "its answer" '.part == "ec2" and .what == "RunInstances" and .reason == "answered"'
if [[ $(jq -s '[.[] | select(.msg == "Transition") | .number] | . == (sort | unique)' "$DIR/controller.log") == true ]]; then
  pass "flight recorder: in order, each once"
else
  fail "flight recorder: in order, each once" "$(jq -c 'select(.msg == "Transition") | .number' "$DIR/controller.log" | head -n 5)"
fi

# Work goes on: the same process serves the next object, and tells again.
sed 's/name: hello/name: later/' "$SAMPLE" | kubectl apply -f - >/dev/null
expect "after a dump, work goes on" "met" kubectl wait --for=condition=Ready teedeployment/later --timeout=60s
kill -USR1 "$(<"$DIR/controller.pid")"
wait_until 10 "the recorder is dumped again" has_dumps 2 || fail "a second dump" "$(tail -n 3 "$DIR/controller.log")"
recorded "a second dump has what came since" '.part == "plan" and .what == "run" and .key == "default/later"'
end_process controller

: >"$DIR/controller.log"
run_beside_sim "${QUICK_LEASE[@]}" --log-format text --kube-api-qps 5 --kube-api-burst 1
text_has() { grep -qE -- "$1" "$DIR/controller.log"; }
wait_until 30 "the controller leads" text_has 'Lease was acquired'
kill -USR1 "$(<"$DIR/controller.pid")"
wait_until 10 "the recorder is dumped as text" text_has 'Flight recorder was dumped' || true
expect "flight recorder: as text" "" text_has '^[0-9TZ:.-]+ info  Transition number=[0-9]+ part=lease what=gained value=[0-9]+ thread=[0-9]+$'
end_process controller

# A definition older than the controller, as Helm leaves one in place: said at start, and nothing fails for good.
base() { kubectl create --dry-run=client -o json -f "$SAMPLE" | jq -c --arg name "$1" '.metadata = {name: $name, namespace: "default"}'; }
health_says() { curl --noproxy '*' -s "http://127.0.0.1:$(ready_port)/readyz" | grep -F -- "$1"; }
kubectl get crd teedeployments.tee.dev -o json |
  jq 'del(.spec.versions[0].schema.openAPIV3Schema.properties.status.properties | .effective.properties.timeouts, .boot)' |
  kubectl replace -f - >/dev/null
: >"$DIR/controller.log"
start_controller
LACK="the installed definition of teedeployments.tee.dev lacks status.boot.phase, status.boot.seconds, status.effective.timeouts.bootSeconds"
wait_until 20 "the controller serves" has_port
wait_until 20 "it has looked" health_says "[-] definition" || true
expect "older definition: not ready, and what it lacks" "[-] definition not ready: $LACK" health_says definition
expect "older definition: on its gauge" "tee_definition_outdated 1" metrics
base older | kubectl apply -f - >/dev/null
refused() { jq -r 'select(.msg == "Pass failed" and .name == "older" and .reason == "CRDOutdated") | .error' "$DIR/controller.log" | head -n 1; }
is_refused() { [[ -n $(refused) ]]; }
wait_until 30 "a status is refused" is_refused || true
expect "older definition: a pass says so" "failed to create typed patch object" refused
expect "older definition: nothing is launched unrecorded" "" field older '{.status.launch}'
kubectl replace -f "$TEE_ROOT/manifests/crd.yaml" >/dev/null
wait_until 20 "the definition is whole" health_says "[+] definition ok" || true
expect "whole definition: ready again" "[+] definition ok" health_says definition
has_phase() { field older '{.status.phase}' | grep .; }
wait_until 20 "the object has a status" has_phase || true
expect "whole definition: the object is looked at again at once" "" has_phase
expect "whole definition: on its gauge" "tee_definition_outdated 0" metrics
end_process controller

# Objects that a lax definition lets in: no validation, and nothing is pruned. What can be read is worked on, with
# whatever stands beside it; what cannot is skipped and told, and costs no other object anything.
kubectl get crd teedeployments.tee.dev -o json |
  jq '.spec.versions[] |= (del(.selectableFields)
    | .schema.openAPIV3Schema = {type: "object", "x-kubernetes-preserve-unknown-fields": true})' |
  kubectl replace -f - >/dev/null
is_ready_text() { is_ready && echo ok; }
create_raw() { request user POST "/apis/tee.dev/v1alpha1/namespaces/default/teedeployments${1:-}"; }
# stored NAME: what stands at the input, created
stored() { expect "$1: stored" 201 create_raw; }
is_lax() { base probe | jq -c '.spec.lax = {deep: [null]}' | create_raw '?dryRun=All' | grep -q '"lax"'; }
wait_until 30 "the lax definition is served" is_lax
base unknown-fields | jq -c '.spec.tomorrow = {a: [1, {b: null}]} | .later = true' | stored unknown-fields
base null-lists | jq -c '.spec.ports = null | .spec.egress = null | .spec.instance.subnetIDs = null | .metadata.finalizers = null' | stored null-lists
head -c 1450000 /dev/zero | tr '\0' 'x' >"$WORK/padding"
base huge | jq -c --rawfile padding "$WORK/padding" '.spec.padding = $padding' | stored huge
base past-int64 | jq -c '.spec.enclave.cpuCount = "NUMBER"' | sed 's/"NUMBER"/9223372036854775808/' | stored past-int64
expect "past int64: still a number" '"cpuCount":922337203685477' kubectl get --raw /apis/tee.dev/v1alpha1/namespaces/default/teedeployments/past-int64

: >"$DIR/controller.log"
start_controller
for name in unknown-fields null-lists huge; do
  expect "$name: worked on" "met" kubectl wait --for=condition=Ready "teedeployment/$name" --timeout=60s
done
event_of() { kubectl get events.events.k8s.io -o json | jq -r --arg n "$1" '.items[] | select(.regarding.name == $n and .reason == "Invalid") | .note'; }
has_event() { [[ -n $(event_of "$1") ]]; }
wait_until 20 "the Event is there" has_event past-int64 || true
expect "past int64: told in an Event" "cannot be read and is left as it is: the object's text has a number out of range" event_of past-int64
expect "past int64: in kubectl describe" "Invalid" kubectl describe teedeployment past-int64
logged() { jq -r --arg n "default/$1" 'select(.msg == "Object was skipped" and "\(.namespace)/\(.name)" == $n) | .error' "$DIR/controller.log"; }
expect "past int64: in the log" "a number out of range" logged past-int64
expect "past int64: counted" "tee_unreadable_objects_total 1" metrics
expect "ready all the same" "ok" is_ready_text
expect "past int64: nothing was launched for it" "" test -z "$(field past-int64 '{.status.launch}')"

host_state() { sim GET instances | jq -r --arg id "$1" '[.. | objects | select(.id? == $id) | .state] | first'; }
# An object that was fine becomes unreadable: its host stays, also over a restart, and heals with it.
HOST=$(field null-lists '{.status.instance.id}')
kubectl get teedeployment null-lists -o json | jq -c '.spec.enclave.memoryMiB = "NUMBER"' | sed 's/"NUMBER"/9223372036854775808/' >"$WORK/broken"
request user PUT /apis/tee.dev/v1alpha1/namespaces/default/teedeployments/null-lists <"$WORK/broken" >/dev/null
wait_until 20 "the Event is there" has_event null-lists || fail "a change that cannot be read: told" "$(tail -n 3 "$DIR/controller.log")"
end_process controller
: >"$DIR/controller.log"
run_beside_sim "${QUICK_LEASE[@]}" --inventory-interval 2 --orphan-sweep-interval 1
wait_until 30 "the controller is ready" is_ready
gave_up() { jq -r 'select(.msg == "Orphan sweep was given up") | .error' "$DIR/controller.log"; }
has_given_up() { [[ -n $(gave_up) ]]; }
wait_until 90 "the sweep is given up" has_given_up || true
expect "the host of an unreadable object is no orphan" "an object that cannot be read may have a host" gave_up
expect "the host of an unreadable object lives" running host_state "$HOST"
kubectl patch teedeployment null-lists --type json -p '[{"op": "replace", "path": "/spec/enclave/memoryMiB", "value": 512}]' >/dev/null
expect "mended: Ready with the same host" "met" kubectl wait --for=condition=Ready teedeployment/null-lists --timeout=60s
finish
