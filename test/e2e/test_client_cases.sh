#!/usr/bin/env bash
# The trickiest cases of a Kubernetes client through the built controller, fault proxies, real API servers with their audit
# logs, etcd and tee-sim: run_client_cases.py. STORIES=full tells them with the numbers of their titles. Arguments are the names of cases.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
TEE_BUILD_DIR=${TEE_BUILD_DIR:-$TEE_ROOT/build}
export TEE_BUILD_DIR PYTHONDONTWRITEBYTECODE=1 TEE_KUBE_AUDIT=1

begin_planes 3
TEE_KUBE_FEATURE_GATES=WatchList=false add_plane
python3 "$TEE_ROOT/test/e2e/run_client_cases.py" "$WORK" "${PLANES[@]}" -- "$@"
