#!/usr/bin/env bash
# Renders manifests/ from the chart, which is the one source. With --check it only compares, and shows what differs.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

chart=$TEE_ROOT/charts/tee-controller
manifests=$TEE_ROOT/manifests
helm=$("$TEE_ROOT/hack/kube.sh" tool helm)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The labels and comments that speak of Helm are left out: these files are for kubectl.
render() {
  local file
  env -i HOME="$work" PATH="$PATH" "$helm" template tee-controller "$chart" --namespace tee-system \
    --set namespace.create=true --output-dir "$work/out" >/dev/null
  mkdir "$work/manifests"
  for file in "$work"/out/tee-controller/templates/*.yaml; do
    {
      echo "# Rendered from charts/tee-controller by hack/render-manifests.sh; do not edit."
      sed -e '/^# Source: /d' -e '/^ *helm.sh\/chart: /d' -e '/^ *app.kubernetes.io\/managed-by: /d' "$file" | cat -s
    } >"$work/manifests/${file##*/}"
  done
}

case ${1:-} in
  "" | --check) ;;
  *)
    say "usage: hack/render-manifests.sh [--check]"
    exit 2
    ;;
esac
render
if [[ ${1:-} == --check ]]; then
  for file in "$work"/manifests/*.yaml; do
    diff -u "$manifests/${file##*/}" "$file" || die "manifests/ differs from the chart; run hack/render-manifests.sh"
  done
else
  mkdir -p "$manifests"
  cp "$work"/manifests/*.yaml "$manifests"
  say "rendered $(find "$work/manifests" -name '*.yaml' | wc -l) files into manifests/"
fi
