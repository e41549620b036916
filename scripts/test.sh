#!/usr/bin/env bash
# Installs what the tests need, builds everything and runs every test, in stages
# from cheap to dear. The first stage that fails ends it, with its exit status.
#
# usage: scripts/test.sh [STAGE]...
#
# Of the stages, only those that are named run:
#   style       formatting, scripts, check lines and layers: what needs no build
#   build       all of it
#   tidy        clang-tidy, over the runtime, the compiler's library and the tools
#   unit        GoogleTest: runtime, numbers, ONNX's test data
#   lit         the compiler, and the documentation
#   e2e         programs from the outside, and what is installed
#   sanitizers  the runtime again, under AddressSanitizer, LeakSanitizer and UBSan
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

style() {
  scripts/format.sh --check
  shellcheck scripts/*.sh benchmarks/*.sh .ci/run
  python3 tests/lint.py tests .mlir .txtpb .test
  python3 tests/layering.py .
}
build() { scripts/build.sh --with-tests; }
# One at a time: the tests that train use all processors.
tests() { ctest --test-dir build --output-on-failure "$@"; }
tidy() { scripts/tidy.sh build; }
unit() { tests --label-exclude 'style|lit|e2e'; }
lit() { tests --label-regex 'style|lit'; }
e2e() { tests --label-regex e2e; }
sanitizers() {
  cmake --preset runtime-sanitizers
  cmake --build --preset runtime-sanitizers --parallel 2
  ctest --preset runtime-sanitizers
}

stages=(style build tidy unit lit e2e sanitizers)
for name in "$@"; do
  if [[ " ${stages[*]} " != *" $name "* ]]; then
    echo "error: no stage '$name'; stages are: ${stages[*]}" >&2
    exit 1
  fi
done
[[ $# == 0 ]] || stages=("$@")

scripts/install-dependencies.sh test
for stage in "${stages[@]}"; do
  echo "=== $stage"
  "$stage"
done
