#!/usr/bin/env bash
# An hour in which nothing happens: what does the controller ask and write when all objects are as they should be?
# The API server's audit log is the witness. It may show the lease, watches that are begun anew, and what an object whose
# enclave is attested again owes its users; nothing that the controller triggers itself, no list, nothing for the others.
# When it fails: an object without attestation is written (a status that is never equal to what was read back), the lists
# of the audit log grow (a watch that always ends in a list), or memory does. Run by hack/test.sh soak, not by default.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
SECONDS_IDLE=${TEE_SOAK_SECONDS:-3600}
OBJECTS=${TEE_SOAK_OBJECTS:-500}
ATTESTED=10
WHO=system:serviceaccount:tee-system:tee-controller
SAMPLE=$TEE_ROOT/manifests/samples/teedeployment.yaml

export TEE_KUBE_AUDIT=1
begin_stack


# objects: the sample some times as it is, and else with nothing to attest
objects() {
  kubectl apply --dry-run=client -o json -f "$SAMPLE" | jq --argjson objects "$OBJECTS" --argjson attested "$ATTESTED" \
    '. as $sample | {apiVersion: "v1", kind: "List", items: [range($objects) as $i | $sample | .metadata.name = "steady-\($i)"
      | if $i < $attested then . else .spec.attestation = {protocol: "Disabled"} end]}'
}
ready_count() { kubectl get teedeployments -o json | jq '[.items[] | select(any(.status.conditions[]?; .type == "Ready" and .status == "True"))] | length'; }
all_ready() { (($(ready_count) == OBJECTS)); }
resident_kib() { awk '/^VmRSS:/ { print $2 }' "/proc/$(<"$DIR/controller.pid")/status"; }
now() { date -u +%FT%T.%6NZ; }
judgements() { metrics | awk '/^tee_attestations_total/ { sum += $NF } END { print sum + 0 }'; }
# asked VERB RESOURCE: how many in the idle time, with whatever answer
asked() { awk -v verb="$1" -v resource="$2" '$2 == verb && $3 == resource { sum += $1 } END { print sum + 0 }' "$DIR/asked"; }
# at_most NAME LIMIT NUMBER
at_most() { if (($3 <= $2)); then pass "$1: $3, at most $2"; else fail "$1" "$3, wanted at most $2" "$(<"$DIR/asked")"; fi; }
at_least() { if (($3 >= $2)); then pass "$1: $3, at least $2"; else fail "$1" "$3, wanted at least $2" "$(<"$DIR/asked")"; fi; }

wait_idle() {
  local left=$SECONDS_IDLE
  while ((left > 0)); do
    kill -0 "$(<"$DIR/controller.pid")" 2>/dev/null || die "the controller ended; $(tail -n 3 "$DIR/controller.log")"
    say "  ... idle for $((SECONDS_IDLE - left)) of $SECONDS_IDLE s, $(resident_kib) KiB resident"
    sleep "$((left < 60 ? left : 60))"
    left=$((left - 60))
  done
}

kubectl apply -f "$TEE_ROOT/manifests/crd.yaml" >/dev/null
await_crd
start_sim
run_beside_sim --allow-unmeasured --max-launches-per-hour-total 10000 --ec2-rate-share 100
wait_until 30 "the controller is ready" is_ready || { tail -n 5 "$DIR/controller.log" >&2; exit 1; }
objects | kubectl create -f - >/dev/null
wait_until 300 "$OBJECTS objects are Ready" all_ready
sleep 70 # the last inventory after a change, and its passes
SINCE=$(now)
RESIDENT=$(resident_kib)
JUDGED=$(judgements)
wait_idle
"$BUILD/bin/status_watch" < <(kubectl get teedeployments -o json | jq -c '.items[]') || fail "each status can be relied upon"
python3 "$TEE_ROOT/test/e2e/audit.py" "$TEE_KUBE_DIR/audit.log" "$WHO" "$SINCE" "$(now)" >"$DIR/asked"
cat "$DIR/asked"
JUDGED=$(($(judgements) - JUDGED))

at_least "lease renewals" "$((SECONDS_IDLE / 6))" "$(($(asked update leases) + $(asked patch leases)))"
at_most "lease renewals" "$((SECONDS_IDLE * 3 / 4 + 2))" "$(($(asked update leases) + $(asked patch leases)))"
at_most "watches begun" "$((SECONDS_IDLE / 300 + 1))" "$(asked watch teedeployments)"
at_most "lists" 0 "$(asked list teedeployments)"
at_most "status writes, two for each document judged" "$((2 * JUDGED))" "$(asked patch teedeployments/status)"
at_most "changes of objects" 0 "$(($(asked patch teedeployments) + $(asked update teedeployments)))"
at_most "objects read one by one" 0 "$(asked get teedeployments)"
at_most "Events" "$JUDGED" "$(($(asked create events) + $(asked patch events)))"
at_most "requests that were refused" 0 "$(awk '$4 >= 400 { sum += $1 } END { print sum + 0 }' "$DIR/asked")"
at_most "memory, KiB more than at the start" 2048 "$(($(resident_kib) - RESIDENT))"
all_ready && pass "all objects are still Ready"
finish
