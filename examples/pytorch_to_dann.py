#!/usr/bin/env python3
"""From a network in PyTorch to a native program that computes the same.

Trains the network of export_pytorch.py for some steps, exports it to ONNX,
compiles that, runs the program and compares its results with PyTorch's:

  examples/pytorch_to_dann.py
  examples/pytorch_to_dann.py --data DIR

dann-compile has to be in PATH. DIR holds the IDX files of Fashion-MNIST; without
it the network learns random pictures.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch

import export_pytorch

# Sums of up to 784 products in another order; the divisors amplify that.
TOLERANCE = 1e-3


def save_tensor(path, name, array):
    """Writes a safetensors file with one tensor of f32."""
    data = np.ascontiguousarray(array, np.float32).tobytes()
    header = json.dumps({name: {"dtype": "F32", "shape": array.shape,
                                "data_offsets": [0, len(data)]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)


def load_tensor(path, name):
    """A tensor of f32 of a safetensors file."""
    content = path.read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    tensor = json.loads(content[8:begin])[name]
    first, last = tensor["data_offsets"]
    return np.frombuffer(content[begin + first:begin + last],
                         np.float32).reshape(tensor["shape"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="directory of Fashion-MNIST")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--samples", type=int, default=100,
                        help="how many samples to compare")
    parser.add_argument("--output", help="keep the program under this name")
    arguments = parser.parse_args()

    torch.manual_seed(0)
    if arguments.data:
        images, labels = export_pytorch.load_training_set(arguments.data)
    else:
        images, labels = torch.rand(1000, 784), torch.randint(10, (1000,))
    net = export_pytorch.Dann()
    loss = export_pytorch.train(net, images, labels, arguments.steps)
    print(f"loss of the last step: {loss:.3f}")

    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        program = (pathlib.Path(arguments.output).resolve()
                   if arguments.output else directory / "dann")
        export_pytorch.export(net, str(directory / "dann.onnx"))
        subprocess.run(["dann-compile", directory / "dann.onnx", "-o", program],
                       check=True)
        samples = images[:arguments.samples]
        save_tensor(directory / "in.safetensors", "image", samples.numpy())
        subprocess.run([program, "run", "--inputs",
                        directory / "in.safetensors", "--outputs",
                        directory / "out.safetensors"], check=True)
        logits = load_tensor(directory / "out.safetensors", "logits")
    with torch.no_grad():
        expected = net(samples).numpy()
    difference = np.abs(logits - expected).max() / np.abs(expected).max()
    same = (logits.argmax(1) == expected.argmax(1)).mean()
    print(f"largest difference from PyTorch, relative to the largest logit: "
          f"{difference:.1e}")
    print(f"same class: {100 * same:.0f} %")
    if difference > TOLERANCE:
        sys.exit(f"error: the difference is larger than {TOLERANCE}")


if __name__ == "__main__":
    main()
