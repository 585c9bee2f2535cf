#!/usr/bin/env bash
# The definition of TeeDeployment on a real API server: what is refused and with which words, what is accepted, that
# every status field can be written, and that the schema keeps the project's own rules.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

begin
expect "the definition applies" created kubectl apply -f "$TEE_ROOT/manifests/crd.yaml"
await_crd
expect "it is established" "condition met" kubectl wait --for=condition=Established crd/teedeployments.tee.dev --timeout=20s
expect "its schema is structural" "[]" \
  kubectl get crd teedeployments.tee.dev --output 'jsonpath=[{.status.conditions[?(@.type=="NonStructuralSchema")].message}]'

OBJECTS=/apis/tee.dev/v1alpha1/namespaces/default/teedeployments
kubectl create --dry-run=client --output json -f "$TEE_ROOT/manifests/samples/teedeployment.yaml" >"$WORK/good.json"
# Every optional part once, so that a case below only names what it changes.
FULL=$(jq '.spec += {desiredState: "Running", deletionPolicy: "Retain", updateStrategy: "OnDelete", deploymentID: "nitro-1",
    egress: [{name: "kms", host: "kms.eu-central-1.amazonaws.com", port: 443, vsockPort: 8000}],
    timeouts: {launchSeconds: 60, bootSeconds: 7200},
    instance: {amiID: "ami-0123456789abcdef0", instanceType: "m5.xlarge", subnetIDs: ["subnet-1", "subnet-2"],
      securityGroupIDs: ["sg-1"], keyName: "ops", iamInstanceProfile: "hello", tags: {team: "a"},
      rootVolume: {sizeGiB: 8, type: "gp3", iops: 3000, throughput: 125, encrypted: true, kmsKeyID: "alias/a"}}}
  | .spec.enclave.debugMode = false
  | .spec.attestation += {protocol: "Native", port: 1300, requireNonce: true, intervalSeconds: 60, validSeconds: 120,
      maxAgeSeconds: 1, onRejected: "Stop", instanceRoleARN: "arn:aws:iam::000000000000:role/a",
      userDataSHA256: ("a" * 64), publicKeySHA256: ("b" * 64)}
  | .spec.attestation.measurements[0] += {notBefore: "2026-01-01T00:00:00Z", notAfter: "2027-01-01T00:00:00Z"}' "$WORK/good.json")

# The server's whole validation without storing anything.
submit() { jq -c "$1" <<<"$FULL" | request user POST "$OBJECTS?dryRun=All&fieldValidation=Strict"; }
answer_text() { jq -r '.message // .kind' <<<"$1" 2>/dev/null || printf '%s' "$1"; }

accept() { # accept NAME JQ-FILTER
  local answer
  answer=$(submit "$2")
  if [[ $answer == *$'\n201' ]]; then pass "accepted: $1"; else fail "accepted: $1" "$(answer_text "${answer%$'\n'*}")"; fi
}

refuse() { # refuse NAME JQ-FILTER TEXT...: each text is in the message
  local name=$1 answer message text
  answer=$(submit "$2")
  message=$(answer_text "${answer%$'\n'*}")
  shift 2
  [[ $answer == *$'\n422' || $answer == *$'\n400' ]] || { fail "refused: $name" "code ${answer##*$'\n'}" "$message" && return; }
  for text in "$@"; do
    [[ $message == *"$text"* ]] || { fail "refused: $name" "wanted: $text" "got: $message" && return; }
  done
  pass "refused: $name"
}

accept "every field at once" .
accept "the image alone" '.spec |= {image}'
accept "the prebuilt image" '.spec |= {eif: {url: "s3://bucket/hello.eif", sha256: ("a" * 64)}}'
accept "a debug enclave, for the controller to judge" '.spec.enclave.debugMode = true'
accept "the sizes' bounds" '.spec.enclave = {cpuCount: 192, memoryMiB: 1048576}'
accept "the largest vsock port" '.spec.ports[0].enclavePort = 4294967294'
accept "the other volume types" '.spec.instance.rootVolume = {type: "io2", iops: 100}'
accept "a default interval with twice its time" 'del(.spec.attestation.intervalSeconds) | .spec.attestation.validSeconds = 1200'
accept "PCR8 alone" '.spec.attestation.measurements[0].pcrs = [{index: 8, sha384: ("0" * 96)}]'
accept "IPv6 egress" '.spec.egress[0].host = "2001:db8::1"'

