#!/usr/bin/env bash
# Measures the same image files with pkg/nitro/eif.c and with AWS's own Rust library, and compares every register:
# generated images of every form, images that each side signed with each curve, and one whose signature was replaced.
# Not part of hack/test.sh: it needs cargo and the library's some 260 crates. Ends with 77 where those are missing.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

CURVES=(prime256v1 secp384r1 secp521r1)

skip() {
  say "eif-parity: SKIPPED, $*"
  exit 77
}

# The crate wants a recent compiler, and its OpenSSL binding the system's headers; aws-lc-sys builds C with cmake.
check_tools() {
  local tool
  for tool in cargo rustc; do
    command -v "$tool" >/dev/null || skip "there is no $tool (Rust 1.94 or newer)"
  done
  for tool in cc cmake pkg-config openssl; do
    command -v "$tool" >/dev/null || skip "there is no $tool (packages build-essential cmake pkg-config openssl)"
  done
  pkg-config --exists openssl || skip "OpenSSL's headers are missing (package libssl-dev)"
}

build_ours() {
  with_progress "configuring" "$WORK/configure.log" cmake --preset release -S "$TEE_ROOT" -B "$TEE_ROOT/build"
  with_progress "building eif_files" "$WORK/build.log" cmake --build "$TEE_ROOT/build" --target eif_files
}

build_theirs() {
  local manifest=$TEE_ROOT/test/eif-parity/Cargo.toml
  with_progress "fetching crates" "$WORK/fetch.log" cargo fetch --manifest-path "$manifest" ||
    skip "the crates cannot be fetched"
  with_progress "building AWS's library" "$WORK/cargo.log" cargo build --release --manifest-path "$manifest" \
    --target-dir "$TEE_ROOT/build/eif-parity"
}

ours() { "$TEE_ROOT/build/bin/eif_files" "$@"; }

theirs() { "$TEE_ROOT/build/eif-parity/release/eif-parity" "$@"; }

# What AWS's library signs itself: an unsigned image with each curve, and one of ours whose signature it replaces.
sign_theirs() {
  local curve
  for curve in "${CURVES[@]}"; do
    openssl req -x509 -newkey ec -pkeyopt "ec_paramgen_curve:$curve" -nodes -keyout "$WORK/$curve.key" \
      -out "$WORK/$curve.pem" -days 30 -subj "/CN=image signer" 2>>"$WORK/openssl.log"
    cp "$FILES/metadata.eif" "$FILES/aws-signed-$curve.eif"
    theirs sign "$FILES/aws-signed-$curve.eif" "$WORK/$curve.key" "$WORK/$curve.pem"
  done
  cp "$FILES/signed-secp384r1.eif" "$FILES/signature-replaced.eif"
  theirs sign "$FILES/signature-replaced.eif" "$WORK/prime256v1.key" "$WORK/prime256v1.pem"
}

measure_ours() {
  local file
  for file in "$FILES"/*.eif; do
    ours measure "$file" >"${file%.eif}.pcrs" || true # A refusal is text that differs from every measurement.
  done
}

check_tools
WORK=$(mktemp -d "${TMPDIR:-/tmp}/tee-eif.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
FILES=$WORK/files
mkdir "$FILES"
build_ours
build_theirs
ours write "$FILES"
sign_theirs
measure_ours
theirs "$FILES"
