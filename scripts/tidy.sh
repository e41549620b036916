#!/usr/bin/env bash
# Checks the runtime, the compiler's library and the tools with clang-tidy, by
# the rules of .clang-tidy. Needs a built tree, for what is generated; takes three
# minutes on two processors.
#
# usage: scripts/tidy.sh [BUILD_DIRECTORY [PATTERN]]
#
# Of the sources, only those whose path in the repository matches PATTERN, a
# regular expression of Python, are checked.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${1:-build}
pattern=${2:-(runtime/(src|cli)|compiler|tools)/[^/]*\\.cpp}

if [[ ! -e $build/compile_commands.json ]]; then
  echo "error: $build holds no compile_commands.json: configure it" >&2
  exit 1
fi
# GCC's precompiled headers are none of clang's.
run-clang-tidy-22 -quiet -p "$build" -j "$(nproc)" \
  -extra-arg=-Wno-ignored-gch "^$PWD/$pattern\$"
