#!/usr/bin/env bash
# The listener of the attestation port: see listener.py.
[[ -x /usr/bin/socat ]] || { echo "SKIP listener.py: socat is not installed, see hack/deps.sh" && exit 77; }
exec "$(dirname "${BASH_SOURCE[0]}")/in_namespace.sh" listener.py "$@"
