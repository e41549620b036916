#!/usr/bin/env bash
# Configures and builds dann in build/, as many jobs at a time as the machine
# has processors and memory for. Only what changed is built again.
#
# usage: scripts/build.sh [--with-tests]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

targets=(dann_tools)
configuration=()
case "${1:-}" in
"")
  # The tests need more packages than the tools.
  [[ -f build/CMakeCache.txt ]] || configuration=(-DDANN_BUILD_TESTS=OFF)
  ;;
--with-tests)
  configuration=(-DDANN_BUILD_TESTS=ON)
  targets=(all)
  ;;
*)
  echo "error: unknown argument '$1'; usage: scripts/build.sh [--with-tests]" >&2
  exit 1
  ;;
esac

# A file that includes MLIR's headers takes up to 1.5 GB to compile.
memory_kib=$(awk '/^MemTotal:/ { print $2 }' /proc/meminfo)
limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || echo max)
if [[ $limit != max ]] && ((limit / 1024 < memory_kib)); then
  memory_kib=$((limit / 1024))
fi
jobs=$((memory_kib / 1536 / 1024))
processors=$(nproc)
((jobs <= processors)) || jobs=$processors
((jobs >= 1)) || jobs=1

cmake --preset release "${configuration[@]}"
cmake --build --preset release --parallel "$jobs" --target "${targets[@]}"
