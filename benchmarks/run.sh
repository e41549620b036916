#!/usr/bin/env bash
# Installs what the benchmarks need, builds, and runs them all: the time of a
# training step against PyTorch, then test errors on Fashion-MNIST. Prints
# Markdown; tables, logs and results.json stay in build/benchmarks/.
#
# On an idle machine it takes about ten minutes. Another process that computes
# at the same time slows programs with several threads out of all proportion:
# the figures are then worth nothing.
#
# usage: benchmarks/run.sh
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/install-dependencies.sh benchmark
scripts/build.sh
# Debian's Python: the one that has the PyTorch of its packages.
/usr/bin/python3 benchmarks/training_step.py --output build/benchmarks/training_step
echo
benchmarks/fashion_mnist.sh build/benchmarks/fashion_mnist
