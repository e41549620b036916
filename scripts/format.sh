#!/usr/bin/env bash
# Formats the C and C++ sources with clang-format 14.
#
# usage: scripts/format.sh [--check]
#
# With --check it changes nothing, and fails if a file is not formatted.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

arguments=(-i)
case "${1:-}" in
"") ;;
--check) arguments=(--dry-run --Werror) ;;
*)
  echo "error: unknown argument '$1'; usage: scripts/format.sh [--check]" >&2
  exit 1
  ;;
esac

# New files that git does not ignore belong to the sources as well.
git ls-files -z --cached --others --exclude-standard -- '*.c' '*.cpp' '*.h' '*.hpp' |
  xargs -0 clang-format-14 "${arguments[@]}"
