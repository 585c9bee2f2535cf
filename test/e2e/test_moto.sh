#!/usr/bin/env bash
# Our EC2 client against moto, an EC2 written by others. The client alone and not the controller: what that rests on, a
# token that launches once and finds its launch again, moto lacks (it launches twice, and its filter client-token answers 500).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../hack/lib.sh"
BUILD=${TEE_BUILD_DIR:-$TEE_ROOT/build}
FOLDER=$("$TEE_ROOT/hack/venv.sh" find) || exit $?
unset "${!AWS_@}" HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy
exec "$FOLDER/bin/python" "$TEE_ROOT/test/e2e/moto_calls.py" "$BUILD/bin/ec2_probe" "$BUILD/bin/kubectl-tee" "$FOLDER/bin/moto_server"
