#!/usr/bin/env bash
# ec2_against_botocore.sh EC2_PROBE TEE_SIM: in the virtual environment that has botocore, or skipped.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
FOLDER=$("$HERE/../../hack/venv.sh" find) || exit $?
exec "$FOLDER/bin/python" "$HERE/ec2_against_botocore.py" "$@"
