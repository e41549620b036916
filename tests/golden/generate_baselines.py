#!/usr/bin/env python3
"""Writes the golden numbers of the baselines: normalised, ColumnEI and frozen
layers, as PyTorch computes them in double precision.

usage: generate_baselines.py DIRECTORY
"""

import json
import pathlib
import struct
import sys

import numpy as np
import torch

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)

# A rate at which no path is unstable: rounding grows little in 20 steps.
INPUTS, UNITS, BATCH, RATE, STEPS = 12, (8, 7, 4), 6, 0.02, 20


class Plain(torch.nn.Module):
    """z = x . w^T + b."""

    def __init__(self, inputs, units):
        super().__init__()
        self.w = torch.nn.Parameter(torch.randn(units, inputs) / inputs**0.5)
        self.b = torch.nn.Parameter(0.1 * torch.randn(units))
        self.sign = None

    def weights(self):
        return self.w if self.sign is None else self.w * self.sign

    def forward(self, x):
        return x @ self.weights().T + self.b

    def project(self):
        if self.sign is not None:
            self.w.data.clamp_(min=0)

    def tensors(self):
        return {"w": self.w, "b": self.b}


class Signed(Plain):
    """Weights of fixed signs: a vector over the inputs, or one each."""

    def __init__(self, inputs, units, sign=None):
        super().__init__(inputs, units)
        self.is_frozen = sign is None
        self.sign = torch.sign(self.w.data) if sign is None else sign
        self.w.data.abs_()

    def tensors(self):
        extra = {"polarity": self.sign} if self.is_frozen else {}
        return {**super().tensors(), **extra}


class Standard(torch.nn.Module):
    """PyTorch's own normalisation behind a linear layer."""

    def __init__(self, inputs, units, norm):
        super().__init__()
        self.w = torch.nn.Parameter(torch.randn(units, inputs) / inputs**0.5)
        self.norm = norm(units)
        self.norm.weight.data = 1 + 0.2 * torch.randn(units)
        self.norm.bias.data = 0.1 * torch.randn(units)

    def forward(self, x):
        return self.norm(x @ self.w.T)

    def project(self):
        pass

    def tensors(self):
        all = {"w": self.w, "g": self.norm.weight, "b": self.norm.bias}
        if isinstance(self.norm, torch.nn.BatchNorm1d):
            all["mean.stat"] = self.norm.running_mean
            all["variance.stat"] = self.norm.running_var
        return all


class AsCoded(Plain):
    """The released code of Cornford et al.: over dimension `over` of z, the
    bias twice, deviations with the divisor n - 1 and without epsilon."""

    def __init__(self, inputs, units, over):
        super().__init__(inputs, units)
        self.g = torch.nn.Parameter(1 + 0.2 * torch.randn(units))
        self.over = over

    def forward(self, x):
        z = super().forward(x)
        centred = z - z.mean(self.over, keepdim=True)
        return self.g / z.std(self.over, keepdim=True) * centred + self.b

    def tensors(self):
        return {**super().tensors(), "g": self.g}


def columns(excitatory, inhibitory):
    return torch.tensor([1.0] * excitatory + [-1.0] * inhibitory)


def networks():
    d, (h1, h2, c) = INPUTS, UNITS
    yield "layer_norm", [
        Standard(d, h1, torch.nn.LayerNorm),
        Standard(h1, h2, torch.nn.LayerNorm),
        Plain(h2, c),
    ]
    yield "batch_norm", [
        Standard(d, h1, torch.nn.BatchNorm1d),
        Standard(h1, h2, torch.nn.BatchNorm1d),
        Plain(h2, c),
    ]
    yield "layer_norm_as_coded", [AsCoded(d, h1, 1), AsCoded(h1, h2, 1), AsCoded(h2, c, 1)]
    yield "batch_norm_as_coded", [AsCoded(d, h1, 0), AsCoded(h1, h2, 0), AsCoded(h2, c, 0)]
    # 3 : 1, of 8 and of 7 units.
    yield "column_ei", [
        Signed(d, h1, columns(d, 0)),
        Signed(h1, h2, columns(6, 2)),
        Signed(h2, c, columns(5, 2)),
    ]
    yield "frozen", [Signed(d, h1), Signed(h1, h2), Signed(h2, c, columns(4, 3))]


def save(path, tensors, metadata):
    header, data = {"__metadata__": metadata}, b""
    for name, tensor in tensors.items():
        array = np.ascontiguousarray(tensor.detach().numpy())
        kind = {"float64": "F64", "int64": "I64"}[array.dtype.name]
        header[name] = {
            "dtype": kind,
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + array.nbytes],
        }
        data += array.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def run(name, layers, directory):
    x, y = torch.rand(BATCH, INPUTS), torch.randint(UNITS[-1], (BATCH,))

    def forward():
        h = x
        for layer in layers[:-1]:
            h = torch.relu(layer(h))
        return layers[-1](h)

    def loss():
        return torch.nn.functional.cross_entropy(forward(), y)

    def snapshot(stage):
        for i, layer in enumerate(layers):
            for kind, tensor in layer.tensors().items():
                out[f"{stage}/{i}.{kind}"] = tensor.detach().clone()

    def set_training(mode):
        for layer in layers:
            layer.train(mode)

    out = {"x": x, "y": y}
    snapshot("init")
    set_training(False)
    out["logits"] = forward().detach().clone()
    out["evaluation_loss"] = loss().detach().clone()
    set_training(True)
    losses = []
    parameters = [p for layer in layers for p in layer.parameters()]
    for step in range(1, STEPS + 1):
        for p in parameters:
            p.grad = None
        value = loss()
        value.backward()
        losses.append(value.item())
        if step == 1:
            out["loss"] = value.detach().clone()
            for i, layer in enumerate(layers):
                for kind, tensor in layer.tensors().items():
                    if tensor.grad is not None:
                        out[f"grad/{i}.{kind}"] = tensor.grad.clone()
        with torch.no_grad():
            for p in parameters:
                p -= RATE * p.grad
            for layer in layers:
                layer.project()
        if step in (1, STEPS):
            snapshot(f"step{step}")
    out["losses"] = torch.tensor(losses)
    # In inference after the training, by what the running statistics are then.
    set_training(False)
    out["step20/logits"] = forward().detach()
    metadata = {"network": name, "learning_rate": str(RATE)}
    save(directory / f"{name}.safetensors", out, metadata)


def main():
    directory = pathlib.Path(sys.argv[1])
    torch.manual_seed(1)
    for name, layers in networks():
        run(name, layers, directory)


main()
