#!/usr/bin/env bash
# The Kubernetes client library against a real API server: list and watch, status, finalizer, lease, events.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PROBE=${TEE_BUILD_DIR:-$TEE_ROOT/build}/bin/kube_probe
[[ -x $PROBE ]] || die "$PROBE is not built"

begin
kubectl apply -f "$TEE_ROOT/manifests/crd.yaml" -f "$TEE_ROOT/manifests/user-roles.yaml" >/dev/null
await_crd
expect "pkg/kube against the API server" "[  PASSED  ]" "$PROBE"
finish
