#!/usr/bin/env bash
# Installs the Debian 12 packages that dann needs, as root or through sudo.
# Does nothing if they are installed. Asks nothing.
#
# usage: scripts/install-dependencies.sh [build|test|benchmark]
#
# `build` (the default) is enough to build dann and to train; `test` adds what
# the tests need, `benchmark` what the comparison with other systems needs.
set -euo pipefail

build=(
  g++ cmake ninja-build ccache
  lld-22 libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools
  libdnnl-dev libprotobuf-dev protobuf-compiler libonnx-dev zlib1g-dev
  nlohmann-json3-dev libcli11-dev librandom123-dev
  dataset-fashion-mnist
)
test=(
  libgtest-dev libgmock-dev libonnx-testdata clang-format-14 clang-tidy-22
  python3 python3-numpy python3-matplotlib
  dpkg-dev file pkg-config shellcheck doxygen graphviz help2man zsh fish
)
benchmark=(
  python3 python3-numpy python3-torch python3-onnx python3-matplotlib
  libopenblas0-openmp libbenchmark-dev
)
# A node that did not come from Debian brings its own npm, and conflicts with
# Debian's.
command -v npm >/dev/null || benchmark+=(nodejs npm)

fail() {
  echo "error: $*" >&2
  exit 1
}

case "${1:-build}" in
build) packages=("${build[@]}") ;;
test) packages=("${build[@]}" "${test[@]}") ;;
benchmark) packages=("${build[@]}" "${benchmark[@]}") ;;
*) fail "unknown set of packages '$1': give build, test or benchmark" ;;
esac

system="this system"
if [[ -r /etc/os-release ]]; then
  # shellcheck source=/dev/null
  system=$(. /etc/os-release && echo "${PRETTY_NAME:-this system}")
fi
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  fail "this script installs packages of Debian 12, but $system has no apt-get"
fi

# Those of the arguments that are not installed.
missing_of() {
  local installed
  # dpkg-query fails if it knows a package not at all: that one is missing.
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    sed -n 's/^installed //p') || true
  printf '%s\n' "$@" | grep -vxF -e "$installed" || true
}

mapfile -t missing < <(missing_of "${packages[@]}")
if ((${#missing[@]} == 0)); then
  exit 0
fi

as_root=()
if (($(id -u) != 0)); then
  command -v sudo >/dev/null ||
    fail "these packages are missing: ${missing[*]}; install them as root, or install sudo"
  as_root=(sudo)
fi
apt_get() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get \
    -o DPkg::Lock::Timeout=300 "$@"
}

# Those of the arguments that apt could not install from the lists it has.
unavailable_of() {
  local package policy
  for package in "$@"; do
    # Not through a pipe: grep may end before apt-cache has written all, which
    # pipefail takes for a failure.
    policy=$(LC_ALL=C apt-cache policy "$package" 2>/dev/null) || true
    grep -q '^  Candidate: [^(]' <<<"$policy" || echo "$package"
  done
}
install() {
  apt_get install -y --no-install-recommends "${missing[@]}"
}

echo "installing ${missing[*]}"
updated=false
if [[ -n $(unavailable_of "${missing[@]}") ]]; then
  apt_get update
  updated=true
fi
mapfile -t unavailable < <(unavailable_of "${missing[@]}")
if ((${#unavailable[@]} != 0)); then
  fail "$system does not offer: ${unavailable[*]}. dann needs Debian 12" \
    "(bookworm) with its security updates, from which LLVM 22 comes"
fi
if $updated; then
  install
else
  # The lists may name versions that the mirror no longer has.
  install || { apt_get update && install; }
fi
