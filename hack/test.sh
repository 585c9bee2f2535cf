#!/usr/bin/env bash
# Every check of the project, or the parts that are named. Installs what is missing, builds, runs, and ends with one
# table and the line `N passed, N failed, N skipped`. What the programs under test see is an empty environment and a
# HOME of their own; apt, pip, go and ccache keep the caller's.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ALL=(lint gcc clang asan tsan fuzz e2e)
KINDS='unit|vectors|differential|scenario|torture'

usage() {
  cat >&2 <<'TEXT'
usage: hack/test.sh [PART]...     without a part: everything but compat and soak

  lint                               layers, sizes, banned functions, format
  gcc asan                           one compiler or sanitizer: unit, vectors, differential, scenario and torture
  clang tsan                         the same without torture
  unit vectors differential scenario torture      one kind, with gcc
  fuzz                               each target for 10 s, or for 60 s where CI=true
  e2e                                the programs against a real control plane; includes the demo
  compat                             the client's tests on an older API server and on an older etcd
  soak                               an hour of idling with 500 objects; TEE_SOAK_SECONDS and TEE_SOAK_OBJECTS change that

TEE_TEST_VECTORS names the folder of published test data (default: ../shared/vectors). Where it is absent those cases
are counted as skipped.
TEXT
  exit 2
}

run_part() {
  case $1 in
    lint) part_lint ;;
    gcc) part_preset release "$KINDS" ;;
    asan) part_preset asan "$KINDS" ;;
    # Torture is one thread and takes as long as the rest: of data races and of another compiler it tells nothing new.
    clang | tsan) part_preset "$1" "${KINDS%|torture}" ;;
    unit | vectors | differential | scenario | torture) part_preset release "$1" ;;
    fuzz) part_fuzz ;;
    e2e) part_e2e ;;
    soak | compat) part_script "$1" ;;
  esac
}

part_lint() {
  if "$TEE_ROOT/hack/lint.sh"; then
    add_counts 1 0 0
  else
    add_counts 0 1 0
  fi
}

part_preset() {
  local preset=$1 labels=$2
  build_preset "$preset" all || return 1
  [[ $labels != *differential* ]] || make_venv
  run_ctest "$(build_folder "$preset")" "$labels" 2
}

part_fuzz() {
  local seconds=10 folder=$TEE_ROOT/build-fuzz source targets=()
  [[ ${CI:-} != true ]] || seconds=60
  for source in "$TEE_ROOT"/test/fuzz/fuzz_*.c; do targets+=("$(basename "$source" .c)"); done
  build fuzz "$folder" "${targets[*]}" -G Ninja -DCMAKE_C_COMPILER=clang-14 -DCMAKE_BUILD_TYPE=Debug \
    -DTEE_FUZZ=ON -DTEE_FUZZ_SECONDS="$seconds" || return 1
  run_ctest "$folder" fuzz 2
}

# The control plane is built before, with the caller's network settings; inside ctest it only starts.
part_e2e() {
  local tool
  build_preset release all || return 1
  make_venv
  for tool in etcd kubectl kube-apiserver helm; do "$TEE_ROOT/hack/kube.sh" tool "$tool" >/dev/null || return 1; done
  run_ctest "$(build_folder release)" e2e 2
}

# A script of test/e2e that is no part of e2e. Its progress is its output: an hour without a word would look like a test
# that hangs.
part_script() { # part_script NAME
  build_preset release all || return 1
  TEE_BUILD_DIR=$(build_folder release) "$TEE_ROOT/test/e2e/$1.sh" >&2 || return 1
  add_counts 1 0 0
}

# Packages from PyPI, with the caller's settings; the tests that need them are skipped where they cannot be had.
make_venv() { "$TEE_ROOT/hack/venv.sh" make >/dev/null || say "the tests beside moto and botocore are skipped"; }

build_folder() {
  case $1 in
    release) printf '%s/build\n' "$TEE_ROOT" ;;
    *) printf '%s/build-%s\n' "$TEE_ROOT" "$1" ;;
  esac
}

build_preset() { build "$1" "$(build_folder "$1")" "$2" --preset "$1"; }

# build NAME FOLDER TARGETS CMAKE-ARGUMENT...
build() {
  local name=$1 folder=$2 targets=$3
  shift 3
  with_progress "configuring $name" "$LOGS/$name-configure.log" cmake -S "$TEE_ROOT" -B "$folder" \
    -DTEE_TEST_VECTORS="$VECTORS" "$@" || return 1
  # shellcheck disable=SC2086 # The targets are words.
  with_progress "building $name" "$LOGS/$name-build.log" cmake --build "$folder" --parallel "$(nproc)" \
    --target $targets
}

