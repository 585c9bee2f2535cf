#!/usr/bin/env bash
# The controller and its EC2 client against moto, an EC2 written by others, with its checks of signatures and rights on.
# What exactly-once rests on, a token that launches once and finds its launch again, moto lacks (it launches twice, and
# its filter client-token answers 500): no case here looks a launch up. Its hosts do not exist: the protocol is Disabled.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
HERE=$TEE_ROOT/test/e2e
FOLDER=$("$TEE_ROOT/hack/venv.sh" find) || exit $?

begin_stack

expect "the client's calls" "0 failed" "$FOLDER/bin/python" "$HERE/moto_calls.py" "$BUILD/bin/ec2_probe" "$BUILD/bin/kubectl-tee" "$FOLDER/bin/moto_server"

start_moto() {
  CLUSTER=$(kubectl get namespace kube-system -o 'jsonpath={.metadata.uid}')
  "$FOLDER/bin/python" "$HERE/moto_server.py" "$BUILD/bin/kubectl-tee" "$FOLDER/bin/moto_server" "$CLUSTER" >"$DIR/moto.json" 2>"$DIR/moto.log" &
  echo $! >"$DIR/moto.pid"
  wait_until 60 "moto listens" test -s "$DIR/moto.json"
  MOTO=$(jq -r .endpoint "$DIR/moto.json")
  KEY=$(jq -r .AccessKeyId "$DIR/moto.json")
  SECRET=$(jq -r .SecretAccessKey "$DIR/moto.json")
}


# What moto has of our cluster, a line per instance: state, deployment id, name.
instances() {
  "$BUILD/bin/ec2_probe" DescribeInstances "{\"filters\": {\"tag:tee-cluster-id\": [\"$CLUSTER\"]}}" |
    jq -r '.[] | "\(.state) \(.tags["tee-deployment-id"]) \(.tags["tee-name"])"' | sort
}

kubectl apply -f "$TEE_ROOT/manifests/crd.yaml" >/dev/null
await_crd
start_moto
export AWS_ENDPOINT_URL_EC2=$MOTO AWS_ACCESS_KEY_ID=$KEY AWS_SECRET_ACCESS_KEY=$SECRET AWS_REGION=us-east-1
run_controller AWS_ENDPOINT_URL="$MOTO" AWS_ACCESS_KEY_ID="$KEY" AWS_SECRET_ACCESS_KEY="$SECRET" AWS_NITRO_AMI_ID=ami-12c6146b -- \
  --allow-unmeasured --inventory-interval 2
wait_until 30 "the controller is ready" is_ready

kubectl apply -f - >/dev/null <<'END'
apiVersion: tee.dev/v1alpha1
kind: TeeDeployment
metadata: {name: plain, namespace: default}
spec:
  image: registry.example.com/hello@sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
  enclave: {cpuCount: 2, memoryMiB: 512}
  attestation: {protocol: Disabled}
END
UID_OF_PLAIN=$(field plain '{.metadata.uid}')
expect "launched, Ready" "met" kubectl wait --for=condition=Ready teedeployment/plain --timeout=60s
expect "one instance with our tags" "16 nitro-$UID_OF_PLAIN plain" instances
kubectl patch teedeployment plain --type merge -p '{"spec": {"desiredState": "Stopped"}}' >/dev/null
wait_until 30 "it is stopped" is plain "$(condition Ready reason)" Stopped || true
expect "stopped" "80 nitro-$UID_OF_PLAIN plain" instances
kubectl patch teedeployment plain --type merge -p '{"spec": {"desiredState": "Running"}}' >/dev/null
wait_until 30 "it runs again" is_not plain "$(condition Ready reason)" Stopped || true
expect "Ready again" "met" kubectl wait --for=condition=Ready teedeployment/plain --timeout=60s
expect "started, the same and only one" "16 nitro-$UID_OF_PLAIN plain" instances
expect "deleted" "deleted" kubectl delete teedeployment plain --timeout=60s
expect "terminated" "48 nitro-$UID_OF_PLAIN plain" instances
one_was_launched() { (($(instances | wc -l) == 1)); }
expect "one was launched, all in all" "" one_was_launched
finish
