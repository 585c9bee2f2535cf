# What the end-to-end tests written in shell share. Sourced; the caller has set -euo pipefail.
#
# A test calls begin or begin_stack, then checks, then finish. begin starts a control plane of the test's own and takes it down when
# the script ends, however it ends. Checks count and go on; what a later line needs is written without a check.

. "$(dirname "${BASH_SOURCE[0]}")/../../hack/lib.sh"

PASSED=0
FAILED=0

begin() {
  local environment
  environment=$("$TEE_ROOT/hack/kube.sh" up)
  eval "$environment"
  trap 'end_plane' EXIT
  trap 'exit 130' INT TERM
  WORK=$TEE_KUBE_DIR/work
  mkdir -p "$WORK"
  unset "${!AWS_@}" HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy
  TEE_CACHE_DIR=$(tee_cache)
  export TEE_CACHE_DIR HOME=$TEE_KUBE_DIR/home
  SERVER=$(sed -n 's/^ *server: //p' "$KUBECONFIG")
  TOKEN=$(sed -n 's/.*{token: \(.*\)}/\1/p' "$CONTROLLER_KUBECONFIG")
}

# As begin, for the tests with processes of hack/stack.sh, which end before the plane.
begin_stack() {
  . "$TEE_ROOT/hack/stack.sh"
  BUILD=${TEE_BUILD_DIR:-$TEE_ROOT/build}
  begin
  DIR=$WORK
  mkdir -p "$DIR/home"
  trap 'end_stack' EXIT
}

# As begin, with COUNT control planes, their folders in PLANES, and the definition of the resource on each.
begin_planes() { # begin_planes COUNT
  begin
  PLANES=("$TEE_KUBE_DIR")
  trap 'end_planes' EXIT
  while ((${#PLANES[@]} < $1)); do add_plane; done
  define_on "$TEE_KUBE_DIR"
}

# One more, of whatever kind the variables of hack/kube.sh say.
add_plane() {
  local folder=$WORK/plane-${#PLANES[@]}
  PLANES+=("$folder")
  "$TEE_ROOT/hack/kube.sh" up "$folder" >/dev/null
  define_on "$folder"
}

define_on() { # define_on FOLDER
  KUBECONFIG=$1/user.kubeconfig kubectl apply -f "$TEE_ROOT/manifests/crd.yaml" >/dev/null
  KUBECONFIG=$1/user.kubeconfig await_crd
}

end_planes() {
  local folder
  for folder in "${PLANES[@]:1}"; do
    [[ ! -e $folder ]] || "$TEE_ROOT/hack/kube.sh" down "$folder"
  done
  end_plane
}

end_stack() {
  local name
  for name in watch controller sim moto; do end_process "$name"; done
  end_plane
}

end_plane() { "$TEE_ROOT/hack/kube.sh" down "$TEE_KUBE_DIR"; }

pass() {
  PASSED=$((PASSED + 1))
  printf 'ok   %s\n' "$1"
}

fail() { # fail NAME DETAIL...
  FAILED=$((FAILED + 1))
  printf 'FAIL %s\n' "$1"
  shift
  printf '%s\n' "$@" | sed -e '20q' -e 's/^/     /' | cut -c1-600
}

finish() {
  printf '%s passed, %s failed\n' "$PASSED" "$FAILED"
  ((FAILED == 0))
}

# expect NAME WANTED COMMAND...: the command succeeds and its output holds the wanted text.
expect() {
  local name=$1 wanted=$2 output
  shift 2
  if output=$("$@" 2>&1) && [[ $output == *"$wanted"* ]]; then
    pass "$name"
  else
    fail "$name" "wanted: $wanted" "got: $output"
  fi
}

# expect_failure NAME WANTED COMMAND...: the command fails and says so with the wanted text.
expect_failure() {
  local name=$1 wanted=$2 output
  shift 2
  if output=$("$@" 2>&1); then
    fail "$name" "succeeded: $output"
  elif [[ $output == *"$wanted"* ]]; then
    pass "$name"
  else
    fail "$name" "wanted: $wanted" "got: $output"
  fi
}

# request AS METHOD PATH [CONTENT-TYPE]: one call to the API server with the body from stdin; prints the answer's body
# and, on a last line, its code. AS is user (administrator) or controller (the service account).
request() {
  local -a who=(--cert "$TEE_KUBE_DIR/pki/user.crt" --key "$TEE_KUBE_DIR/pki/user.key") body=()
  [[ $1 == user ]] || who=(--header @-)
  [[ $2 == GET || $2 == DELETE ]] || body=(--header "Content-Type: ${4:-application/json}" --data-binary @"$WORK/body")
  [[ ${#body[@]} -eq 0 ]] || cat >"$WORK/body"
  curl --silent --noproxy '*' --max-time 10 --cacert "$TEE_KUBE_DIR/pki/ca.crt" --request "$2" "${who[@]}" "${body[@]}" \
    --write-out '\n%{http_code}\n' "$SERVER$3" <<<"Authorization: Bearer $TOKEN"
}
