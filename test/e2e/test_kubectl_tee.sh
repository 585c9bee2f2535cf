#!/usr/bin/env bash
# kubectl tee against a real API server, the controller and tee-sim: the plugin as kubectl finds it, the repeated
# check, and every way in which a status may disagree with its evidence.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
SAMPLE=$TEE_ROOT/manifests/samples/teedeployment.yaml

begin_stack
mkdir "$DIR/bin"
ln -s "$BUILD/bin/kubectl-tee" "$DIR/bin/kubectl-tee"
PATH=$DIR/bin:$PATH

# exits NAME CODE LAST COMMAND...: the exit code, and the start of the output's last line.
exits() {
  local name=$1 code=$2 last=$3 output status=0
  shift 3
  output=$("$@" 2>&1) || status=$?
  if ((status == code)) && [[ ${output##*$'\n'} == "$last"* ]]; then
    pass "$name"
  else
    fail "$name" "exit $status, wanted $code and: $last" "got: $output"
  fi
}

kubectl apply -f "$TEE_ROOT/manifests/crd.yaml" >/dev/null
await_crd
kubectl apply -f "$SAMPLE" >/dev/null
expect "kubectl finds the plugin" "Usage: kubectl tee COMMAND" kubectl tee --help
exits "object that is not there" 2 'Error from server (NotFound): teedeployments.tee.dev "x" not found' kubectl tee show x
exits "verify: object that is not there" 2 'Error from server (NotFound): teedeployments.tee.dev "x" not found' kubectl tee verify x
exits "another namespace" 2 'Error from server (NotFound)' kubectl tee show hello -n kube-system
exits "context that does not exist" 2 'error: ' kubectl tee show hello --context nosuch
exits "API server away" 2 'error: ' kubectl tee show hello --kubeconfig <(sed 's|server: .*|server: https://127.0.0.1:1|' "$KUBECONFIG")

# A kubeconfig whose user is a program, as those of EKS are; kubectl itself shows that it is a right one.
cat >"$DIR/who" <<SH
#!/bin/sh
echo "\$1" >>"$DIR/who-was-asked"
printf '{"apiVersion":"%s","kind":"ExecCredential","status":{"token":"%s"}}' client.authentication.k8s.io/v1 "$TOKEN"
SH
chmod 700 "$DIR/who"
kubectl config view --raw --output json | jq '.users[].user = {exec: {apiVersion: "client.authentication.k8s.io/v1",
  interactiveMode: "Never", command: "./who", args: ["$(id) two words"]}}' >"$DIR/exec.kubeconfig"
exits "credential plugin: kubectl" 0 "teedeployment.tee.dev/hello" kubectl get teedeployment hello --output name --kubeconfig "$DIR/exec.kubeconfig"
expect "credential plugin" "no controller has looked at this object" kubectl tee show hello --kubeconfig "$DIR/exec.kubeconfig"
expect "its arguments went through no shell" "2" grep -cFx '$(id) two words' "$DIR/who-was-asked"
sed -i 's/"token":/"tokan":/' "$DIR/who"
exits "credential plugin that gives nothing" 2 'error: ' kubectl tee show hello --kubeconfig "$DIR/exec.kubeconfig"

expect "show before any controller" "no controller has looked at this object" kubectl tee show hello
exits "verify before any controller" 2 'error: default/hello holds no evidence yet' kubectl tee verify hello
exits "pin before any controller" 2 'error: default/hello holds no evidence' kubectl tee pin hello

start_sim
: >"$DIR/controller.log"
start_controller
kubectl wait --for=condition=Ready teedeployment/hello --timeout=60s >/dev/null
tee_verify() { kubectl tee verify "$@" --root "$SIM_ROOT"; }
request() { kubectl annotate --overwrite teedeployment hello "tee.dev/reconcile-requested-at=$(date -u +%FT%T.%NZ)" >/dev/null; }
INSTANCE=$(field hello '{.status.instance.id}')
PCR0=$(field hello '{.status.attestation.pcrs[0].sha384}')
WRONG=$(printf 'ab%.0s' {1..48})

expect "show: the verdict" "Verdict       Verified: " kubectl tee show hello
expect "show: PCR0 and the set that expects it" "0     $PCR0  v1" kubectl tee show hello
expect "show: the leaf certificate" ".us-east-1.aws" kubectl tee show teed/hello
expect "show -o json is JSON" '"v1"' jq '.attestation.pcrs[0].expectedBy' <<<"$(kubectl tee show hello -o json)"
expect "show -o yaml" "verdict: Verified" kubectl tee show hello -o yaml

exits "verify NAME" 0 "VerifiedWithoutNonce" tee_verify hello
exits "verify teed/NAME" 0 "VerifiedWithoutNonce" tee_verify teed/hello
expect "verify: status and evidence agree" "agrees with its evidence" tee_verify hello
exits "verify: AWS's root did not sign this" 1 "Rejected: UntrustedRoot: " kubectl tee verify hello
exits "verify --pcr: another image" 1 "Rejected: PCRMismatch: " tee_verify hello --pcr "0=$WRONG"
exits "verify --pcr: this image" 0 "VerifiedWithoutNonce" tee_verify hello --pcr "0=$PCR0"
exits "verify --nonce: another nonce" 1 "Rejected: NonceMismatch: " tee_verify hello --nonce 00ff
exits "verify --instance-id: another instance" 1 "Rejected: WrongInstance: " tee_verify hello --instance-id i-0fedcba9876543210
exits "verify --role-arn: another role" 1 "Rejected: WrongRole: " tee_verify hello --role-arn arn:aws:iam::000000000000:role/other
exits "verify --at: before it was signed" 1 "Rejected: FromFuture: " tee_verify hello --at 2025-01-02T03:04:05Z
exits "verify --at now --max-age" 0 "VerifiedWithoutNonce" tee_verify hello --at now --max-age 600
kubectl get teedeployment hello -o jsonpath='{.status.attestation.evidence}' >"$DIR/evidence.b64"
exits "verify FILE without expectation" 1 "Rejected: NoExpectedPCRs: " tee_verify "$DIR/evidence.b64"
exits "verify FILE" 0 "VerifiedWithoutNonce" tee_verify "$DIR/evidence.b64" --pcr "0=$PCR0" --instance-id "$INSTANCE"
base64 -d "$DIR/evidence.b64" >"$DIR/evidence.cbor"
exits "verify - (standard input)" 0 "VerifiedWithoutNonce" tee_verify - --pcr "0=$PCR0" <"$DIR/evidence.cbor"
exits "verify --live" 0 "Verified" tee_verify hello --live
expect "verify --live: with a nonce" "Nonce         the one that was asked with" tee_verify hello --live
exits "verify --live --address" 0 "Verified" tee_verify hello --live --address "$(field hello '{.status.instance.privateIP}'):$ATTESTATION_PORT"
exits "verify --live: nobody there" 2 "error: --live at 127.64.255.254:9: " tee_verify hello --live --address 127.64.255.254:9
sim POST "instances/$INSTANCE" '{"enclave":{"defect":"replayNonce"}}' >/dev/null
exits "verify --live: a replayed document" 1 "Rejected: NonceMismatch: " tee_verify hello --live
sim POST "instances/$INSTANCE" '{"enclave":{"defect":"endless"}}' >/dev/null
exits "verify --live: an endless answer" 1 "Rejected: MalformedDocument: " tee_verify hello --live
sim POST "instances/$INSTANCE" '{"enclave":{"clear":true}}' >/dev/null

# What somebody with the right to write the status could do, while no controller puts it right.
end_process controller
kubectl get teedeployment hello -o json | jq '{status: (.status | .attestation.reason //= null)}' >"$DIR/good.json"
patch_status() { kubectl patch teedeployment hello --subresource=status --type=merge -p "$1" >/dev/null; }
tampered() { # tampered NAME LAST PATCH: not verified for that reason, and not pinned at all
  patch_status "$3"
  exits "tampered: $1" 1 "$2" tee_verify hello
  exits "tampered: $1: not pinned" 1 "error: " kubectl tee pin hello --root "$SIM_ROOT"
  patch_status "$(<"$DIR/good.json")"
}
tampered "PCR0" "Rejected: StatusMismatch: status does not agree with its evidence: PCR0 is abab" \
  "$(jq --arg x "$WRONG" '.status.attestation.pcrs[0].sha384 = $x | {status: {attestation: {pcrs: .status.attestation.pcrs}}}' "$DIR/good.json")"
tampered "module id" "Rejected: StatusMismatch: status does not agree with its evidence: moduleID" '{"status":{"attestation":{"moduleID":"i-other"}}}'
tampered "public key" "Rejected: StatusMismatch: status does not agree with its evidence: publicKey.value" '{"status":{"attestation":{"publicKey":{"value":"AAAA"}}}}'
tampered "digest of the evidence" "Rejected: StatusMismatch: status does not agree with its evidence: evidenceSHA256" \
  "{\"status\":{\"attestation\":{\"evidenceSHA256\":\"$(printf '0%.0s' {1..64})\"}}}"
tampered "verdict" "Rejected: StatusMismatch: status does not agree with its evidence: verdict is PCRMismatch in status, VerifiedWithoutNonce" \
  '{"status":{"attestation":{"verdict":"Rejected","reason":"PCRMismatch"}}}'
tampered "a verdict that lapsed" "Rejected: Lapsed: " '{"status":{"attestation":{"validUntil":"2026-01-02T03:04:05Z"}}}'
tampered "instance" "Rejected: WrongInstance: " '{"status":{"instance":{"id":"i-0fedcba9876543210"}}}'
# The last byte of the document is one of its signature.
printf '%s' "$(($(od -An -tu1 -j $(($(stat -c %s "$DIR/evidence.cbor") - 1)) "$DIR/evidence.cbor") ^ 1))" >"$DIR/byte"
head -c -1 "$DIR/evidence.cbor" >"$DIR/bad.cbor"
printf "\\x$(printf %02x "$(<"$DIR/byte")")" >>"$DIR/bad.cbor"
tampered "evidence, one bit" "Rejected: BadSignature: " "{\"status\":{\"attestation\":{\"evidence\":\"$(base64 -w0 "$DIR/bad.cbor")\"}}}"
tampered "evidence and its digest" "Rejected: BadSignature: " \
  "{\"status\":{\"attestation\":{\"evidence\":\"$(base64 -w0 "$DIR/bad.cbor")\",\"evidenceSHA256\":\"$(sha256sum "$DIR/bad.cbor" | cut -d' ' -f1)\"}}}"
patch_status '{"status":{"attestation":{"message":"\u001b[31mred\nforged: line"}}}'
expect "show: no terminal escapes" 'Verdict       Verified: \x1b[31mred\nforged: line' kubectl tee show hello
patch_status "$(<"$DIR/good.json")"
exits "put right" 0 "VerifiedWithoutNonce" tee_verify hello

# pin: an object without expectation, then with what was pinned.
start_controller
sed -e '/measurements:/,$d' -e 's/name: hello/name: bare/' "$SAMPLE" | sed '/^    #/d' >"$DIR/bare.yaml"
printf '    protocol: Native\n' >>"$DIR/bare.yaml"
kubectl apply -f "$DIR/bare.yaml" >/dev/null
wait_until 60 "the object without expectation is attested" is bare "$(condition Attested reason)" NoExpectedPCRs
exits "verify: no expectation" 1 "Rejected: NoExpectedPCRs: " tee_verify bare
expect "pin warns" "warning: this declares what default/bare runs now as expected" kubectl tee pin bare --root "$SIM_ROOT"
exits "pin: AWS's root did not sign this" 1 "error: the evidence of default/bare is rejected: UntrustedRoot: " kubectl tee pin bare
kubectl tee pin bare --root "$SIM_ROOT" 2>/dev/null >"$DIR/block.yaml"
expect "pin: PCR0 is in the block" "sha384: \"$PCR0\"" cat "$DIR/block.yaml"
sed 's/^/    /' "$DIR/block.yaml" >>"$DIR/bare.yaml"
kubectl apply -f "$DIR/bare.yaml" >/dev/null
expect "the pinned block makes it Ready" "met" kubectl wait --for=condition=Ready teedeployment/bare --timeout=60s
exits "verify: as pinned" 0 "VerifiedWithoutNonce" tee_verify bare
sim POST "instances/$INSTANCE" '{"enclave":{"defect":"wrongPcr"}}' >/dev/null
request
wait_until 30 "the wrong PCR is seen" is hello "$(condition Attested reason)" PCRMismatch
exits "verify: the controller's rejection repeated" 1 "Rejected: PCRMismatch: " tee_verify hello
expect "verify: it agrees" "agrees with its evidence" bash -c "kubectl tee verify hello --root '$SIM_ROOT' || true"
expect "show: the PCR that differs" "differs" kubectl tee show hello
sim POST "instances/$INSTANCE" '{"enclave":{"defect":"replayNonce"}}' >/dev/null
request
wait_until 30 "the replay is seen" is hello "$(condition Attested reason)" NonceMismatch
exits "verify: a replay that only the controller could see" 1 "Rejected: NonceMismatch: the controller rejected this document" tee_verify hello
exits "pin: a replay is not pinned" 1 "error: default/hello must not be pinned: the verdict is NonceMismatch" kubectl tee pin hello --root "$SIM_ROOT"
finish
