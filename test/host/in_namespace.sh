#!/usr/bin/env bash
# in_namespace.sh PROGRAM PROBE: runs a Python program of this folder where it may mount and has a network of its own,
# with an empty folder as its second argument. Root's own namespaces, or those of a user namespace; where neither is
# permitted the test is skipped.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PROGRAM=$1 PROBE=$2

skip() {
  printf 'SKIP %s: %s\n' "$PROGRAM" "$1"
  exit 77
}

for tool in unshare python3 jq curl ip; do
  command -v "$tool" >/dev/null || skip "$tool is not installed, see hack/deps.sh"
done
for kind in "" "--user --map-root-user"; do
  # shellcheck disable=SC2086 # The options are words.
  if unshare $kind --mount --net --propagation private mount -t tmpfs none /mnt 2>/dev/null; then
    FOLDER=$(mktemp -d)
    trap 'rmdir "$FOLDER"' EXIT
    # shellcheck disable=SC2086
    PYTHONDONTWRITEBYTECODE=1 unshare $kind --mount --net --propagation private \
      python3 "$HERE/$PROGRAM" "$PROBE" "$FOLDER"
    exit
  fi
done
skip "no namespaces for mounts and network are permitted here"
