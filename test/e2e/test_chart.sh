#!/usr/bin/env bash
# The chart: lint, the values' schema, manifests/ as its rendering, and install and uninstall on a real API server.
# There is no controller-manager, so nothing becomes ready and helm is never asked to wait.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

CHART=$TEE_ROOT/charts/tee-controller
HELM=$("$TEE_ROOT/hack/kube.sh" tool helm)
expect "manifests/ is what the chart renders" "" "$TEE_ROOT/hack/render-manifests.sh" --check
begin
helm() { "$HELM" "$@"; }

cat >"$WORK/all.yaml" <<YAML
replicas: 1
image: {repository: registry.example.com/tee-controller, digest: "sha256:$(printf 'a%.0s' {1..64})", pullPolicy: Always}
imagePullSecrets: [{name: pull}]
serviceAccount: {name: other, annotations: {eks.amazonaws.com/role-arn: "arn:aws:iam::000000000000:role/tee"}}
aws: {region: eu-central-1, existingSecret: aws-keys}
nitro: {amiID: ami-1, instanceType: m5.xlarge, subnetID: subnet-1, securityGroupID: sg-1, keyName: ops,
  iamInstanceProfile: host, enclaveCPUCount: 4, enclaveMemoryMiB: 1024}
leaderElect: false
logLevel: debug
namespaces: [default, tee-chart]
extraArgs: ["--workers=4"]
extraEnv: [{name: AWS_PROFILE, value: "1"}]
podAnnotations: {a: "1"}
podLabels: {b: "2"}
service: {annotations: {prometheus.io/scrape: "true"}}
priorityClassName: system-cluster-critical
nodeSelector: {kubernetes.io/os: linux}
tolerations: [{operator: Exists}]
affinity: {nodeAffinity: {}}
YAML

expect "lint" "0 chart(s) failed" helm lint --strict "$CHART"
expect "lint with every value" "0 chart(s) failed" helm lint --strict "$CHART" --values "$WORK/all.yaml"
expect_failure "an unknown value is refused" "nitro" helm template x "$CHART" --set nitro.amiId=ami-1
expect_failure "a wrong type is refused" "replicas" helm template x "$CHART" --set-string replicas=two
expect_failure "an AMI by name is refused" "amiID" helm template x "$CHART" --set nitro.amiID=al2023
expect_failure "a namespace twice is refused" "namespaces" helm template x "$CHART" --set "namespaces={a,a}"
expect_failure "a short digest is refused" "digest" helm template x "$CHART" --set image.digest=sha256:abc
expect_failure "no account at all is refused" "serviceAccount.name is needed" helm template x "$CHART" --set serviceAccount.create=false
expect "each value of the schema is shown in values.yaml" "" diff \
  <(jq -r '.properties | keys[] | select(. != "global")' "$CHART/values.schema.json" | sort) \
  <(grep -oE '^[A-Za-z]+' "$CHART/values.yaml" | sort)

# What the values become.
helm template x "$CHART" --values "$WORK/all.yaml" --show-only templates/deployment.yaml >"$WORK/deployment.yaml"
kubectl create --dry-run=client --output json -f "$WORK/deployment.yaml" >"$WORK/deployment.json"
deployment() { jq -r "$1" "$WORK/deployment.json"; }
expect "the image by digest" "registry.example.com/tee-controller@sha256:aaaa" deployment '.spec.template.spec.containers[0].image'
expect "flags" '--leader-elect=false --metrics-bind-address=:8080 --health-probe-bind-address=:8081 --log-level=debug --namespaces=default,tee-chart --workers=4' \
  deployment '.spec.template.spec.containers[0].args | join(" ")'
expect "environment" 'AWS_REGION=eu-central-1 AWS_NITRO_AMI_ID=ami-1 AWS_NITRO_INSTANCE_TYPE=m5.xlarge AWS_NITRO_SUBNET_ID=subnet-1 AWS_NITRO_SECURITY_GROUP_ID=sg-1 AWS_NITRO_KEY_NAME=ops AWS_NITRO_IAM_INSTANCE_PROFILE=host AWS_NITRO_ENCLAVE_CPU_COUNT=4 AWS_NITRO_ENCLAVE_MEMORY_MB=1024 AWS_PROFILE=1' \
  deployment '.spec.template.spec.containers[0].env | map("\(.name)=\(.value)") | join(" ")'
expect "the account by name" "other" deployment .spec.template.spec.serviceAccountName

# Install beside nothing: what `up` applied with kubectl would belong to no release.
kubectl delete -f "$TEE_ROOT/manifests/rbac.yaml" >/dev/null
expect "install" "STATUS: deployed" helm install tee "$CHART" --namespace tee-chart --create-namespace
expect "its notes say what is missing" "each TeeDeployment must name its own" helm get notes tee --namespace tee-chart
for object in deployment/tee-controller service/tee-controller-metrics poddisruptionbudget/tee-controller \
  serviceaccount/tee-controller role/tee-controller rolebinding/tee-controller clusterrole/tee-controller \
  clusterrolebinding/tee-controller clusterrole/tee-controller-view crd/teedeployments.tee.dev; do
  expect "there is $object" "$object" kubectl get "$object" --namespace tee-chart --output 'jsonpath={.kind}/{.metadata.name} '"$object"
done
await_crd
expect "the account of the release may list" yes kubectl auth can-i list teedeployments.tee.dev --as system:serviceaccount:tee-chart:tee-controller
expect "the sample is accepted" created kubectl create -f "$TEE_ROOT/manifests/samples/teedeployment.yaml"

# The pods would be admitted where the restricted Pod Security level is enforced. The server decides it on a pod.
kubectl label namespace tee-chart pod-security.kubernetes.io/enforce=restricted >/dev/null
kubectl get deployment tee-controller --namespace tee-chart --output json |
  jq '.spec.template + {apiVersion: "v1", kind: "Pod"} | .metadata.name = "trial" | .metadata.namespace = "tee-chart"' >"$WORK/pod.json"
expect "its pods keep the restricted Pod Security level" "created" kubectl create --dry-run=server -f "$WORK/pod.json"
expect_failure "which refuses others" "violates PodSecurity" kubectl create --dry-run=server \
  -f <(jq 'del(.spec.containers[0].securityContext)' "$WORK/pod.json")

expect "upgrade with every value" "STATUS: deployed" helm upgrade tee "$CHART" --namespace tee-chart --values "$WORK/all.yaml"
expect_failure "the disruption budget went with the second replica" "not found" kubectl get pdb tee-controller --namespace tee-chart
expect "uninstall" "uninstalled" helm uninstall tee --namespace tee-chart
expect "nothing namespaced is left" "No resources found" kubectl get deployment,service,role,rolebinding,poddisruptionbudget --namespace tee-chart
expect_failure "no cluster role is left" "not found" kubectl get clusterrole tee-controller
expect "the definition and the objects stay" hello kubectl get teedeployments --output name
expect "and a second install takes them over" "STATUS: deployed" helm install tee "$CHART" --namespace tee-chart

# The same without helm.
helm uninstall tee --namespace tee-chart >/dev/null 2>&1
expect "kubectl apply -k manifests" "deployment.apps/tee-controller created" kubectl apply -k "$TEE_ROOT/manifests"

finish
