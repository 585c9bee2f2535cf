#!/usr/bin/env bash
# Installs the Debian or Ubuntu packages that the project needs, and only those that are missing.
# When nothing is missing it needs neither root nor network.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Compilers and libraries of the programs and their unit tests.
BUILD=(gcc libc6-dev cmake ninja-build pkg-config
  libcurl4-openssl-dev libssl-dev libjansson-dev libyaml-dev libwebsockets-dev libexpat1-dev libsodium-dev libcmocka-dev)
# The second compiler, the sanitizers' and fuzzers' runtime, what hack/lint.sh runs, test/differential's other CBOR and the maker of
# hack/venv.sh's folder, and
# what test/host reads and executes the user data with.
CHECK=(clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev python3 python3-cbor2 python3-venv git
  shellcheck socat jq curl iproute2 util-linux)
# The control plane and the scripts of demo and end-to-end tests. util-linux brings flock and setsid, procps ps.
KUBE=(jq curl openssl ca-certificates python3 python3-pip python3-venv git util-linux procps)

usage() {
  say "usage: hack/deps.sh [build|check|kube|all]...   (default: all)"
  exit 2
}

missing_packages() {
  local installed package
  installed=$(dpkg-query --show --showformat '${db:Status-Abbrev}${binary:Package}\n' "$@" 2>/dev/null |
    sed -n 's/^ii \([^:]*\).*/\1/p') || true
  for package in "$@"; do
    grep -qxF "$package" <<<"$installed" || printf '%s\n' "$package"
  done
}

# The caller's environment is kept: a mirror or proxy that apt needs may be set there.
as_root() {
  if ((EUID == 0)); then
    "$@"
  else
    sudo --preserve-env "$@"
  fi
}

install_packages() {
  local log
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  with_progress "apt-get update" "$log" as_root apt-get update -qq || die "is the network, or a mirror, reachable?"
  with_progress "apt-get install" "$log" as_root apt-get install -y -qq --no-install-recommends "$@" ||
    die "apt-get could not install: $*"
  rm -f "$log"
}

check_cmake() {
  local version
  version=$(cmake --version | sed -n '1s/[^0-9]*//p')
  [[ $(printf '3.25\n%s\n' "$version" | sort -V | head -n 1) == 3.25 ]] ||
    die "cmake >= 3.25 is needed and this is $version; use Debian 12, Ubuntu 24.04 or newer"
}

command -v dpkg-query >/dev/null || die "only Debian and Ubuntu are known here; the package names are in this file"
wanted=()
(($# > 0)) || set -- all
for set in "$@"; do
  case $set in
    build) wanted+=("${BUILD[@]}") ;;
    check) wanted+=("${CHECK[@]}") ;;
    kube) wanted+=("${KUBE[@]}") ;;
    all) wanted+=("${BUILD[@]}" "${CHECK[@]}" "${KUBE[@]}") ;;
    *) usage ;;
  esac
done
mapfile -t MISSING < <(missing_packages "${wanted[@]}" | sort -u)
if ((${#MISSING[@]} > 0)); then
  ((EUID == 0)) || command -v sudo >/dev/null ||
    die "packages are missing, and neither root nor sudo is at hand; as root run: apt-get install ${MISSING[*]}"
  say "installing ${#MISSING[@]} packages: ${MISSING[*]}"
  install_packages "${MISSING[@]}"
fi
[[ " ${wanted[*]} " != *" cmake "* ]] || check_cmake