refuse "no spec" 'del(.spec)' 'spec: Required value'
refuse "neither image nor eif" '.spec |= {}' 'set exactly one of image and eif'
refuse "image and eif" '.spec.eif = {url: "s3://b/k", sha256: ("a" * 64)}' 'spec.eif: ' 'exactly one of image and eif, not both'
refuse "an image by tag" '.spec.image = "registry/hello:1"' 'spec.image: ' 'image must end in a digest: registry/repository@sha256:'
refuse "an image with blanks" '.spec.image |= " " + .' 'image must end in a digest'
refuse "an upper-case digest" '.spec.image = "r/h@sha256:" + ("A" * 64)' 'image must end in a digest'
refuse "eif by http" '.spec |= {eif: {url: "http://a/b", sha256: ("a" * 64)}}' 'eif.url must be s3://bucket/key or https://host/path'
refuse "eif with a short hash" '.spec |= {eif: {url: "s3://a/b", sha256: "a"}}' 'eif.sha256 must be 64 lower-case hex digits'
refuse "eif without hash" '.spec |= {eif: {url: "s3://a/b"}}' 'spec.eif.sha256: Required value'
refuse "an unknown state" '.spec.desiredState = "Terminated"' 'spec.desiredState: ' '"Running", "Stopped"'
refuse "no CPU" '.spec.enclave.cpuCount = 0' 'spec.enclave.cpuCount: ' 'greater than or equal to 1'
refuse "193 CPUs" '.spec.enclave.cpuCount = 193' 'less than or equal to 192'
refuse "63 MiB" '.spec.enclave.memoryMiB = 63' 'greater than or equal to 64'
refuse "a number past 2^53" '.spec.enclave.memoryMiB = 18446744073709551615' 'memoryMiB'
refuse "an unknown field" '.spec.enclave.memoryMB = 64' 'unknown field "spec.enclave.memoryMB"'
refuse "an AMI by name" '.spec.instance.amiID = "al2023"' 'amiID must look like ami-'
refuse "a subnet by name" '.spec.instance.subnetIDs = ["a"]' 'a subnet ID must look like subnet-'
refuse "a group by name" '.spec.instance.securityGroupIDs = ["a"]' 'a security group ID must look like sg-'
refuse "17 subnets" '.spec.instance.subnetIDs = [range(17) | "subnet-\(.)"]' 'at most 16 items'
refuse "a tag aws:" '.spec.instance.tags = {"AWS:x": "1"}' 'spec.instance.tags: ' 'tag keys aws:*, tee-* and Name are reserved'
refuse "a tag tee-" '.spec.instance.tags = {"tee-name": "1"}' 'are reserved'
refuse "a tag Name" '.spec.instance.tags = {"Name": "1"}' 'are reserved'
refuse "an empty tag key" '.spec.instance.tags = {"": "1"}' 'tag keys have 1 to 128 characters'
refuse "a long tag key" '.spec.instance.tags = {("k" * 129): "1"}' 'tag keys have 1 to 128 characters'
refuse "a long tag value" '.spec.instance.tags = {k: ("v" * 257)}' 'Too long'
refuse "41 tags" '.spec.instance.tags = ([range(41) | {"k\(.)": "v"}] | add)' 'at most 40'
refuse "iops without type" '.spec.instance.rootVolume = {iops: 3000}' 'rootVolume.iops: ' 'iops needs a type of gp3, io1 or io2'
refuse "iops on gp2" '.spec.instance.rootVolume = {type: "gp2", iops: 3000}' 'iops needs a type of gp3, io1 or io2'
refuse "throughput on io1" '.spec.instance.rootVolume = {type: "io1", iops: 100, throughput: 125}' 'throughput needs type gp3'
refuse "io2 without iops" '.spec.instance.rootVolume = {type: "io2"}' 'types io1 and io2 need iops'
refuse "a key without encryption" '.spec.instance.rootVolume = {kmsKeyID: "a"}' 'kmsKeyID needs encrypted: true'
refuse "a volume of 7 GiB" '.spec.instance.rootVolume.sizeGiB = 7' 'greater than or equal to 8'
refuse "one port twice" '.spec.ports += [{name: "b", port: 8443, enclavePort: 1}]' 'each entry of ports needs a port of its own'
refuse "one port name twice" '.spec.ports += [{name: "http", port: 1, enclavePort: 1}]' 'Duplicate value'
refuse "the attestation port" '.spec.ports[0].port = 1300' 'spec.ports: ' 'attestation.port is taken by the attestation listener'
refuse "port 65536" '.spec.ports[0].port = 65536' 'less than or equal to 65535'
refuse "a port without enclavePort" 'del(.spec.ports[0].enclavePort)' 'enclavePort: Required value'
refuse "a port name with blanks" '.spec.ports[0].name = "a b"' 'name must be lower-case letters'
refuse "one vsock port twice" '.spec.egress += [.spec.egress[0] + {name: "b"}]' 'each entry of egress needs a vsockPort of its own'
refuse "a low vsock port" '.spec.egress[0].vsockPort = 1023' 'greater than or equal to 1024'
refuse "a URL as host" '.spec.egress[0].host = "https://a"' 'host must be a host name or an IP address'
refuse "an unknown protocol" '.spec.attestation.protocol = "Other"' '"Native", "Nitriding"'
refuse "a short validity" '.spec.attestation.validSeconds = 150 | .spec.attestation.intervalSeconds = 100' \
  'attestation.validSeconds: ' 'validSeconds must be at least twice intervalSeconds'
