# What the scripts under hack/ and test/e2e/ share. Sourced, never run; the caller has set -euo pipefail.
# Everything for people goes to stderr, because several scripts print a result on stdout.

TEE_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }

die() {
  say "${0##*/}: $*"
  exit 1
}

# Folder for what is built once per machine. A script that gives itself another HOME exports TEE_CACHE_DIR before.
tee_cache() { printf '%s\n' "${TEE_CACHE_DIR:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/tee-controller}"; }

# with_progress WHAT LOG COMMAND...: runs the command with its output in LOG and says every ten seconds that it
# still works; a command of under ten seconds says nothing. On failure the end of the log is shown.
with_progress() {
  local what=$1 log=$2 started=$SECONDS ticker status=0
  shift 2
  (
    exec 9>&- # The ticker must not keep a lock of its parent.
    # A timed read of an empty pipe instead of sleep: no child is left behind when the ticker is killed.
    while ! read -rt 10 <> <(:) && kill -0 $$ 2>/dev/null; do say "  ... $what: $((SECONDS - started)) s"; done
  ) &
  ticker=$!
  "$@" >"$log" 2>&1 || status=$?
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  if ((status != 0)); then
    say "$what failed (exit $status); the end of $log:"
    tail -n 20 "$log" >&2
  fi
  return "$status"
}

# Waits until the CRD is served. Right after it was made it has no conditions yet, and then kubectl wait fails at once.
await_crd() {
  local limit=$((SECONDS + 30))
  until kubectl wait --for=condition=Established crd/teedeployments.tee.dev --timeout=10s >/dev/null 2>&1; do
    ((SECONDS < limit)) || die "the CRD is not established after 30 s"
    read -rt 0.2 <> <(:) || true
  done
}
