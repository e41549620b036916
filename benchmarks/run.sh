#!/usr/bin/env bash
# Installs what the benchmarks need, builds, and runs them all: dann against
# PyTorch, ONNX Runtime and what the machine can do, a step and inference of an
# E/I VGG16 against PyTorch, what a call costs, then test errors on
# Fashion-MNIST. Prints Markdown; tables, plots, logs and results.json stay in
# build/benchmarks/.
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
cmake --build build --target dann_product_bound dann_call_overhead

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
echo
/usr/bin/python3 benchmarks/call_overhead.py build/bin/dann_call_overhead

for argument in "$@"; do
  [[ $argument != --quick ]] || exit 0
done
echo
output=build/benchmarks/fashion_mnist
/usr/bin/python3 examples/experiments/run.py \
  examples/experiments/e-published-rates.toml --output "$output" --threads 2
cat "$output/table.md"
