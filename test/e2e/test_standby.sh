#!/usr/bin/env bash
# A leader that stops or is killed, and the standby that takes over: standby.py.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
TEE_BUILD_DIR=${TEE_BUILD_DIR:-$TEE_ROOT/build}
export TEE_BUILD_DIR PYTHONDONTWRITEBYTECODE=1

begin_planes 1
python3 "$TEE_ROOT/test/e2e/standby.py" "$WORK" "${PLANES[@]}"
