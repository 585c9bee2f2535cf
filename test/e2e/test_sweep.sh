#!/usr/bin/env bash
# Instances without an object: which are ended, which are not, and what an object list that lost everything leads to.
# When it fails: an orphan runs (and is paid for) forever; or, far worse, hosts of somebody else, of an object that the
# watch did not know of, or all hosts of the cluster are terminated.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
IMAGE=registry.example.com/hello@sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824

begin_stack

start_sweeper() {
  : >"$DIR/controller.log"
  run_beside_sim --allow-unmeasured "${QUICK_LEASE[@]}" --inventory-interval 2 --orphan-sweep-interval 5 "$@"
  wait_until 30 "the controller is ready" is_ready
}

plain() { # plain NAME
  kubectl apply -f - >/dev/null <<END
apiVersion: tee.dev/v1alpha1
kind: TeeDeployment
metadata: {name: $1, namespace: default}
spec: {image: $IMAGE, enclave: {cpuCount: 2, memoryMiB: 512}, attestation: {protocol: Disabled}}
END
}

probe() { AWS_ENDPOINT_URL_EC2=$SIM AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1 "$BUILD/bin/ec2_probe" "$@"; }

# launch NAME CLUSTER-ID [TAG=VALUE]: an instance launched an hour ago with such tags; prints its id
launch() {
  local id tags
  tags=$(jq -n --arg name "$1" --arg cluster "$2" --arg more "${3:-}" '{Name: $name, "tee-deployment-id": "nitro-\($name)",
    "tee-cluster-id": $cluster} + ($more | if . == "" then {} else {(split("=")[0]): split("=")[1]} end)')
  id=$(probe RunInstances "$(jq -n --arg name "$1" --argjson tags "$tags" \
      '{image: "ami-0123456789abcdef0", type: "m5.xlarge", token: "token-\($name)", userData: "#!/bin/sh\n", tags: $tags}')" | jq -r '.[0].id')
  sim POST "instances/$id" '{"startedAgoMs": 3600000}' >/dev/null
  printf '%s\n' "$id"
}
state_of() { sim GET instances | jq -r --arg id "$1" '.instances[] | select(.id == $id) | .state'; }
is_state() { [[ $(state_of "$1") == "$2" ]]; }
metric() { metrics | sed -n "s/^$1 //p"; }
is_metric() { [[ $(metric "$1") == "$2" ]]; }
terminations() { count_calls TerminateInstances; }

kubectl apply -f "$TEE_ROOT/manifests/crd.yaml" >/dev/null
await_crd
CLUSTER=$(kubectl get namespace kube-system -o 'jsonpath={.metadata.uid}')
start_sim
start_sweeper
plain one
plain two
expect "two objects are Ready" "met" kubectl wait --for=condition=Ready teedeployment --all --timeout=60s
ONE=$(field one '{.status.instance.id}')
sim POST "instances/$ONE" '{"startedAgoMs": 3600000}' >/dev/null
FOREIGN=$(launch foreign another-cluster)
RETAINED=$(launch retained "$CLUSTER" tee-retained=true)
ORPHAN=$(launch orphan "$CLUSTER")
SECONDS=0
wait_until 20 "the orphan is seen" is_metric tee_orphans 1
expect "one sighting ends nothing" "running" state_of "$ORPHAN"
wait_until 90 "the orphan is ended" is_metric tee_orphans_terminated_total 1 || true
if ((SECONDS >= 60)); then pass "the second sighting came a minute later"; else fail "the second sighting came a minute later" "$SECONDS s"; fi
wait_until 10 "EC2 ends it" is_state "$ORPHAN" terminated || true
expect "the orphan is terminated" "terminated" state_of "$ORPHAN"
expect "the log names it" "$ORPHAN" grep "has no TeeDeployment and is terminated" "$DIR/controller.log"
expect "what is retained stays" "running" state_of "$RETAINED"
expect "another cluster's stays" "running" state_of "$FOREIGN"
expect "an object's host stays" "running" state_of "$ONE"

# Other security groups than those of the spec are shown, and nothing is done about them.
kubectl patch teedeployment two --type merge -p '{"spec": {"instance": {"securityGroupIDs": ["sg-0000000000000000a"]}}}' >/dev/null
wait_until 20 "the difference is shown" is two "$(condition Drifted reason)" SecurityGroupsDiffer || true
expect "other security groups are shown" "SecurityGroupsDiffer" field two "$(condition Drifted reason)"
expect "and the object stays Ready" "True" field two "$(condition Ready status)"
sim POST "instances/$(field two '{.status.instance.id}')" '{"group": "sg-0000000000000000a"}' >/dev/null
wait_until 20 "they are put right by hand" is two "$(condition Drifted reason)" InSync || true
expect "put right by hand" "InSync" field two "$(condition Drifted reason)"

# Somebody edits the tags by which the host is known: they are put back, and nothing is launched or ended for it.
tag_of() { sim GET instances | jq -r --arg id "$ONE" --arg key "$1" '.instances[] | select(.id == $id) | .tags[$key]'; }
is_tag() { [[ $(tag_of "$1") == "$2" ]]; }
UID_OF_ONE=$(field one '{.metadata.uid}')
LAUNCHES=$(asked_count)
probe CreateTags "{\"ids\": [\"$ONE\"], \"tags\": {\"tee-deployment-id\": \"nitro-other\", \"tee-name\": \"other\", \"Name\": \"mine\"}}" >/dev/null
wait_until 20 "the tags are put back" is_tag tee-deployment-id "nitro-$UID_OF_ONE" || true
expect "an edited tee-deployment-id is put back" "nitro-$UID_OF_ONE" tag_of tee-deployment-id
expect "an edited tee-name is put back" "one" tag_of tee-name
expect "and an edited Name" "tee-nitro-$UID_OF_ONE" tag_of Name
expect "an Event tells it" "tee-deployment-id, Name, tee-namespace or tee-name" kubectl get events.events.k8s.io -o "jsonpath={.items[?(@.reason=='IdentityRestored')].note}"
end_process controller # forgets that it tried a moment ago
start_sweeper
probe CreateTags "{\"ids\": [\"$ONE\"], \"tags\": {\"tee-cluster-id\": \"\"}}" >/dev/null
wait_until 40 "the cluster's id is put back" is_tag tee-cluster-id "$CLUSTER" || true
expect "a removed tee-cluster-id is put back" "$CLUSTER" tag_of tee-cluster-id
expect "the host runs on" "running" state_of "$ONE"
expect "nothing was launched for it" "$LAUNCHES" asked_count

# The objects are lost, as with a CRD that was deleted by force or a cluster that was restored from an old backup.
end_process controller
for name in one two; do
  kubectl patch teedeployment "$name" --type json -p '[{"op": "remove", "path": "/metadata/finalizers"}]' >/dev/null
done
kubectl delete teedeployment --all --timeout=30s >/dev/null
BEFORE=$(terminations)
sim POST "instances/$(sim GET instances | jq -r '.instances[] | select(.tags["tee-name"] == "two") | .id')" '{"startedAgoMs": 3600000}' >/dev/null
start_sweeper
wait_until 30 "the loss is noticed" is_metric tee_orphan_sweep_refused 1 || true
expect "so many at once are not believed" "1" metric tee_orphan_sweep_refused
expect "the log says so and what to do" "tag them tee-retained" grep "too many to be orphans" "$DIR/controller.log"
expect "nothing is terminated" "$BEFORE" terminations
expect "the host runs on" "running" state_of "$ONE"
end_process controller
start_sweeper --orphan-sweep-interval 0
expect "switched off" "0" metric tee_orphans
finish
