#!/usr/bin/env bash
# --cache-limit-mib: past the limit objects are told so and left alone, all others go on, and who was refused is served
# when there is room. Seen to fail with the limit not set in the store: nobody is refused.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
SAMPLE=$TEE_ROOT/manifests/samples/teedeployment.yaml

begin_stack
kubectl apply -f "$TEE_ROOT/manifests/crd.yaml" >/dev/null
await_crd
start_sim
run_beside_sim "${QUICK_LEASE[@]}" --cache-limit-mib 1
wait_until 30 "the controller is ready" is_ready
kubectl apply -f "$SAMPLE" >/dev/null
expect "a small object runs" "met" kubectl wait --for=condition=Ready teedeployment/hello --timeout=60s

# 40 tags of 256 characters are 10 KiB an object: 150 of them are more than the limit by a half.
big() {
  kubectl create --dry-run=client -o json -f "$SAMPLE" | jq -c '
    .spec.desiredState = "Stopped" | del(.spec.attestation)
    | .spec.instance.tags = ([range(40) | {key: "t\(.)", value: ("x" * 250)}] | from_entries)
    | {apiVersion: "v1", kind: "List", items: [range(150) as $n | .metadata = {name: "big-\($n)", namespace: "default"}]}'
}
big >"$WORK/big.json"
kubectl create -f "$WORK/big.json" >/dev/null

metric() { metrics | sed -n "s/^$1 //p"; }
conditions() { kubectl get teedeployments -o json | jq -r "[.items[] | select(any(.status.conditions[]?; $1))] | length"; }
refused() { conditions '.type == "Stalled" and .reason == "CacheBudgetExceeded"'; }
served() { conditions '.type == "Ready" and .status == "True" and .reason == "Stopped"'; }
all_told() { (($(refused) + $(served) == 150)); }
wait_until 60 "all have their condition" all_told || fail "each object is served or told" "$(refused) refused, $(served) served"
if (($(refused) > 20 && $(served) > 60)); then
  pass "who has room is served, who has none is told"
else
  fail "who has room is served, who has none is told" "$(refused) refused, $(served) served"
fi
expect "as many as the metric says" "$(refused)" metric tee_store_refused_objects
# Who is held grows by its status, less than 1 KiB here, and stays.
if (($(metric tee_store_bytes | cut -d. -f1) <= 1048576 + $(served) * 1024)); then
  pass "the store keeps to its limit"
else
  fail "the store keeps to its limit" "$(metric tee_store_bytes) bytes"
fi
# names CONDITION: of the objects that have it
names() { kubectl get teedeployments -o json | jq -r ".items[] | select(any(.status.conditions[]?; $1)) | .metadata.name"; }
names '.reason == "CacheBudgetExceeded"' >"$WORK/refused"
ONE=$(head -n 1 "$WORK/refused")
expect "the message says what to do" "--cache-limit-mib 1" field "$ONE" '{.status.conditions[?(@.type=="Stalled")].message}'
expect "and so does Ready" "False CacheBudgetExceeded" field "$ONE" '{.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Ready")].reason}'
expect "the small one still runs" "True" field hello '{.status.conditions[?(@.type=="Ready")].status}'
expect "deleting a refused one does not hang" "deleted" kubectl delete teedeployment "$(tail -n 1 "$WORK/refused")" --timeout=30s

# Room again: whoever is looked at next has it.
names '.type == "Ready" and .reason == "Stopped"' >"$WORK/served"
head -n 50 "$WORK/served" | xargs kubectl delete teedeployment --timeout=60s >/dev/null
kubectl annotate teedeployment "$ONE" tee.dev/reconcile-requested-at=now >/dev/null
expect "with room it is served" "met" kubectl wait --for=condition=Ready "teedeployment/$ONE" --timeout=30s
expect "and no longer stalled" "" test -z "$(field "$ONE" '{.status.conditions[?(@.type=="Stalled")].type}')"
finish
