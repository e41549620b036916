#!/usr/bin/env python3
"""Writes the models of this directory and what PyTorch computes with them.

usage: generate.py [CASE...]

Needs PyTorch 1.13 and onnx, as Debian 12 has them. Each case is a directory as
in ONNX's own test data: model.onnx, and inputs and outputs in test_data_set_0.
Cases of one layer in many ways differ in how it is written and exported.
"""

import json
import pathlib
import shutil
import struct
import sys
import warnings

import numpy
import onnx
import onnx.numpy_helper
import torch
import torch.nn.functional as F
from torch import nn

HERE = pathlib.Path(__file__).parent
INPUTS = 6
IMAGE = (2, 8, 7)


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


class Convolution(nn.Module):
    """The same for images: the products with x are convolutions, and wei mixes
    the channels of each pixel, as in the paper's code."""

    def __init__(self, channels, ne, ni, kernel=3, **window):
        super().__init__()
        draw = torch.distributions.Exponential(1.0).sample
        d = channels * kernel * kernel
        self.wex = nn.Parameter(draw((ne, channels, kernel, kernel)) / d)
        self.wix = nn.Parameter(draw((ni, channels, kernel, kernel)) / d)
        self.wei = nn.Parameter(draw((ne, ni)) / ni)
        self.alpha = nn.Parameter(torch.randn(ni, 1, 1) * 0.3 - 0.5)
        self.g = nn.Parameter(torch.rand(ne, 1, 1) + 0.5)
        self.b = nn.Parameter(torch.randn(ne, 1, 1) * 0.1)
        self.window = window

    def mix(self, zi):
        pixels = torch.matmul(self.wei, zi.flatten(2))
        return pixels.view(zi.shape[0], -1, zi.shape[2], zi.shape[3])

    def forward(self, x):
        ze = F.conv2d(x, self.wex, **self.window)
        zi = F.conv2d(x, self.wix, **self.window)
        gamma = self.mix(self.alpha.exp() * zi) + 1e-8
        return F.relu(self.g * (ze - self.mix(zi)) / gamma + self.b)


class Einsum(Convolution):
    def mix(self, zi):
        return torch.einsum("ei,bihw->behw", self.wei, zi)


class Permuted(Convolution):
    def mix(self, zi):
        return (zi.permute(0, 2, 3, 1) @ self.wei.T).permute(0, 3, 1, 2)


class Flat(Convolution):
    """Everything on images of one dimension."""

    def forward(self, x):
        ze = F.conv2d(x, self.wex, **self.window)
        zi = F.conv2d(x, self.wix, **self.window).flatten(2)
        inverse = torch.reciprocal(self.wei @ (self.alpha[:, 0].exp() * zi) + 1e-6)
        z = self.g[:, 0] * (ze.flatten(2) - self.wei @ zi) * inverse
        return F.relu(z.view(ze.shape) + self.b)


class Pixelwise(Convolution):
    """With wei as the filters of a convolution, and wei e^alpha computed."""

    def __init__(self, *arguments, **window):
        super().__init__(*arguments, **window)
        self.wei = nn.Parameter(self.wei[:, :, None, None].detach())

    def forward(self, x):
        ze = F.conv2d(x, self.wex, **self.window)
        zi = F.conv2d(x, self.wix, **self.window)
        inverse = 1 / (F.conv2d(zi, self.wei * self.alpha.exp()) + 1e-8)
        return F.relu(self.g * ((ze - F.conv2d(zi, self.wei)) * inverse) + self.b)


class StrengthFolded(Convolution):
    """With wei e^alpha as a parameter, and no gain."""

    def __init__(self, *arguments, **window):
        super().__init__(*arguments, **window)
        strength = self.alpha.exp().view(1, -1)
        self.divisive = nn.Parameter((self.wei * strength)[..., None, None].detach())

    def forward(self, x):
        ze = F.conv2d(x, self.wex, **self.window)
        zi = F.conv2d(x, self.wix, **self.window)
        gamma = F.conv2d(zi, self.divisive) + 1e-8
        return F.relu((ze - F.conv2d(zi, self.wei[..., None, None])) / gamma + self.b)


class SubtractiveConvolution(Convolution):
    def forward(self, x):
        zi = F.conv2d(x, self.wix, **self.window)
        inhibition = F.conv2d(zi, self.wei[:, :, None, None])
        ze = F.conv2d(x, self.wex, bias=self.b.flatten(), **self.window)
        return F.relu(ze - inhibition)


class FoldedConvolution(Convolution):
    """The filters are wex - wei wix."""

    def forward(self, x):
        filters = self.wex - (self.wei @ self.wix.flatten(1)).view_as(self.wex)
        return F.relu(F.conv2d(x, filters, self.b.flatten(), **self.window))


