#!/usr/bin/env bash
# The script of the user data and every program that it writes please shellcheck; the units that it writes please
# `systemd-analyze verify`. The script runs with its folders moved, so neither root nor a namespace is needed.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.sh"

PROBE=$1
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
SKIPPED=0

skip() {
  SKIPPED=$((SKIPPED + 1))
  printf 'SKIP %s\n' "$1"
}

# The folders of the real root, below $WORK; systemctl does nothing.
write_files() {
  mkdir -p "$WORK"/{etc/systemd/system,run,var/lib,usr/libexec,bin}
  ln -s /bin/true "$WORK/bin/systemctl"
  sed -E "s#(^|[ ='\">-])/(etc|run|var/lib|usr/libexec)/#\1$WORK/\2/#g" "$WORK/script" >"$WORK/moved"
  PATH=$WORK/bin:$PATH bash "$WORK/moved"
  sed -i "s#/usr/bin/nitro-cli#$WORK/bin/systemctl#" "$WORK"/etc/systemd/system/*
}

check_shell() {
  local program
  if ! command -v shellcheck >/dev/null; then
    skip "shellcheck: not installed, see hack/deps.sh check"
    return
  fi
  expect "shellcheck: the script" "" shellcheck "$WORK/script"
  for program in connect host; do
    sed -n "/libexec.tee.$program <<'EOF'/,/^EOF\$/p" "$WORK/script" | sed '1d;$d' >"$WORK/$program"
    expect "shellcheck: $program" "" shellcheck --shell bash "$WORK/$program"
  done
}

# systemd knows no unit of Amazon Linux here, so an absent one is no error; --recursive-errors=no says so.
check_units() {
  local unit output
  if ! command -v systemd-analyze >/dev/null; then
    skip "systemd-analyze: not installed"
    return
  fi
  for unit in config attest packages eif enclave forward@ egress@; do
    if output=$(systemd-analyze verify --man=no --generators=no --recursive-errors=no \
      "$WORK/etc/systemd/system/tee-${unit/@/@0}.service" 2>&1) && [[ $output != *"$WORK"* ]]; then
      pass "systemd-analyze: tee-$unit"
    else
      fail "systemd-analyze: tee-$unit" "$output"
    fi
  done
}

# A unit that is wrong must not pass, or the checks above prove nothing.
check_verifier() {
  command -v systemd-analyze >/dev/null || return 0
  sed 's/^Restart=.*/Restart=perhaps/' "$WORK/etc/systemd/system/tee-config.service" >"$WORK/tee-wrong.service"
  expect "systemd-analyze: sees a wrong value" "perhaps" \
    systemd-analyze verify --man=no --generators=no "$WORK/tee-wrong.service"
}

"$PROBE" userdata >"$WORK/script" <<'JSON'
{"image":"registry.example/app","enclave":{"cpuCount":2,"memoryMiB":512},"attestation":{"protocol":"Native","port":1300}}
JSON
write_files
check_shell
check_units
check_verifier
finish
((SKIPPED == 0)) || exit 77
