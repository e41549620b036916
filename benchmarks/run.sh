#!/usr/bin/env bash
# Installs what the benchmarks need, builds, and runs them all: dann against
# PyTorch, ONNX Runtime and what the machine can do, a step and inference of an
# E/I VGG16 against PyTorch, then test errors on Fashion-MNIST. Prints Markdown;
# tables, a plot, logs and results.json stay in build/benchmarks/.
#
# On an idle machine it takes about half an hour. Another process that computes
# at the same time slows programs with several threads out of all proportion:
# the figures are then worth nothing.
#
# usage: benchmarks/run.sh [--quick] [OPTION]...
#
# --quick tries the set-up in two minutes: one short round, no test errors. All
# options are those of benchmarks/compare.py, e.g. --rounds N.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=build/benchmarks/packages

scripts/install-dependencies.sh benchmark
scripts/build.sh
cmake --build build --target dann_product_bound

if ! cmp -s benchmarks/package.json "$packages/package.json" ||
  [[ ! -d $packages/node_modules/onnxruntime-node ]]; then
  mkdir -p "$packages"
  cp benchmarks/package.json "$packages/"
  # Its install script would fetch libraries for GPUs.
  (cd "$packages" &&
    npm install --ignore-scripts --no-audit --no-fund --no-package-lock)
fi

# Debian's Python: the one that has the PyTorch of its packages.
/usr/bin/python3 benchmarks/compare.py "$@"
echo
/usr/bin/python3 benchmarks/vgg16.py
/usr/bin/python3 benchmarks/recurrent.py

for argument in "$@"; do
  [[ $argument != --quick ]] || exit 0
done
if build/bin/dann-compile --help | grep -q bf16; then
  export BF16=1
fi
echo
benchmarks/fashion_mnist.sh build/benchmarks/fashion_mnist
