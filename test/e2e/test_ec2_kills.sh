#!/usr/bin/env bash
# The built controller is killed at every visible step: ec2_kills.py says how, and what its variables are.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
TEE_BUILD_DIR=${TEE_BUILD_DIR:-$TEE_ROOT/build}
export TEE_BUILD_DIR

begin
kubectl apply -f "$TEE_ROOT/manifests/crd.yaml" >/dev/null
await_crd
python3 "$TEE_ROOT/test/e2e/ec2_kills.py" "$WORK" "$TEE_KUBE_DIR"
