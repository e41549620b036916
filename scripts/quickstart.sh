#!/usr/bin/env bash
# From a fresh Debian 12 machine to a trained network: installs the packages
# that dann needs, builds it, compiles examples/fashion_mnist.txtpb and trains
# the program for five epochs on Fashion-MNIST. Works as root or through sudo.
# What is done already is skipped.
#
# usage: scripts/quickstart.sh
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

data=/usr/share/datasets/fashion-mnist
model=examples/fashion_mnist.txtpb
program=build/fashion_mnist
table=$program.table.txt

scripts/install-dependencies.sh build
scripts/build.sh

for input in "$model" build/bin/dann-compile build/lib/libdann_cli.a build/lib/libdann_runtime.a; do
  if [[ ! $program -nt $input ]]; then
    echo "compiling $model to $program"
    build/bin/dann-compile "$model" -o "$program"
    break
  fi
done

echo
if [[ $table -nt $program && -f $program.safetensors ]]; then
  echo "$program is trained already:"
  cat "$table"
else
  echo "training $program for five epochs"
  "$program" train --data "$data" --epochs 5 --checkpoint "$program.safetensors" |
    tee "$table.part"
  mv "$table.part" "$table"
fi

cat <<END

The trained parameters are in $program.safetensors. What to try next:

  # what the program is: entry points, parameters, the signs they keep
  $program info
  # loss and error on the test set, and the class of each test image
  $program eval --checkpoint $program.safetensors --data $data
  $program predict --checkpoint $program.safetensors --output build/classes.npy \\
    --input $data/t10k-images-idx3-ubyte.gz
  # five more epochs
  $program train --data $data --epochs 10 --checkpoint $program.safetensors --resume
  # how long a training step takes
  $program bench
  # another network of examples/
  build/bin/dann-compile examples/fashion_mnist_mlp.txtpb -o build/mlp
  build/mlp train --data $data --epochs 5
  # the compiler's view: the model, and the checked training program made of it
  build/bin/dann-compile $model --emit=mlir -o build/model.mlir
  build/bin/dann-opt --dann-graph-pipeline build/model.mlir

docs/index.md leads to the documentation.
END
