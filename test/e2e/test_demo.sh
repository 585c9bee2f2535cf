#!/usr/bin/env bash
# The demo is a test: every step of its story must be reached.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/../../hack/demo.sh" --once
