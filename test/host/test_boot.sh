#!/usr/bin/env bash
# The user data executed in a root of its own: see boot.py.
exec "$(dirname "${BASH_SOURCE[0]}")/in_namespace.sh" boot.py "$@"
