#!/usr/bin/env bash
# The rules of CONTRIBUTING.md that a script can see: layers, sizes, banned functions, format. A few seconds.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$TEE_ROOT"
status=0
python3 hack/lint.py || status=1

mapfile -t sources < <(find cmd pkg test -name '*.[ch]' 2>/dev/null | sort)
clang-format-14 --dry-run --Werror "${sources[@]}" || status=1

while read -r script; do
  bash -n "$script" || status=1
done < <(find hack test .ci -name '*.sh' -o -path .ci/run | sort)

((status == 0)) || die "what is named above breaks a rule of CONTRIBUTING.md"
say "lint: ${#sources[@]} C files keep the rules"
