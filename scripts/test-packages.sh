#!/usr/bin/env bash
# Tries the Debian packages in a root with nothing in it but Debian's own
# minimum: installs them with apt, which finds what they need, and builds and
# runs the examples with what is installed. Needs mmdebstrap, root, and a mirror
# of Debian 12; takes about 2 GB in the directory for temporary files.
#
# usage: scripts/test-packages.sh [BUILD_DIRECTORY]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$(realpath "${1:-build}")

fail() {
  echo "error: $*" >&2
  exit 1
}
command -v mmdebstrap >/dev/null || fail "mmdebstrap is not installed"
(($(id -u) == 0)) || fail "making a root needs root"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "making the packages"
cpack -G DEB -B "$work/packages" --config "$build/CPackConfig.cmake" >"$work/log" ||
  fail "cpack failed: $(cat "$work/log")"
rm -rf "$work"/packages/_CPack_Packages

# What is done in the root. Examples are not compiled where they are installed.
cat >"$work/packages/try.sh" <<'END'
set -eux
cd /tmp
cp -r /usr/share/dann/examples .
dann-compile --version
dann-compile examples/embed/bars.txtpb --summary
dann-compile examples/embed/bars.txtpb --emit=shared -o bars.so
cmake -S examples/embed -B embed
cmake --build embed
embed/embed_train bars.so bars.safetensors
embed/embed_infer bars.so bars.safetensors $(for i in $(seq 64); do echo $((i % 8 == 0)); done)
embed/embed_c bars.so
embed/in_process examples/embed/bars.txtpb
dann-compile examples/embed/bars.txtpb -o bars
./bars info
dann-compile examples/embed/bars.txtpb --emit=mlir -o bars.mlir
dann-opt --dann-graph-pipeline bars.mlir -o /dev/null
# From PyTorch, whose threads would take the processors from the program's.
OMP_NUM_THREADS=1 python3 examples/pytorch_to_dann.py --steps 20
test -s /usr/share/man/man1/dann-compile.1.gz
test -s /usr/share/bash-completion/completions/dann-compile
test -s /usr/share/fish/vendor_completions.d/dann-compile.fish
test -s /usr/share/zsh/vendor-completions/_dann-compile
END

echo "making a root and installing the packages"
sources=(/etc/apt/sources.list.d/*.sources)
[[ -e ${sources[0]} ]] || sources=(/etc/apt/sources.list)
# mmdebstrap's shell expands $1, the root.
# shellcheck disable=SC2016
mmdebstrap --variant=apt --aptopt='APT::Install-Recommends "false"' \
  --customize-hook="copy-in $work/packages /tmp" \
  --customize-hook='chroot "$1" env DEBIAN_FRONTEND=noninteractive sh -c "apt-get install -y --no-install-recommends /tmp/packages/*.deb g++ cmake make python3-torch python3-onnx"' \
  --customize-hook='chroot "$1" env -i PATH=/usr/bin:/bin HOME=/root sh /tmp/packages/try.sh' \
  bookworm /dev/null "${sources[@]}"
echo "the packages work"
