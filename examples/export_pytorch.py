#!/usr/bin/env python3
"""Trains a Dale's ANN in PyTorch for some steps and exports it to ONNX.

The layers are written in plain PyTorch, as anybody would; dann-compile
recognises them:

  examples/export_pytorch.py --data DIR -o dann.onnx
  dann-compile dann.onnx --train --learning-rate=0.1107 -o dann
  ./dann train --data DIR --epochs 1

DIR holds the IDX files of Fashion-MNIST, plain or compressed.
"""

import argparse
import gzip
import math
import pathlib

import numpy as np
import torch


class EiLayer(torch.nn.Module):
    """Excitatory units with interneurons (Cornford et al., ICLR 2021).

    Initialised as the authors do: docs/model.md of dann has the formulas.
    """

    def __init__(self, inputs, excitatory, inhibitory, first=False):
        super().__init__()
        two_pi = 2 * math.pi
        sigma = math.sqrt(1 / (2 * inputs)) if first else math.sqrt(
            two_pi / (inputs * (two_pi - 1)))

        def exponential(*shape):
            return torch.empty(*shape).exponential_(1 / sigma)

        wex = exponential(excitatory, inputs)
        wix = (wex.mean(0, keepdim=True) if inhibitory == 1 else
               exponential(inhibitory, inputs))
        self.wex = torch.nn.Parameter(wex)
        self.wix = torch.nn.Parameter(wix)
        self.wei = torch.nn.Parameter(
            torch.full((excitatory, inhibitory), 1 / inhibitory))
        self.alpha = torch.nn.Parameter(
            torch.full((inhibitory,), math.log(math.sqrt((two_pi - 1) / inputs))))
        self.gain = torch.nn.Parameter(torch.ones(excitatory))
        self.bias = torch.nn.Parameter(torch.zeros(excitatory))

    # [forward]
    def forward(self, x):
        ze = x @ self.wex.T
        zi = x @ self.wix.T
        divisor = zi @ (self.wei * torch.exp(self.alpha)).T + 1e-8
        return self.gain * (ze - zi @ self.wei.T) / divisor + self.bias
    # [forward]

    def step(self, learning_rate):
        """Corrected gradients, SGD, and the projection on Dale's law."""
        ne, d = self.wex.shape
        with torch.no_grad():
            self.wix.grad /= math.sqrt(ne)
            self.wei.grad /= d
            self.alpha.grad /= math.sqrt(ne) * d
            for parameter in self.parameters():
                parameter -= learning_rate * parameter.grad
            for parameter in (self.wex, self.wix, self.wei, self.gain):
                parameter.clamp_(min=0)


class Dann(torch.nn.Module):
    def __init__(self, hidden=100, inhibitory=10):
        super().__init__()
        self.layers = torch.nn.ModuleList([
            EiLayer(784, hidden, inhibitory, first=True),
            EiLayer(hidden, hidden, inhibitory),
            EiLayer(hidden, 10, 1)
        ])

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


def read_idx(directory, name):
    """The array of an IDX file, plain or compressed."""
    path = pathlib.Path(directory) / name
    if path.exists():
        content = path.read_bytes()
    else:
        content = gzip.decompress(path.with_name(name + ".gz").read_bytes())
    rank = content[3]
    shape = np.frombuffer(content, ">u4", rank, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load_training_set(directory):
    """Images [samples, 784] in [0, 1] and labels [samples]."""
    images = read_idx(directory, "train-images-idx3-ubyte")
    labels = read_idx(directory, "train-labels-idx1-ubyte")
    return (torch.from_numpy(images.reshape(-1, 784) / np.float32(255)),
            torch.from_numpy(labels.astype(np.int64)))


def train(net, images, labels, steps, learning_rate=0.1):
    """Steps on random minibatches of 32; returns the loss of the last one."""
    for _ in range(steps):
        batch = torch.randint(len(images), (32,))
        loss = torch.nn.functional.cross_entropy(net(images[batch]),
                                                 labels[batch])
        net.zero_grad()
        loss.backward()
        for layer in net.layers:
            layer.step(learning_rate)
    return loss.item()


def export(net, path):
    torch.onnx.export(net, torch.rand(2, 784), path,
                      input_names=["image"], output_names=["logits"],
                      dynamic_axes={"image": {0: "batch"},
                                    "logits": {0: "batch"}})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="directory of the data")
    parser.add_argument("-o", "--output", required=True, help="ONNX file")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    images, labels = load_training_set(arguments.data)
    net = Dann()
    loss = train(net, images, labels, arguments.steps, arguments.learning_rate)
    print(f"loss of the last step: {loss:.3f}")
    export(net, arguments.output)


if __name__ == "__main__":
    main()
