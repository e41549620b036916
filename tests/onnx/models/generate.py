#!/usr/bin/env python3
"""Writes the models of this directory and what PyTorch computes with them.

usage: generate.py

Needs PyTorch 1.13 and onnx, as Debian 12 has them. Each case is a directory as
in ONNX's own test data: model.onnx, and inputs and outputs in test_data_set_0.
Cases of one layer in many ways differ in how it is written and exported.
"""

import pathlib
import shutil
import warnings

import numpy
import onnx
import onnx.numpy_helper
import torch
import torch.nn.functional as F
from torch import nn

HERE = pathlib.Path(__file__).parent
INPUTS = 6


class Layer(nn.Module):
    """The parameters of an E/I layer, and its equations as the paper's code
    has them: features first."""

    def __init__(self, d, ne, ni):
        super().__init__()
        draw = torch.distributions.Exponential(1.0).sample
        self.wex = nn.Parameter(draw((ne, d)) / d)
        self.wix = nn.Parameter(draw((ni, d)) / d)
        self.wei = nn.Parameter(draw((ne, ni)) / ni)
        self.alpha = nn.Parameter(torch.randn(1, ni) * 0.3 - 0.5)
        self.g = nn.Parameter(torch.rand(ne, 1) + 0.5)
        self.b = nn.Parameter(torch.randn(ne, 1) * 0.1)

    def forward(self, x):
        x = x.T
        ze = self.wex @ x
        zi = self.wix @ x
        z_hat = ze - self.wei @ zi
        gamma = torch.matmul(torch.exp(self.alpha) * self.wei, zi) + 1e-8
        z = self.g * ((1 / gamma) * z_hat) + self.b
        return F.relu(z).T


class BatchFirst(Layer):
    def forward(self, x):
        zi = F.linear(x, self.wix)
        z_hat = F.linear(x, self.wex) - F.linear(zi, self.wei)
        gamma = F.linear(zi * self.alpha.exp(), self.wei) + 1e-8
        return F.relu(self.g.T * z_hat / gamma + self.b.view(-1))


class Transposed(Layer):
    """Other orders of everything; quotients of each part on its own."""

    def forward(self, x):
        zi = x @ self.wix.T
        inverse = torch.reciprocal(1e-6 + zi @ (self.wei * self.alpha.exp()).T)
        z = -(zi @ self.wei.T) * inverse + (x @ self.wex.T) * inverse
        return F.relu(self.b.T + z)


class PowerFolded(Layer):
    """With e^alpha and wei e^alpha as parameters."""

    def __init__(self, d, ne, ni):
        super().__init__(d, ne, ni)
        self.strength = nn.Parameter(self.alpha.detach().exp().view(-1))

    def forward(self, x):
        zi = F.linear(x, self.wix)
        z_hat = F.linear(x, self.wex) - F.linear(zi, self.wei)
        return z_hat / (F.linear(zi * self.strength, self.wei) + 1e-8)


class WeightsFolded(Layer):
    def __init__(self, d, ne, ni):
        super().__init__(d, ne, ni)
        self.divisive = nn.Parameter((self.wei * self.alpha.exp()).detach())

    def forward(self, x):
        zi = F.linear(x, self.wix)
        z_hat = F.linear(x, self.wex) - F.linear(zi, self.wei)
        return z_hat / (F.linear(zi, self.divisive) + 1e-8) + self.b.view(-1)


class Subtractive(Layer):
    def forward(self, x):
        inhibition = F.linear(F.linear(x, self.wix), self.wei)
        return F.relu(F.linear(x, self.wex) - inhibition + self.b.view(-1))


class SubtractiveFolded(Layer):
    def forward(self, x):
        return F.relu(F.linear(x, self.wex - self.wei @ self.wix, self.b.view(-1)))


class Fresh(Layer):
    """Before training: what has one value everywhere is merged on export."""

    def __init__(self, d, ne, ni):
        super().__init__(d, ne, ni)
        nn.init.constant_(self.wei, 1 / ni)
        nn.init.constant_(self.alpha, -1)
        nn.init.constant_(self.g, 1)
        nn.init.constant_(self.b, 0)


class Centred(nn.Module):
    def forward(self, x):
        return (x - 0.5) / 0.3


class Image(nn.Module):
    def forward(self, x):
        return x.view(x.size(0), 1, 2, 3)


def network(layer):
    """Two layers, and one with a single interneuron and a single unit."""
    return nn.Sequential(layer(INPUTS, 5, 3), layer(5, 4, 2), layer(4, 1, 1))


def negative():
    model = nn.Sequential(Layer(INPUTS, 5, 2))
    with torch.no_grad():
        model[0].wei[1, 1] = -0.02
    return model


CASES = {
    "ei-paper": (lambda: network(Layer), 13, True),
    "ei-paper-old": (lambda: network(Layer), 9, False),
    "ei-batch-first": (lambda: network(BatchFirst), 17, True),
    "ei-batch-first-unfolded": (lambda: network(BatchFirst), 13, False),
    "ei-transposed": (lambda: network(Transposed), 17, False),
    # The exporter writes wei and its transpose.
    "ei-transposed-folded": (lambda: network(Transposed), 13, True),
    "ei-power-folded": (lambda: nn.Sequential(PowerFolded(INPUTS, 5, 2)), 13, True),
    "ei-weights-folded": (lambda: nn.Sequential(WeightsFolded(INPUTS, 5, 2)), 9, True),
    "ei-subtractive": (lambda: network(Subtractive), 9, True),
    "ei-subtractive-folded": (lambda: network(SubtractiveFolded), 17, True),
    "ei-fresh": (lambda: nn.Sequential(*[Fresh(INPUTS, INPUTS, 2) for _ in range(3)]), 13, True),
    "ei-negative": (negative, 13, True),
    "ei-centred-input": (lambda: nn.Sequential(Centred(), Layer(INPUTS, 5, 2)), 13, True),
    "standard-cnn": (
        lambda: nn.Sequential(
            Image(),
            nn.Conv2d(1, 2, 2, padding=1),
            nn.BatchNorm2d(2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(4, 3),
        ),
        13,
        True,
    ),
    "standard-mlp": (
        lambda: nn.Sequential(nn.Linear(INPUTS, 5), nn.ReLU(), nn.Linear(5, 3)),
        13,
        True,
    ),
}


def write(path, array, name):
    tensor = onnx.numpy_helper.from_array(array, name)
    path.write_bytes(tensor.SerializeToString())


def main():
    warnings.filterwarnings("ignore")
    for name, (build, opset, folds) in CASES.items():
        torch.manual_seed(1)
        model = build().eval()
        x = torch.rand(7, INPUTS)
        directory = HERE / name
        shutil.rmtree(directory, ignore_errors=True)
        data = directory / "test_data_set_0"
        data.mkdir(parents=True)
        torch.onnx.export(
            model,
            x,
            str(directory / "model.onnx"),
            opset_version=opset,
            do_constant_folding=folds,
            input_names=["x"],
            output_names=["z"],
            dynamic_axes={"x": {0: "batch"}, "z": {0: "batch"}},
        )
        write(data / "input_0.pb", x.numpy(), "x")
        # The exact result, for a tolerance that rounding alone has to keep.
        with torch.no_grad():
            z = model.double()(x.double()).numpy().astype(numpy.float32)
        write(data / "output_0.pb", z, "z")


if __name__ == "__main__":
    main()
