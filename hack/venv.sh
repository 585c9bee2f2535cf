#!/usr/bin/env bash
# The Python packages that tests compare with (moto, botocore), in a virtual environment in the cache folder, one for
# each version of test/python/requirements.txt. pip sees the caller's environment: a mirror may be set there.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  say "usage: hack/venv.sh make    install what is missing, print the folder"
  say "       hack/venv.sh find    print the folder; exit 77 if it was never made"
  exit 2
}

REQUIREMENTS=$TEE_ROOT/test/python/requirements.txt

folder() { printf '%s/python-%s\n' "$(tee_cache)" "$(sha256sum "$REQUIREMENTS" | cut -c1-16)"; }

install() {
  python3 -m venv "$1" && "$1/bin/pip" install --quiet --disable-pip-version-check --requirement "$REQUIREMENTS"
}

# The scripts inside name the folder, so that it cannot be made elsewhere and moved; `complete` comes last.
make_folder() {
  local into=$1
  mkdir -p "$(dirname "$into")"
  exec 9>"$into.lock"
  flock 9
  if [[ ! -e $into/complete ]]; then
    rm -rf "$into"
    with_progress "installing Python packages" "$into.log" install "$into" || return 1
    touch "$into/complete"
  fi
}

(($# == 1)) || usage
FOLDER=$(folder)
case $1 in
  make) make_folder "$FOLDER" || die "the packages of test/python/requirements.txt cannot be installed" ;;
  find)
    if [[ ! -e $FOLDER/complete ]]; then
      say "the Python packages of test/python/requirements.txt are not installed; run hack/venv.sh make"
      exit 77
    fi
    ;;
  *) usage ;;
esac
printf '%s\n' "$FOLDER"
