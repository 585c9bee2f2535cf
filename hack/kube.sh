#!/usr/bin/env bash
# A real control plane (etcd and kube-apiserver, no controller-manager, no kubelet) for the demo and the tests.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$TEE_ROOT/test/kube/tools.sh"
. "$TEE_ROOT/test/kube/control-plane.sh"

usage() {
  cat >&2 <<'TEXT'
usage: hack/kube.sh tool NAME    build etcd, kube-apiserver, kubectl or helm (or etcd-old, kube-apiserver-old) if need be,
                                 print its path
       hack/kube.sh up [DIR]     start a control plane in DIR (default: a new temporary folder), print its environment
       hack/kube.sh env [DIR]    print the environment of the control plane in DIR (default: $TEE_KUBE_DIR)
       hack/kube.sh down [DIR]   stop it and remove what `up` made
       hack/kube.sh second DIR PORT [second-NAME]   start another API server, in DIR/second or DIR/second-NAME, on the etcd
                                 of the control plane in DIR, which it reaches at PORT of 127.0.0.1, print its environment;
                                 `down DIR` stops them all

With TEE_KUBE_AUDIT=1 `up` and `second` keep an audit log of the API server, audit.log in the folder.
TEE_KUBE_FEATURE_GATES is the API server's --feature-gates; TEE_KUBE_ETCD and TEE_KUBE_APISERVER name other programs than
those pinned.

In a shell:  environment=$(hack/kube.sh up) && eval "$environment"; kubectl get namespaces; hack/kube.sh down
TEXT
  exit 2
}

print_env() {
  local dir=$1
  printf 'export TEE_KUBE_DIR=%q\n' "$dir"
  printf 'export KUBECONFIG=%q\n' "$dir/user.kubeconfig"
  printf 'export CONTROLLER_KUBECONFIG=%q\n' "$dir/controller.kubeconfig"
  printf 'export KUBECACHEDIR=%q\n' "$dir/kubectl-cache"
  printf 'export PATH=%q:"$PATH"\n' "$(dirname "$(tool_path kubectl)")"
}

# Only a folder that `up` filled carries the marker; its content tells whether the folder itself is ours to remove.
marker() { printf '%s/.tee-control-plane\n' "$1"; }

command_down() {
  local dir=$1
  [[ -f $(marker "$dir") ]] || die "no control plane was started in '$dir'"
  plane_stop_programs "$dir"
  if [[ $(cat "$(marker "$dir")") == made ]]; then
    rm -rf "$dir"
  else
    rm -rf "$dir"/{etcd,pki,home,kubectl-cache} "$dir"/second* "$dir"/{etcd,kube-apiserver,openssl,setup,audit}.log "$dir/audit-policy.yaml" \
      "$dir"/{user,controller}.kubeconfig "$(marker "$dir")"
  fi
}

give_up() {
  trap - EXIT
  command_down "$1"
  die "the control plane did not start"
}

command_up() {
  local dir=$1 made=found tool
  for tool in etcd kubectl kube-apiserver; do tool_path "$tool" >/dev/null; done
  if [[ -z $dir ]]; then
    dir=$(mktemp -d "${TMPDIR:-/tmp}/tee-kube.XXXXXX")
    made=made
  elif [[ ! -e $dir ]]; then
    mkdir -p "$dir"
    made=made
  fi
  dir=$(cd "$dir" && pwd)
  if [[ -f $(marker "$dir") ]]; then
    plane_is_up "$dir" && die "a control plane already runs in '$dir'"
    made=$(cat "$(marker "$dir")")
    command_down "$dir"
    mkdir -p "$dir"
  fi
  echo "$made" >"$(marker "$dir")"
  trap 'give_up "$TEE_KUBE_STARTING"' EXIT
  trap 'exit 130' INT TERM
  TEE_KUBE_STARTING=$dir
  plane_start "$dir" || exit 1
  trap - EXIT INT TERM
  print_env "$dir"
}

command_second() {
  local dir=$1 folder=$3
  plane_is_up "$dir" || die "no control plane runs in '$dir'"
  dir=$(cd "$dir" && pwd)
  ! plane_is_up "$dir/$folder" || die "an API server already runs in '$dir/$folder'"
  plane_start_second "$dir" "$2" "$folder" || exit 1
  print_env "$dir/$folder"
}

[[ $# -ge 1 && $# -le 4 ]] || usage
case $1 in
  tool)
    [[ $# -eq 2 ]] || usage
    tool_path "$2"
    ;;
  up) command_up "${2:-}" ;;
  second)
    [[ $# -ge 3 ]] || usage
    command_second "$2" "$3" "${4:-second}"
    ;;
  env | down)
    [[ $# -le 2 ]] || usage
    dir=${2:-${TEE_KUBE_DIR:-}}
    [[ -n $dir ]] || die "name the folder, or set TEE_KUBE_DIR"
    [[ -d $dir ]] || die "no control plane was started in '$dir'"
    dir=$(cd "$dir" && pwd)
    if [[ $1 == down ]]; then
      command_down "$dir"
    else
      plane_is_up "$dir" || die "no control plane runs in '$dir'"
      print_env "$dir"
    fi
    ;;
  *) usage ;;
esac
