#!/usr/bin/env bash
# What an operator has in hand beside the objects: the flight recorder.
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
run_beside_sim "${QUICK_LEASE[@]}" --log-format text
text_has() { grep -qE -- "$1" "$DIR/controller.log"; }
wait_until 30 "the controller leads" text_has 'Lease was acquired'
kill -USR1 "$(<"$DIR/controller.pid")"
wait_until 10 "the recorder is dumped as text" text_has 'Flight recorder was dumped' || true
expect "flight recorder: as text" "" text_has '^[0-9TZ:.-]+ info  Transition number=[0-9]+ part=lease what=gained value=[0-9]+ thread=[0-9]+$'
end_process controller
finish
