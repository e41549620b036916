#!/usr/bin/env bash
# Trains the DANN, the DANN without correction and the standard network on
# Fashion-MNIST, each with several seeds, and prints the test errors as a
# Markdown table. Needs a build (scripts/build.sh).
#
# usage: benchmarks/fashion_mnist.sh [OUTPUT_DIRECTORY]
#
# EPOCHS (10), SEEDS ("1 2 3"), THREADS (2) and DATA can be set in the
# environment. With BF16=1 it also trains the DANN in bf16, and says how far its
# test error is from that in f32. Programs, logs, checkpoints and the table stay
# in the output directory (build/benchmarks/fashion_mnist).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
output=${1:-$root/build/benchmarks/fashion_mnist}
epochs=${EPOCHS:-10}
seeds=${SEEDS:-1 2 3}
threads=${THREADS:-2}
data=${DATA:-/usr/share/datasets/fashion-mnist}
models=(fashion_mnist fashion_mnist_uncorrected fashion_mnist_mlp)

mkdir -p "$output"
rm -f "$output"/*.jsonl
for model in "${models[@]}"; do
  "$root/build/bin/dann-compile" "$root/examples/$model.txtpb" -o "$output/$model"
done
if [[ ${BF16:-0} == 1 ]]; then
  "$root/build/bin/dann-compile" --precision=bf16 \
    "$root/examples/fashion_mnist.txtpb" -o "$output/fashion_mnist_bf16"
  models+=(fashion_mnist_bf16)
fi

# Seed by seed, so that a slow minute of the machine meets all networks alike.
for seed in $seeds; do
  for model in "${models[@]}"; do
    echo "$model, seed $seed" >&2
    "$output/$model" train --data "$data" --epochs "$epochs" --seed "$seed" \
      --threads "$threads" --log "$output/$model.$seed.jsonl" \
      --checkpoint "$output/$model.$seed.safetensors" >&2
  done
done

python3 "$root/benchmarks/fashion_mnist_table.py" "$output" "${models[@]}" |
  tee "$output/table.md"