refuse "a short validity for the default interval" 'del(.spec.attestation.intervalSeconds) | .spec.attestation.validSeconds = 1199' \
  'validSeconds must be at least twice intervalSeconds'
refuse "a validity over three hours" '.spec.attestation.validSeconds = 10801' 'less than or equal to 10800'
refuse "a measurement without code" '.spec.attestation.measurements[0].pcrs = [{index: 1, sha384: ("a" * 96)}]' \
  'name at least one of PCR 0, 2 and 8'
refuse "the PCR0 of a debug enclave" '.spec.attestation.measurements[0].pcrs[0].sha384 = "0" * 96' 'PCR0 of zeros is what a debug enclave shows'
refuse "a PCR in upper case" '.spec.attestation.measurements[0].pcrs[0].sha384 = "A" * 96' 'pcrs[0].sha384: '
refuse "a PCR of null" '.spec.attestation.measurements[0].pcrs[0].sha384 = null' 'sha384: '
refuse "no PCRs" '.spec.attestation.measurements[0].pcrs = []' 'at least 1 items'
refuse "PCR 32" '.spec.attestation.measurements[0].pcrs[0].index = 32' 'less than or equal to 31'
refuse "one PCR twice" '.spec.attestation.measurements[0].pcrs[1].index = 0' 'Duplicate value'
refuse "an empty time window" '.spec.attestation.measurements[0].notAfter = "2026-01-01T00:00:00Z"' 'notAfter: ' 'notAfter must be later than notBefore'
refuse "a window by date alone" '.spec.attestation.measurements[0].notAfter = "2026-01-01"' 'date-time'
refuse "nine measurements" '.spec.attestation.measurements = [range(9) as $i | .spec.attestation.measurements[0] | .name = "m\($i)"]' 'at most 8 items'
refuse "a short user data hash" '.spec.attestation.userDataSHA256 = "a"' 'userDataSHA256 must be 64 lower-case hex digits'
refuse "a short key hash" '.spec.attestation.publicKeySHA256 = "a"' 'publicKeySHA256 must be 64 lower-case hex digits'
refuse "a deploymentID with blanks" '.spec.deploymentID = "a b"' "deploymentID must be letters, digits, '.', '_' and '-'"
refuse "a launch timeout of 59 s" '.spec.timeouts.launchSeconds = 59' 'greater than or equal to 60'

