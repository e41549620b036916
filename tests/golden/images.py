#!/usr/bin/python3
"""Writes images.safetensors: the network of images.txtpb, built of PyTorch's
convolutions and pools in float64 and trained for 20 steps on one batch.

Usage: images.py OUTPUT
"""

import json
import math
import struct
import sys

import numpy
import torch
import torch.nn.functional as F

LEARNING_RATE = 0.01
torch.manual_seed(3)
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)


def positive(*shape):
    return torch.rand(shape) * 0.3 + 0.05


def shift(count):
    return torch.rand(count) * 0.2 - 0.05


parameters = {
    "0.wex": positive(6, 3, 3, 2), "0.wix": positive(2, 3, 3, 2),
    "0.wei": positive(6, 2), "0.alpha": shift(2) - 1,
    "0.g": positive(6) + 0.8, "0.b": shift(6),
    "2.wex": positive(5, 6, 2, 2), "2.wix": positive(1, 6, 2, 2),
    "2.wei": positive(5, 1), "2.b": shift(5) + 0.3,
    "4.w": torch.randn(4, 5, 1, 3) * 0.2, "4.b": shift(4),
    "8.w": torch.randn(3, 12) * 0.1, "8.b": shift(3),
}
# The fan-in and the number of excitatory units of E/I layers.
units = {"0": (18, 6), "2": (24, 5)}
x = torch.rand(5, 3, 8, 7)
y = torch.tensor([0, 2, 1, 1, 0])


def forward(p):
    padded = F.pad(x, (0, 1, 1, 2))  # left, right, top, bottom

    def convolve(w):
        return F.conv2d(padded, w, stride=(2, 1), dilation=(1, 2))

    def mix(w, images):
        return torch.einsum("ei,bihw->behw", w, images)

    zi = convolve(p["0.wix"])
    gamma = mix(p["0.wei"] * p["0.alpha"].exp(), zi) + 1e-8
    z = (convolve(p["0.wex"]) - mix(p["0.wei"], zi)) / gamma
    z = z * p["0.g"].view(-1, 1, 1) + p["0.b"].view(-1, 1, 1)
    h = F.max_pool2d(z.relu(), 2, stride=1)
    w = p["2.wex"] - torch.einsum("ei,icyx->ecyx", p["2.wei"], p["2.wix"])
    h = F.conv2d(h, w, p["2.b"]).relu()
    h = F.avg_pool2d(h, 2, padding=1)
    h = F.conv2d(h, p["4.w"], p["4.b"], padding=(0, 1))
    h = F.max_pool2d(h, 2, padding=1)
    h = F.adaptive_avg_pool2d(h, (3, 1))
    return F.linear(h.flatten(1), p["8.w"], p["8.b"])


def loss_and_gradients():
    for parameter in parameters.values():
        parameter.requires_grad_(True)
        parameter.grad = None
    loss = F.cross_entropy(forward(parameters), y)
    loss.backward()
    return loss.detach()


def correction(name):
    layer, role = name.split(".")
    if layer not in units:
        return 1
    d, ne = units[layer]
    return {"wix": 1 / math.sqrt(ne), "wei": 1 / d,
            "alpha": 1 / (math.sqrt(ne) * d)}.get(role, 1)


def step():
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter -= LEARNING_RATE * correction(name) * parameter.grad
            if name.split(".")[1] in ("wex", "wix", "wei", "g"):
                parameter.clamp_(min=0)


def main():
    tensors = {"x": x, "y": y}

    def keep(stage):
        for name, parameter in parameters.items():
            tensors[f"{stage}/{name}"] = parameter.detach().clone()

    keep("init")
    losses = []
    for i in range(20):
        losses.append(loss_and_gradients())
        if i == 0:
            tensors["logits"] = forward(parameters).detach()
            tensors["loss"] = losses[0].reshape(1)
            for name, parameter in parameters.items():
                tensors[f"grad/{name}"] = parameter.grad.clone()
        step()
        if i == 0:
            keep("step1")
    keep("step20")
    tensors["losses"] = torch.stack(losses)

    header = {"__metadata__": {"model": "see images.txtpb", "corrected": "True",
                               "learning_rate": str(LEARNING_RATE)}}
    data = b""
    for name, tensor in tensors.items():
        array = tensor.numpy()
        content = numpy.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": {"f": "F64", "i": "I64"}[array.dtype.kind],
                        "shape": list(array.shape),
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(sys.argv[1], "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
    print("losses", losses[0].item(), losses[-1].item())


main()
