#!/usr/bin/env bash
# Stories about EC2 through the built controller, real API servers and tee-sim: ec2_stories.py and the modules it names.
# STORIES=full tells them with the times and numbers of their titles. Arguments are the names of stories.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
TEE_BUILD_DIR=${TEE_BUILD_DIR:-$TEE_ROOT/build}
export TEE_BUILD_DIR

begin_planes 2
python3 "$TEE_ROOT/test/e2e/ec2_stories.py" "$WORK" "${PLANES[@]}" "$@"