# The people's tool says the same words.
expect_failure "kubectl shows the rule's sentence" "image must end in a digest" \
  kubectl create -f <(jq '.spec.image = "registry/hello:1"' "$WORK/good.json")
expect "the sample is accepted" created kubectl create -f "$TEE_ROOT/manifests/samples/teedeployment.yaml"
expect "status starts at generation -1" '{"observedGeneration":-1}' kubectl get teedeployment hello --output 'jsonpath={.status}'

# deploymentID is set at creation or never.
expect_failure "deploymentID is not added" "deploymentID is set at creation or never" \
  kubectl patch teedeployment hello --type merge --patch '{"spec":{"deploymentID":"other"}}'
kubectl create -f <(jq '.metadata.name = "owned" | .spec.deploymentID = "a"' "$WORK/good.json") >/dev/null
expect_failure "nor changed" "deploymentID is set at creation or never" \
  kubectl patch teedeployment owned --type merge --patch '{"spec":{"deploymentID":"b"}}'
expect_failure "nor removed" "deploymentID is set at creation or never" \
  kubectl patch teedeployment owned --type merge --patch '{"spec":{"deploymentID":null}}'
expect "other fields of such an object change" patched \
  kubectl patch teedeployment owned --type merge --patch '{"spec":{"desiredState":"Stopped"}}'

# Status as the controller writes it, by the service account and as two field managers.
apply_status() { # apply_status MANAGER [METADATA]: the status from stdin
  jq -c --argjson metadata "${2:-{\}}" '{apiVersion: "tee.dev/v1alpha1", kind: "TeeDeployment", status: .,
      metadata: ({name: "hello"} + $metadata)}' |
    request controller PATCH "$OBJECTS/hello/status?fieldManager=$1&force=true" application/apply-patch+yaml
}
full=$TEE_ROOT/test/e2e/status-full.json
expect "every status field is written" $'\n200' apply_status tee-controller <"$full"
expect "and none is changed or lost" same jq -n --slurpfile want "$full" \
  --argjson got "$(kubectl get teedeployment hello --output json | jq .status)" 'if $want[0] == $got then "same" else $got end'
# A path of numbers (an index) is cut to its list; claims has keys of its own.
schema_leaves='def leaves(p): if .properties then .properties | to_entries[] | .key as $k | .value | leaves(p + [$k])
  elif .items then .items | leaves(p) else p end; .spec.versions[0].schema.openAPIV3Schema.properties.status | leaves([])
  | join(".")'
document_leaves='[paths(type != "object" and type != "array") | map(select(type == "string")) | join(".") | sub("claims\\..*"; "claims")] | unique[]'
kubectl get crd teedeployments.tee.dev --output json >"$WORK/crd.json"
expect "the document above names every field of the schema" "" \
  diff <(jq -r "$schema_leaves" "$WORK/crd.json" | sort -u) <(jq -r "$document_leaves" "$full" | sort -u)
revision=$(kubectl get teedeployment hello --output 'jsonpath={.metadata.resourceVersion}')
expect "the same status again is taken" $'\n200' apply_status tee-controller <"$full"
expect "and changes nothing" "$revision" kubectl get teedeployment hello --output 'jsonpath={.metadata.resourceVersion}'
expect "the evidence has a manager of its own" $'\n200' apply_status tee-controller-evidence \
  <<<'{"attestation":{"evidence":"AAAA","evidenceSHA256":"ab"}}'
expect "a status without evidence is applied" $'\n200' apply_status tee-controller \
  < <(jq 'del(.attestation.evidence, .attestation.evidenceSHA256, .launch.halted, .observedGeneration)' "$full")
expect "the evidence stays" AAAA kubectl get teedeployment hello --output 'jsonpath={.status.attestation.evidence}'
expect "what was left out is gone, and the generation is -1 again" '-1:' \
  kubectl get teedeployment hello --output 'jsonpath={.status.observedGeneration}:{.status.launch.halted}'
