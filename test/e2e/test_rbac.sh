#!/usr/bin/env bash
# The rights of the service account, asked from a real API server: what it needs is allowed, what it could misuse is not.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

begin
kubectl apply -f "$TEE_ROOT/manifests/crd.yaml" -f "$TEE_ROOT/manifests/user-roles.yaml" >/dev/null
await_crd
kubectl create -f "$TEE_ROOT/manifests/samples/teedeployment.yaml" >/dev/null

OBJECTS=/apis/tee.dev/v1alpha1/namespaces/default/teedeployments
LEASES=/apis/coordination.k8s.io/v1/namespaces/tee-system/leases

may() { # may yes|no VERB RESOURCE[/NAME] ARGUMENT...
  local wanted=$1 output
  shift
  output=$(kubectl --kubeconfig "$CONTROLLER_KUBECONFIG" auth can-i "$@" 2>/dev/null) || true
  if [[ $output == "$wanted" ]]; then pass "may $*: $wanted"; else fail "may $*: $wanted" "got: $output"; fi
}

for verb in get list watch patch; do may yes "$verb" teedeployments.tee.dev --namespace default; done
may yes patch teedeployments.tee.dev --subresource status --namespace default
may yes create events.events.k8s.io --namespace default
may yes patch events.events.k8s.io --namespace default
may yes create leases.coordination.k8s.io --namespace tee-system
for verb in get update patch; do may yes "$verb" leases.coordination.k8s.io/tee-controller --namespace tee-system; done
may yes get namespaces/kube-system
may yes get customresourcedefinitions.apiextensions.k8s.io/teedeployments.tee.dev

for verb in create update delete deletecollection; do may no "$verb" teedeployments.tee.dev --namespace default; done
may no update teedeployments.tee.dev --subresource status --namespace default
may no delete leases.coordination.k8s.io/tee-controller --namespace tee-system
may no get leases.coordination.k8s.io/other --namespace tee-system
may no list leases.coordination.k8s.io --namespace tee-system
may no create leases.coordination.k8s.io --namespace default
may no get leases.coordination.k8s.io/tee-controller --namespace default
may no list namespaces
may no get namespaces/default
may no list customresourcedefinitions.apiextensions.k8s.io
may no patch customresourcedefinitions.apiextensions.k8s.io/teedeployments.tee.dev
may no list events.events.k8s.io --namespace default
may no create events --namespace default
for resource in secrets configmaps pods serviceaccounts; do may no get "$resource" --namespace tee-system; done
may no create pods --namespace tee-system
may no create serviceaccounts/tee-controller --subresource token --namespace tee-system
may no escalate clusterroles.rbac.authorization.k8s.io
may no impersonate users

# The same by deed, in the forms that the controller uses.
expect "adds its finalizer by JSON patch" $'\n200' request controller PATCH "$OBJECTS/hello" application/json-patch+json \
  <<<'[{"op":"add","path":"/metadata/finalizers","value":["tee.dev/instance"]}]'
expect "removes it with a test of its value" $'\n200' request controller PATCH "$OBJECTS/hello" application/json-patch+json \
  <<<'[{"op":"test","path":"/metadata/finalizers/0","value":"tee.dev/instance"},{"op":"remove","path":"/metadata/finalizers/0"}]'
expect "applies status" $'\n200' request controller PATCH "$OBJECTS/hello/status?fieldManager=tee-controller&force=true" \
  application/apply-patch+yaml <<<'{"apiVersion":"tee.dev/v1alpha1","kind":"TeeDeployment","metadata":{"name":"hello"},
    "status":{"observedGeneration":1}}'
expect "watches every namespace" ADDED request controller GET \
  '/apis/tee.dev/v1alpha1/teedeployments?watch=true&timeoutSeconds=1'
expect "creates its lease" $'\n201' request controller POST "$LEASES" <<<'{"apiVersion":"coordination.k8s.io/v1",
  "kind":"Lease","metadata":{"name":"tee-controller"},"spec":{"holderIdentity":"a","leaseDurationSeconds":15}}'
lease=$(request controller GET "$LEASES/tee-controller" | sed '$d')
expect "updates its lease" $'\n200' request controller PUT "$LEASES/tee-controller" \
  <<<"$(jq '.spec.holderIdentity = "b"' <<<"$lease")"
expect "refused: an update with a stale lease" $'\n409' request controller PUT "$LEASES/tee-controller" <<<"$lease"
expect "refused: another lease" $'\n403' request controller GET "$LEASES/other"
expect "writes an event" $'\n201' request controller POST /apis/events.k8s.io/v1/namespaces/default/events \
  <<<'{"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{"name":"hello.1"},"reportingController":"tee.dev/tee-controller",
    "reportingInstance":"test","action":"Launch","reason":"Launched","type":"Normal","note":"Launched i-1",
    "eventTime":"2026-01-01T00:00:00.000000Z","regarding":{"apiVersion":"tee.dev/v1alpha1","kind":"TeeDeployment",
    "namespace":"default","name":"hello"}}'
expect "continues it as a series" $'\n200' request controller PATCH \
  /apis/events.k8s.io/v1/namespaces/default/events/hello.1 application/merge-patch+json \
  <<<'{"series":{"count":2,"lastObservedTime":"2026-01-01T00:00:01.000000Z"}}'
expect "reads the cluster's id" '"uid"' request controller GET /api/v1/namespaces/kube-system
expect "reads its definition" '"teedeployments.tee.dev"' request controller GET \
  /apis/apiextensions.k8s.io/v1/customresourcedefinitions/teedeployments.tee.dev
expect "refused: deleting an object" $'\n403' request controller DELETE "$OBJECTS/hello"

# The roles for people. Aggregation is done by a controller that does not run here, so they are bound directly.
for role in view edit; do
  kubectl create rolebinding "people-$role" --clusterrole "tee-controller-$role" --user "person-$role" >/dev/null
  expect "role $role aggregates to the cluster's own" true kubectl get clusterrole "tee-controller-$role" \
    --output "jsonpath={.metadata.labels.rbac\.authorization\.k8s\.io/aggregate-to-$role}"
done
expect "a viewer lists" yes kubectl --as person-view auth can-i list teedeployments.tee.dev
expect_failure "a viewer does not create" no kubectl --as person-view auth can-i create teedeployments.tee.dev
expect "an editor creates" yes kubectl --as person-edit auth can-i create teedeployments.tee.dev
expect_failure "an editor does not write status" no kubectl --as person-edit auth can-i patch teedeployments.tee.dev \
  --subresource status

finish
