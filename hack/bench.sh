#!/usr/bin/env bash
# Prints the project's speed, beside what bounds it and beside others, measured in turns on one core in one run: on a
# busy machine the ratios hold where the figures do not. Nothing is asserted.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ALL=(attest ec2)
CRATES=(evervault nitro-attest aws-attestation blueprint)
SECONDS_EACH=${BENCH_SECONDS:-3}
ROUNDS=${BENCH_ROUNDS:-3}

usage() {
  cat >&2 <<'TEXT'
usage: hack/bench.sh [--no-crates] [PART]...     parts: attest, ec2

  attest    one document: decoded, checked, checked with its CAs known; beside OpenSSL's own P-384 and, where there is
            cargo, beside published verifiers in Rust (the first build of those takes about 10 minutes)

  ec2       the controller with many objects beside a real API server and tee-sim: EC2 calls for creates, for deletes and in
            quiet minutes; memory; time after a restart. About 20 minutes with BENCH_OBJECTS=10000, which is the default

BENCH_SECONDS (3) is the time of each measurement, BENCH_ROUNDS (3) how often each is repeated; the median is shown.
TEE_TEST_VECTORS names the folder of published test data (default: ../shared/vectors).
TEXT
  exit 2
}

one_core() { taskset -c "$(($(nproc) - 1))" "$@"; }

median() { sort -g | awk '{ line[NR] = $1 } END { print line[int((NR + 1) / 2)] }'; }

# rate NAME: the median over the rounds of what NAME's log says under the second name (default: rate).
rate() { sed -n "s/^${2:-rate} //p" "$WORK/$1."*.log | median; }

count() { grep -c "^$2 $3" "$WORK/$1.1.log" || true; }

build_ours() {
  "$TEE_ROOT/hack/deps.sh" build
  with_progress "configuring" "$WORK/configure.txt" cmake --preset release -S "$TEE_ROOT" -B "$TEE_ROOT/build"
  with_progress "building" "$WORK/build.txt" cmake --build "$TEE_ROOT/build" --target bench_attest mutate_documents
}

# Each crate is a program of its own: their dependencies exclude each other. One that does not build is left out.
build_crates() {
  local crate built=()
  if ! command -v cargo >/dev/null; then
    say "no cargo here: the crates are left out"
    CRATES=()
    return
  fi
  for crate in "${CRATES[@]}"; do
    if with_progress "building $crate" "$WORK/cargo.txt" cargo build --release \
      --manifest-path "$TEE_ROOT/test/bench/crates/$crate/Cargo.toml" --target-dir "$TEE_ROOT/build/bench-crates/$crate"; then
      built+=("$crate")
    else
      say "$crate does not build here and is left out"
    fi
  done
  CRATES=("${built[@]}")
}

speed_of_openssl() {
  one_core openssl speed -seconds "$SECONDS_EACH" ecdsap384 2>/dev/null | awk '/ecdsa \(nistp384\)/ { print "rate", $NF }'
}

run_crate() {
  BENCH_ROOT_DER=$WORK/root.der one_core "$TEE_ROOT/build/bench-crates/$1/release/bench-$1" "$SECONDS_EACH" \
    "$DOCUMENTS" "$WORK/mutated"
}

measure() {
  local round crate
  for ((round = 1; round <= ROUNDS; round++)); do
    say "round $round of $ROUNDS"
    speed_of_openssl >"$WORK/openssl.$round.log"
    one_core "$TEE_ROOT/build/bin/bench_attest" "$SECONDS_EACH" "$ROOT" "$DOCUMENTS" "$WORK/mutated" >"$WORK/ours.$round.log"
    for crate in "${CRATES[@]}"; do run_crate "$crate" >"$WORK/$crate.$round.log"; done
  done
}

# row WHAT RATE BOUND: documents a second, and the share of the bound.
row() { awk -v what="$1" -v rate="$2" -v bound="$3" 'BEGIN { printf "%-44s %10.0f /s %6.0f %%\n", what, rate, 100 * rate / bound }'; }