expect "a stale resourceVersion is refused" $'\n409' apply_status tee-controller "{\"resourceVersion\":\"$revision\"}" <"$full"
expect "an unknown status field is a 500" "failed to create typed patch object" apply_status tee-controller <<<'{"unknown":1}'
expect "an over-long string fails the whole write" $'\n422' apply_status tee-controller <<<'{"boot":{"phase":"'"$(printf 'a%.0s' {1..33})"'"}}'
expect "writing status leaves the generation alone" 1 kubectl get teedeployment hello --output 'jsonpath={.metadata.generation}'

# What people see.
expect "columns" "NAME    PHASE     INSTANCE              ATTESTED   READY   REASON        AGE" kubectl get teed
expect "wide columns" "TYPE        ZONE            ADDRESS    VERDICT    MEASUREMENT" kubectl get teed --output wide
expect "the category" hello kubectl get tee
expect "selection by phase" hello kubectl get teed --field-selector status.phase=Running --no-headers
expect "selection by instance" hello kubectl get teed --field-selector status.instance.id=i-0123456789abcdef0 --no-headers
expect "explain" "60 to 3600. Absent means 600" kubectl explain teedeployment.spec.attestation.intervalSeconds

# The schema keeps its own rules.
nodes='.spec.versions[0].schema.openAPIV3Schema.properties
  | [.spec, .status] | .. | objects | select(.type? and (.type | type) == "string")'
schema_has_no() { # schema_has_no NAME JQ-CONDITION
  expect "no $1" "[]" jq -c "[$nodes | select($2) | .description // .]" "$WORK/crd.json"
}
schema_has_no "string without a bound" '.type == "string" and (.maxLength or .enum or .format == "date-time" | not)'
schema_has_no "number without bounds" '(.type == "integer" or .type == "number") and ((has("minimum") and has("maximum")) | not)'
schema_has_no "list without a bound or a type" '.type == "array" and ((.maxItems and .["x-kubernetes-list-type"]) | not)'
schema_has_no "open object" '.["x-kubernetes-preserve-unknown-fields"] or (.additionalProperties and (.maxProperties | not))'
expect "no default in spec" "[]" jq -c '[.spec.versions[0].schema.openAPIV3Schema.properties.spec | .. | objects | .default? // empty]' "$WORK/crd.json"
expect "each optional field of spec says what its absence means" "[]" jq -c '
  def optional: .required as $r | .properties // {} | to_entries[] | select([.key] | inside($r // []) | not) | .value;
  [.spec.versions[0].schema.openAPIV3Schema.properties.spec | .. | objects | select(.type? == "object") | optional
   | select(.description // "" | test("[Aa]bsent means") | not)]' "$WORK/crd.json"

# The policy sample refuses a debug enclave, and does not hold up the deletion of one from before it.
kubectl create -f <(jq '.metadata.name = "debug" | .metadata.finalizers = ["tee.dev/instance"] | .spec.enclave.debugMode = true' "$WORK/good.json") >/dev/null
kubectl apply -f "$TEE_ROOT/manifests/samples/refuse-debug-mode.yaml" >/dev/null
# A new policy takes a moment to be compiled by the server, so the first answers may still be an acceptance.
create_debug() { kubectl create --dry-run=server -f <(jq '.metadata.name = "d2" | .spec.enclave.debugMode = true' "$WORK/good.json"); }
deadline=$((SECONDS + 20))
while create_debug >/dev/null 2>&1 && ((SECONDS < deadline)); do sleep 0.2; done
expect_failure "the policy refuses debug mode" "a debug enclave attests nothing" create_debug
expect "and accepts the sample" created kubectl create --dry-run=server -f <(jq '.metadata.name = "d3"' "$WORK/good.json")
kubectl delete teedeployment debug --wait=false >/dev/null
expect "an older debug object loses its finalizer" patched kubectl patch teedeployment debug --type json \
  --patch '[{"op":"remove","path":"/metadata/finalizers/0"}]'

finish
