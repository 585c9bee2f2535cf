#!/usr/bin/env bash
# hack/kube.sh itself: a plane keeps to its folder, sees nothing of the caller's environment and leaves nothing behind.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

KUBE=$TEE_ROOT/hack/kube.sh
# What a user may have set, and what must reach neither the programs nor the kubeconfigs.
export AWS_SECRET_ACCESS_KEY=leaked KUBECONFIG=/leaked HTTPS_PROXY=http://leaked.invalid:1
begin

pid_of() { cat "$TEE_KUBE_DIR/$1.pid"; }
for name in etcd kube-apiserver; do
  expect "$name runs with HOME and PATH alone" "HOME PATH" \
    sh -c "tr '\\0' '\\n' </proc/$(pid_of "$name")/environ | cut -d= -f1 | grep -v ^_$ | sort | xargs"
  expect "$name has no file of the caller open" 0 sh -c \
    "ls -l /proc/$(pid_of "$name")/fd | grep -c '$TEE_ROOT' || true"
done
expect "it listens on loopback alone" "" sh -c \
  "! tr '\\0' '\\n' </proc/$(pid_of kube-apiserver)/cmdline | grep -E 'address=' | grep -v =127.0.0.1"
expect "RBAC is on" no bash -c "kubectl --kubeconfig '$CONTROLLER_KUBECONFIG' auth can-i get secrets || true"
expect "the controller's token is bound to its account" system:serviceaccount:tee-system:tee-controller \
  kubectl --kubeconfig "$CONTROLLER_KUBECONFIG" auth whoami
expect "env says the same as up" "$KUBECONFIG" "$KUBE" env
expect_failure "a running plane is not started twice" "already runs" "$KUBE" up "$TEE_KUBE_DIR"

# A second plane beside the first, in a folder that is not its own to remove.
second=$WORK/second
mkdir "$second"
echo mine >"$second/file"
expect "a second plane" "TEE_KUBE_DIR=$second" "$KUBE" up "$second"
kill -KILL "$(cat "$second/kube-apiserver.pid")"
expect "a plane whose API server died is started anew" "TEE_KUBE_DIR=$second" "$KUBE" up "$second"
survivor=$(cat "$second/etcd.pid")
port=$(sed -n 's/.*--listen-client-urls=[^,]*:\([0-9]*\).*/\1/p' <(tr '\0' '\n' <"/proc/$survivor/cmdline"))
KUBECONFIG=$second/user.kubeconfig kubectl create namespace shared >/dev/null
expect "another API server on its etcd" "TEE_KUBE_DIR=$second/second" "$KUBE" second "$second" "$port"
expect "has the same objects" namespace/shared kubectl --kubeconfig "$second/second/user.kubeconfig" get namespace shared -o name
expect "and the same accounts" system:serviceaccount:tee-system:tee-controller \
  kubectl --kubeconfig "$second/second/controller.kubeconfig" auth whoami
expect_failure "which is not started twice" "already runs" "$KUBE" second "$second" "$port"
other=$(cat "$second/second/kube-apiserver.pid")
expect "down" "" "$KUBE" down "$second"
expect "down leaves what it did not make" "file" ls -A "$second"
# A dead process that its new parent has not collected yet has no command line.
for pid in "$survivor" "$other"; do
  expect "its programs are gone" "" sh -c "! grep -qs . /proc/$pid/cmdline"
done
expect "and the first plane still runs" ok kubectl get --raw /readyz
expect_failure "down of no plane says so" "no control plane was started" "$KUBE" down "$second"
expect_failure "env of no plane says so" "no control plane runs" "$KUBE" env "$second"
expect_failure "and so does second" "no control plane runs" "$KUBE" second "$second" "$port"
expect_failure "an unknown tool is named" "unknown tool 'kubelet'" "$KUBE" tool kubelet
expect_failure "usage" "usage: hack/kube.sh" "$KUBE" start

finish