show_rates() {
  local speed signature crate
  speed=$(rate openssl)
  signature=$(rate ours signature)
  printf '\nP-384 signatures checked: openssl speed %.0f /s, in our program %.0f /s\n' "$speed" "$signature"
  printf 'The share is that of what openssl speed allows: five signatures a document, two with its CAs known.\n\n'
  awk -v rate="$(rate ours decode)" 'BEGIN { printf "%-44s %10.0f /s\n", "ours, decoded", rate }'
  row "ours, whole check (5 signatures)" "$(rate ours cold)" "$(awk "BEGIN { print $speed / 5 }")"
  row "ours, CAs known (2 signatures)" "$(rate ours warm)" "$(awk "BEGIN { print $speed / 2 }")"
  for crate in "${CRATES[@]}"; do row "$crate" "$(rate "$crate")" "$(awk "BEGIN { print $speed / 5 }")"; done
}

verdict() { sed -n "s/^\([a-z]*\) $2\$/\1/p" "$WORK/$1.1.log"; }

show_verdicts() {
  local who name
  printf '\naccepted'
  for who in ours "${CRATES[@]}"; do printf ' | %s' "$who"; done
  printf '\ngenuine, production (want %s)' "$(find "$DOCUMENTS" -name 'v*_prod.cbor' | wc -l)"
  for who in ours "${CRATES[@]}"; do printf ' | %s' "$(count "$who" accept 'v.*_prod')"; done
  printf '\ngenuine, debug (want 0)'
  for who in ours "${CRATES[@]}"; do printf ' | %s' "$(count "$who" accept 'v.*_debug')"; done
  printf '\nforged (want 0)'
  for who in ours "${CRATES[@]}"; do printf ' | %s' "$(count "$who" accept x)"; done
  for name in "$WORK"/mutated/*.cbor; do
    name=$(basename "$name" .cbor)
    printf '\n%s' "${name#m??_}" | tr _ ' '
    for who in ours "${CRATES[@]}"; do printf ' | %s' "$(verdict "$who" "$name")"; done
  done
  printf '\n'
}

part_attest() {
  DOCUMENTS=${TEE_TEST_VECTORS:-$TEE_ROOT/../shared/vectors}/attestation
  ROOT=$DOCUMENTS/AWS_NitroEnclaves_Root-G1.pem
  [[ -r $ROOT ]] || die "no documents in $DOCUMENTS; set TEE_TEST_VECTORS"
  build_ours
  if ((WITH_CRATES)); then build_crates; else CRATES=(); fi
  mkdir "$WORK/mutated"
  "$TEE_ROOT/build/bin/mutate_documents" "$(find "$DOCUMENTS" -name 'v*_prod.cbor' | sort | tail -n 1)" "$WORK/mutated"
  openssl x509 -in "$ROOT" -outform der -out "$WORK/root.der"
  measure
  show_rates
  show_verdicts
}

# The API server's data lies beside the bench's own folder and is gone with it.
part_ec2() {
  local environment
  "$TEE_ROOT/hack/deps.sh" build kube
  with_progress "configuring" "$WORK/configure.txt" cmake --preset release -S "$TEE_ROOT" -B "$TEE_ROOT/build"
  with_progress "building" "$WORK/build.txt" cmake --build "$TEE_ROOT/build" --target tee-controller tee-sim
  environment=$("$TEE_ROOT/hack/kube.sh" up)
  eval "$environment"
  trap '"$TEE_ROOT/hack/kube.sh" down "$TEE_KUBE_DIR"; rm -rf "$WORK"' EXIT
  kubectl apply -f "$TEE_ROOT/manifests/crd.yaml" >/dev/null
  await_crd
  env -i PATH="$PATH" TEE_BUILD_DIR="$TEE_ROOT/build" python3 "$TEE_ROOT/test/bench/ec2_scale.py" "$TEE_KUBE_DIR" "$WORK/fleet" \
    "${BENCH_OBJECTS:-10000}"
  "$TEE_ROOT/hack/kube.sh" down "$TEE_KUBE_DIR"
  trap 'rm -rf "$WORK"' EXIT
}

WITH_CRATES=1
PARTS=()
for argument in "$@"; do
  case $argument in
    --no-crates) WITH_CRATES=0 ;;
    attest | ec2) PARTS+=("$argument") ;;
    *) usage ;;
  esac
done
((${#PARTS[@]} > 0)) || PARTS=("${ALL[@]}")

WORK=$(mktemp -d "${TMPDIR:-/tmp}/tee-bench.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
for part in "${PARTS[@]}"; do "part_$part"; done
