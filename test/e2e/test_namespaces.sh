#!/usr/bin/env bash
# A controller that looks after a part of the cluster, by namespaces (with the rights of the chart's Roles and no others)
# or by a selector: it serves its part, and hosts of the others live on, whatever their tags and ids say.
# When it fails: an instance of an object that this controller does not see is terminated.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
SAMPLE=$TEE_ROOT/manifests/samples/teedeployment.yaml
HELM=$("$TEE_ROOT/hack/kube.sh" tool helm)

begin_stack
kubectl apply -f "$TEE_ROOT/manifests/crd.yaml" >/dev/null
await_crd
for name in ours also-ours theirs; do kubectl create namespace "$name" >/dev/null; done
start_sim

# object NAMESPACE NAME [DEPLOYMENT-ID [LABEL]]
object() {
  kubectl create --dry-run=client -o json -f "$SAMPLE" |
    jq --arg ns "$1" --arg name "$2" --arg id "${3:-}" --arg shard "${4:-}" '.metadata = {namespace: $ns, name: $name}
      | if $shard == "" then . else .metadata.labels = {shard: $shard} end
      | if $id == "" then . else .spec.deploymentID = $id end' | kubectl apply -f - >/dev/null
}
in_namespace() { kubectl -n "$1" get teedeployment "$2" -o jsonpath="$3"; }
ready() { kubectl -n "$1" wait --for=condition=Ready "teedeployment/$2" --timeout=60s; }
host_state() { sim GET instances | jq -r --arg id "$1" '.instances[] | select(.id == $id) | .state'; }
age() { sim POST "instances/$1" '{"startedAgoMs": 3600000}' >/dev/null; }
# Where the account was made anew its old token is void.
renew_token() {
  local token
  token=$(kubectl -n tee-system create token tee-controller)
  sed -i "s/{token: .*}/{token: $token}/" "$CONTROLLER_KUBECONFIG"
}
start_part() { # start_part FLAG...
  : >"$DIR/controller.log"
  run_beside_sim "${QUICK_LEASE[@]}" --inventory-interval 2 --orphan-sweep-interval 1 "$@"
  wait_until 30 "the controller is ready" is_ready
}

# A controller of everything launches what the later ones do not see.
: >"$DIR/controller.log"
start_controller
wait_until 30 "the controller is ready" is_ready
object theirs plain
object theirs shared same-id b
expect "a controller of everything serves each namespace" "met" ready theirs plain
expect "also under an id of the user's choice" "met" ready theirs shared
PLAIN=$(in_namespace theirs plain '{.status.instance.id}')
SHARED=$(in_namespace theirs shared '{.status.instance.id}')
age "$PLAIN"
age "$SHARED"
end_process controller

# From here on with Roles only, as the chart makes them.
kubectl delete -f "$TEE_ROOT/manifests/rbac.yaml" >/dev/null
"$HELM" template tee-controller "$TEE_ROOT/charts/tee-controller" --namespace tee-system --set "namespaces={ours,also-ours}" \
  --show-only templates/rbac.yaml >"$DIR/rbac.yaml"
expect_failure "the chart makes no cluster role" "" grep -E 'kind: ClusterRole' "$DIR/rbac.yaml"
kubectl apply -f "$DIR/rbac.yaml" >/dev/null
renew_token
expect_failure "which may not list all" "no" kubectl --kubeconfig "$CONTROLLER_KUBECONFIG" auth can-i list teedeployments.tee.dev --all-namespaces
expect_failure "nor theirs" "no" kubectl --kubeconfig "$CONTROLLER_KUBECONFIG" auth can-i list teedeployments.tee.dev --namespace theirs

object ours hello
object also-ours hello
object theirs later
BEFORE=$(asked_count)
start_part --namespaces=ours,also-ours
expect "it says that it looks for no orphans" "Orphans are not looked for" cat "$DIR/controller.log"
expect "the first namespace is served" "met" ready ours hello
expect "the second as well" "met" ready also-ours hello
expect "an object elsewhere is not touched" "" test -z "$(in_namespace theirs later '{.status.conditions}')$(in_namespace theirs later '{.metadata.finalizers}')"
expect "two launches" "$((BEFORE + 2))" asked_count

# An object of ours has the id of one that we do not see. The token follows from it, so EC2 answers a launch with the
# other's host. Without identity_is_of_another() that one is taken for ours, and terminated with ours/shared.
object ours shared same-id
taken() { [[ $(in_namespace ours shared "$(condition Stalled status)") == True ]]; }
wait_until 30 "the id is refused" taken || true
expect "an id that another's host carries is refused, and told" "instance $SHARED has this id and is another object's" \
  in_namespace ours shared "$(condition Ready message)"
expect "nothing of it is in the status" "" test "$(in_namespace ours shared '{.status.instance.id}{.status.launch.instanceID}')" != "$SHARED"
kubectl -n ours delete teedeployment shared --timeout=60s >/dev/null
expect "deleted: the host of the object that is not seen lives" "running" host_state "$SHARED"

# More than a minute of sweeps would end what nobody claims.
kubectl -n ours delete teedeployment hello --timeout=60s >/dev/null
SECONDS=0
wait_until 75 "sweeps had their time" eval '((SECONDS > 65))'
expect "hosts of objects that are not seen live" "running running" echo "$(host_state "$PLAIN") $(host_state "$SHARED")"
object ours again
expect "and a deleted namespace's objects are followed: new ones are served" "met" ready ours again
end_process controller

# The same by a selector: with the rights on all, and orphans are looked for among all objects.
kubectl delete -f "$DIR/rbac.yaml" >/dev/null
kubectl apply -f "$TEE_ROOT/manifests/rbac.yaml" >/dev/null
renew_token
start_part --selector shard=a
object ours labelled "" a
object ours claiming same-id a
expect "selector: an object with the label is served" "met" ready ours labelled
taken() { [[ $(in_namespace ours claiming "$(condition Stalled status)") == True ]]; }
wait_until 30 "the id is refused" taken || fail "selector: the id of another" "$(in_namespace ours claiming '{.status.conditions}')"
kubectl -n ours delete teedeployment labelled claiming --timeout=60s >/dev/null
SECONDS=0
wait_until 75 "sweeps had their time" eval '((SECONDS > 65))'
expect "selector: hosts of the others live" "running running" echo "$(host_state "$PLAIN") $(host_state "$SHARED")"
expect "selector: and are no orphans" "tee_orphans 0" metrics
finish