class OtherWindow(Convolution):
    """The interneurons see other pixels."""

    def forward(self, x):
        ze = F.conv2d(x, self.wex, padding=1)
        zi = F.conv2d(x, self.wix, padding=2, dilation=2)
        return (ze - self.mix(zi)) / (self.mix(self.alpha.exp() * zi) + 1e-8)


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


def images(layer):
    """Strides, padding and dilation; one channel and one pixel at the end."""
    return nn.Sequential(
        layer(2, 5, 3, padding=1),
        nn.MaxPool2d(2),
        layer(5, 4, 2, 2, stride=(2, 1), padding=(1, 0), dilation=(1, 2)),
        layer(4, 1, 1, 1),
    )


def negative_image():
    model = nn.Sequential(Convolution(2, 3, 2))
    with torch.no_grad():
        model[0].wix[1, 0, 2, 1] = -0.5
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
    "ei-conv-paper": (lambda: images(Convolution), 13, True, IMAGE),
    "ei-conv-unfolded": (lambda: images(Convolution), 9, False, IMAGE),
    "ei-conv-einsum": (lambda: images(Einsum), 13, True, IMAGE),
    "ei-conv-permuted": (lambda: images(Permuted), 17, True, IMAGE),
    "ei-conv-flat": (lambda: images(Flat), 13, True, IMAGE),
    "ei-conv-pixelwise": (lambda: images(Pixelwise), 17, True, IMAGE),
    "ei-conv-strength-folded": (lambda: images(StrengthFolded), 13, True, IMAGE),
    "ei-conv-subtractive": (lambda: images(SubtractiveConvolution), 13, True, IMAGE),
    "ei-conv-folded": (lambda: images(FoldedConvolution), 13, True, IMAGE),
    "ei-conv-negative": (negative_image, 13, True, IMAGE),
    "ei-conv-other-window": (lambda: nn.Sequential(OtherWindow(2, 3, 2)), 13, True, IMAGE),
    "ei-cnn": (
        lambda: nn.Sequential(
            Convolution(2, 4, 2, padding=1),
            nn.AvgPool2d(2),
            Pixelwise(4, 6, 2),
            nn.Flatten(),
            BatchFirst(6 * 2 * 1, 3, 1),
        ),
        13,
        False,  # so that parameters keep their names
        IMAGE,
    ),
    "standard-cnn-pools": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
            nn.Conv2d(4, 3, 2, stride=(1, 2), dilation=(2, 1)),
            nn.ReLU(),
            nn.AvgPool2d(2, stride=1),
            nn.Flatten(),
            nn.Linear(3, 3),
        ),
        13,
        True,
        IMAGE,
    ),
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


# Classifiers of which a step of training is compared, too.
TRAINED = ["ei-cnn", "standard-cnn-pools", "standard-mlp"]


def write(path, array, name):
    tensor = onnx.numpy_helper.from_array(array, name)
    path.write_bytes(tensor.SerializeToString())


def write_step(directory, model, x):
    """One step of SGD on softmax cross-entropy, with projection: its inputs,
    and the parameters behind it, in double precision."""
    rate = 0.1
    y = torch.arange(len(x)) % model(x).shape[1]
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    tensors = {"x": x.detach().numpy().astype("<f4"), "y": y.numpy()}
    tensors["learning_rate"] = numpy.array(rate, "<f4")
    tensors["loss"] = loss.detach().numpy()
    for name, parameter in model.named_parameters():
        value = (parameter - rate * parameter.grad).detach()
        if name.split(".")[-1] in ("wex", "wix", "wei", "g"):
            value = value.clamp(min=0)
        tensors[name] = value.numpy()
    types = {"f4": "F32", "f8": "F64", "i8": "I64"}
    header, data = {}, b""
    for name, value in tensors.items():
        end = len(data) + value.nbytes
        header[name] = {
            "dtype": types[value.dtype.str[1:]],
            "shape": value.shape,
            "data_offsets": [len(data), end],
        }
        data += value.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    content = struct.pack("<Q", len(text)) + text + data
    (directory / "step.safetensors").write_bytes(content)


def main():
    warnings.filterwarnings("ignore")
    wanted = sys.argv[1:] or CASES
    for name in wanted:
        build, opset, folds, *shape = CASES[name]
        torch.manual_seed(1)
        model = build().eval()
        x = torch.rand(7, *(shape[0] if shape else (INPUTS,)))
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
        if name in TRAINED:
            write_step(directory, model, x.double())


if __name__ == "__main__":
    main()
