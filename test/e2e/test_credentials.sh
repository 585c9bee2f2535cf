#!/usr/bin/env bash
# The built controller with the credentials of a pod: a service account's token for STS (IRSA), one for the agent of
# EKS Pod Identity, and a profile. The API server issues the tokens, tee-sim judges them.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

begin_stack
kubectl apply -f "$TEE_ROOT/manifests/crd.yaml" >/dev/null
await_crd
start_sim

token() { kubectl create token tee-controller --namespace tee-system --audience "$1" --duration 3h >"$DIR/token"; }
start_with() { # start_with VARIABLE=VALUE...
  : >"$DIR/controller.log"
  run_controller AWS_ENDPOINT_URL="$SIM" AWS_EC2_METADATA_DISABLED=true "$@" -- "${QUICK_LEASE[@]}" --inventory-interval 1
  wait_until 10 "the controller serves" has_port
}
won() { jq -r 'select(.msg == "AWS credentials were found") | .provider' "$DIR/controller.log"; }
holds_secret() { grep -qF -e "$(cut -d. -f3 "$DIR/token")" "$DIR/controller.log"; }

works() { # works NAME PROVIDER
  if wait_until 30 "$1: the controller is ready" is_ready && [[ $(won) == "$2" ]]; then
    pass "$1: ready, and the log names the provider once"
  else
    fail "$1" "provider: $(won)" "$(tail -n 3 "$DIR/controller.log")"
  fi
  if holds_secret; then fail "$1: no token in the log" "it is there"; else pass "$1: no token in the log"; fi
  end_process controller
}
refused() { # refused NAME WANTED
  if wait_until 20 "$1: the log says why" grep -qF "$2" "$DIR/controller.log" && ! is_ready; then
    pass "$1: not ready, and the log says why"
  else
    fail "$1" "wanted: $2" "$(tail -n 3 "$DIR/controller.log")"
  fi
  end_process controller
}

WEB=(AWS_WEB_IDENTITY_TOKEN_FILE="$DIR/token" AWS_ROLE_SESSION_NAME=e2e)
ROLE=arn:aws:iam::000000000000:role/tee-controller
token sts.amazonaws.com
start_with "${WEB[@]}" AWS_ROLE_ARN=$ROLE
works "web identity" web-identity
expect "web identity: STS was asked" AssumeRoleWithWebIdentity sim GET 'calls?action=AssumeRoleWithWebIdentity'

# While it runs: the key that STS gave ends before its time, and the file holds another token each time it is read.
has_asked() { (($(count_calls "$1") > $2)); }
described() { sim GET 'calls?action=DescribeInstances' | jq '[.. | objects | select(.action? == "DescribeInstances" and .status? == 200)] | length'; }
has_described() { (($(described) > $1)); }
start_with "${WEB[@]}" AWS_ROLE_ARN=$ROLE
wait_until 30 "the controller is ready" is_ready
token pods.eks.amazonaws.com
BEFORE=$(count_calls AssumeRoleWithWebIdentity)
sim DELETE keys >/dev/null
wait_until 30 "STS is asked again" has_asked AssumeRoleWithWebIdentity "$BEFORE" || true
NAME="an ended key, and a token that STS refuses: the log says why" # after a few tries
if wait_until 20 "$NAME" grep -q InvalidIdentityToken "$DIR/controller.log"; then pass "$NAME"; else fail "$NAME" "$(tail -n 3 "$DIR/controller.log")"; fi
token sts.amazonaws.com
READ=$(described)
if wait_until 40 "EC2 answers again" has_described "$READ"; then pass "a good token again: EC2 answers"; else fail "a good token again: EC2 answers" "$(tail -n 3 "$DIR/controller.log")"; fi
if holds_secret; then fail "no token in the log" "it is there"; else pass "no token in the log"; fi
end_process controller
start_with "${WEB[@]}" AWS_ROLE_ARN="$ROLE-denied"
refused "web identity: a role that does not trust" "AssumeRoleWithWebIdentity: AccessDenied"

CONTAINER=(AWS_CONTAINER_CREDENTIALS_FULL_URI="$SIM/v1/credentials" AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="$DIR/token")
start_with "${CONTAINER[@]}"
refused "container: a token for another audience" "container credentials answered with HTTP 400"
token pods.eks.amazonaws.com
start_with "${CONTAINER[@]}"
works "container" container

cat >"$DIR/config" <<TEXT
[default]
role_arn = $ROLE-external
external_id = tee-external
source_profile = base
[profile base]
aws_access_key_id = test
aws_secret_access_key = test
TEXT
start_with AWS_CONFIG_FILE="$DIR/config"
works "profile" profile
sed -i 's/^external_id.*//' "$DIR/config"
start_with AWS_CONFIG_FILE="$DIR/config"
refused "profile: without the external id" "AssumeRole: AccessDenied"
finish