# run_ctest FOLDER LABELS JOBS: what failed is shown with its output; the counts come from ctest's own report.
run_ctest() {
  local folder=$1 labels=$2 jobs=$3 report status=0
  report=$LOGS/$PART.xml
  with_progress "testing $PART" "$LOGS/$PART.log" env -i HOME="$HOME_OF_TESTS" PATH="$PATH" TMPDIR="${TMPDIR:-/tmp}" \
    TEE_CACHE_DIR="$TEE_CACHE_DIR" UBSAN_OPTIONS=print_stacktrace=1 ctest --test-dir "$folder" --label-regex "^($labels)\$" \
    --parallel "$jobs" --output-on-failure --no-tests=error --output-junit "$report" || status=$?
  [[ -s $report ]] || return 1
  count_report "$report"
  grep -aoh '^.*vectors: SKIPPED.*$' "$report" | sed 's/.*\(vectors: SKIPPED\)/\1/' >>"$LOGS/skipped" || true
  ((status == 0 || PART_FAILED > 0)) || return 1
}

count_report() {
  local tests failures skipped
  tests=$(attribute tests "$1")
  failures=$(attribute failures "$1")
  skipped=$(($(attribute skipped "$1") + $(attribute disabled "$1")))
  add_counts $((tests - failures - skipped)) "$failures" "$skipped"
}

# The first element of the report carries the totals, an attribute a line.
attribute() { sed -n "0,/[[:space:]]$1=\"[0-9]*\"/s/.*[[:space:]]$1=\"\([0-9]*\)\".*/\1/p" "$2" | head -n 1; }

add_counts() {
  PART_PASSED=$((PART_PASSED + $1))
  PART_FAILED=$((PART_FAILED + $2))
  PART_SKIPPED=$((PART_SKIPPED + $3))
}

# A part that could not even be built or started counts as one failure.
measure_part() {
  local started=$SECONDS
  PART=$1 PART_PASSED=0 PART_FAILED=0 PART_SKIPPED=0
  say "== $PART"
  run_part "$PART" || add_counts 0 1 0
  say "== $PART: $PART_PASSED passed, $PART_FAILED failed, $PART_SKIPPED skipped in $((SECONDS - started)) s"
  TABLE+=$(printf '%-10s %8s %8s %8s %8s' "$PART" "$PART_PASSED" "$PART_FAILED" "$PART_SKIPPED" "$((SECONDS - started)) s")$'\n'
  PASSED=$((PASSED + PART_PASSED)) FAILED=$((FAILED + PART_FAILED)) SKIPPED=$((SKIPPED + PART_SKIPPED))
}

install_packages() {
  local part sets=(build)
  for part in "${PARTS[@]}"; do
    case $part in
      e2e | soak | compat) sets+=(kube) ;;
      lint | gcc | clang | asan | tsan | fuzz | differential) sets+=(check) ;;
    esac
  done
  mapfile -t sets < <(printf '%s\n' "${sets[@]}" | sort -u)
  "$TEE_ROOT/hack/deps.sh" "${sets[@]}"
}

PARTS=("$@")
((${#PARTS[@]} > 0)) || PARTS=("${ALL[@]}")
for part in "${PARTS[@]}"; do
  [[ " ${ALL[*]} unit vectors differential scenario torture soak compat " == *" $part "* ]] || usage
done

unset "${!AWS_@}" KUBECONFIG
VECTORS=${TEE_TEST_VECTORS:-$TEE_ROOT/../shared/vectors}
TEE_CACHE_DIR=$(tee_cache)
export TEE_CACHE_DIR
if command -v ccache >/dev/null; then export CMAKE_C_COMPILER_LAUNCHER=${CMAKE_C_COMPILER_LAUNCHER-ccache}; fi

LOGS=$(mktemp -d "${TMPDIR:-/tmp}/tee-test.XXXXXX")
HOME_OF_TESTS=$LOGS/home
mkdir "$HOME_OF_TESTS"
PASSED=0 FAILED=0 SKIPPED=0 TABLE=
started=$SECONDS
say "== deps"
install_packages
for part in "${PARTS[@]}"; do measure_part "$part"; done

printf '\n%-10s %8s %8s %8s %8s\n%s' part passed failed skipped time "$TABLE"
printf '%-10s %8s %8s %8s %8s\n' total "$PASSED" "$FAILED" "$SKIPPED" "$((SECONDS - started)) s"
if [[ -s $LOGS/skipped ]]; then sort -u "$LOGS/skipped"; fi
if ((FAILED > 0)); then
  printf 'logs: %s\n' "$LOGS"
else
  rm -rf "$LOGS"
fi
printf '%s passed, %s failed, %s skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
((FAILED == 0))
