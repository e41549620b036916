#!/usr/bin/python3
"""Measures the E/I VGG16 against PyTorch: a training step, and inference.

Compiles examples/ei_vgg16.txtpb, checks that PyTorch computes the same loss from
the same parameters, and lets the two take turns, round by round, with the same
number of threads. Prints the medians and their ratio.

The peer is the same network in PyTorch: two convolutions a layer, an einsum over
the channels, autograd, corrected gradients, plain SGD and clamping. For inference
it runs without autograd.

usage: vgg16.py [--build DIR] [--rounds N] [--seconds S] [--threads N]
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from networks import load_tensors, save_tensors

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHANNELS = [64, 64, 0, 128, 128, 0, *[256] * 3, 0, *[512] * 3, 0, *[512] * 3, 0]
BATCH = 32
LEARNING_RATE = 0.01
NONNEGATIVE = {"wex", "wix", "wei", "g"}


class Ei(nn.Module):
    """An E/I layer, a convolution if its weights have four dimensions."""

    def __init__(self, parameters: dict[str, Tensor]):
        super().__init__()
        for role, value in parameters.items():
            self.register_parameter(role, nn.Parameter(value.clone()))
        ne, d = self.wex.shape[0], self.wex[0].numel()
        self.correction = {"wix": ne**-0.5, "wei": 1.0 / d, "alpha": ne**-0.5 / d}

    def forward(self, x: Tensor) -> Tensor:
        strong = self.wei * self.alpha.exp()
        if self.wex.dim() == 4:
            ze = nn.functional.conv2d(x, self.wex, padding=1)
            zi = nn.functional.conv2d(x, self.wix, padding=1)
            mix = nn.functional.conv2d
            subtracted = mix(zi, self.wei[:, :, None, None])
            divisor = mix(zi, strong[:, :, None, None]) + 1e-8
            g, b = self.g[:, None, None], self.b[:, None, None]
        else:
            ze = nn.functional.linear(x, self.wex)
            zi = nn.functional.linear(x, self.wix)
            subtracted = nn.functional.linear(zi, self.wei)
            divisor = nn.functional.linear(zi, strong) + 1e-8
            g, b = self.g, self.b
        return g * ((ze - subtracted) / divisor) + b


def build_network(parameters: dict[str, Tensor]) -> nn.Sequential:
    layers: dict[int, dict[str, Tensor]] = {}
    for name, value in parameters.items():
        layer, role = name.split(".")
        layers.setdefault(int(layer), {})[role] = value
    modules: list[nn.Module] = []
    for index, channels in enumerate(CHANNELS):
        modules += [Ei(layers[index]), nn.ReLU()] if channels else [nn.MaxPool2d(2)]
    modules += [nn.AdaptiveAvgPool2d(4), nn.Flatten()]
    dense = [Ei(layers[len(CHANNELS) + 1 + i]) for i in range(3)]
    modules += [dense[0], nn.ReLU(), dense[1], nn.ReLU(), dense[2]]
    return nn.Sequential(*modules)


def train_step(network: nn.Sequential, x: Tensor, y: Tensor) -> float:
    loss = nn.functional.cross_entropy(network(x), y)
    network.zero_grad()
    loss.backward()
    with torch.no_grad():
        for module in network:
            for role, parameter in module.named_parameters():
                rate = LEARNING_RATE * module.correction.get(role, 1.0)
                parameter.sub_(parameter.grad, alpha=rate)
                if role in NONNEGATIVE:
                    parameter.clamp_(min=0)
    return loss.item()


def infer(network: nn.Sequential, x: Tensor) -> None:
    with torch.inference_mode():
        network(x)


def measure(call: Callable[[], object], seconds: float) -> float:
    """The median time of a call, in milliseconds."""
    end, calls = time.monotonic() + seconds, []
    while len(calls) < 2 or time.monotonic() < end:
        start = time.perf_counter()
        call()
        calls.append(1e3 * (time.perf_counter() - start))
    return statistics.median(calls)


def run(*command: object) -> str:
    return subprocess.run(
        [str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    x, y = torch.rand(BATCH, 3, 32, 32), torch.randint(10, (BATCH,))

    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        program = directory / "ei_vgg16"
        model = ROOT / "examples" / "ei_vgg16.txtpb"
        run(options.build / "bin" / "dann-compile", model, "-o", program)
        save_tensors(directory / "in.safetensors", {"seed": torch.tensor(1).numpy()})
        initial = directory / "initial.safetensors"
        run(program, "run", "init", "--input", directory / "in.safetensors",
            "--output", initial)  # fmt: skip
        parameters = {k: torch.from_numpy(v) for k, v in load_tensors(initial).items()}
        network = build_network(parameters)
        given, made = directory / "batch.safetensors", directory / "loss.safetensors"
        save_tensors(given, {"x": x.numpy(), "y": y.numpy(),
                             **{k: v.numpy() for k, v in parameters.items()}})  # fmt: skip
        run(program, "run", "evaluate", "--input", given, "--output", made)
        ours = float(load_tensors(made)["loss"])
        theirs = nn.functional.cross_entropy(network(x), y).item()
        if abs(ours - theirs) > 1e-3 * abs(theirs):
            raise SystemExit(f"losses differ: {ours} and PyTorch's {theirs}")

        times: dict[tuple[str, str], list[float]] = {}
        peers = {
            "train_step": lambda: train_step(network, x, y),
            "forward": lambda: infer(network, x),
        }
        for call in peers.values():
            call()
        for _ in range(options.rounds):
            result = json.loads(
                run(program, "bench", "--json", "--batch-size", BATCH,
                    "--threads", options.threads, "--seconds", options.seconds)
            )  # fmt: skip
            for what, call in peers.items():
                times.setdefault((what, "dann"), []).append(result[what + "_ms"])
                peer = measure(call, options.seconds / 2)
                times.setdefault((what, "PyTorch"), []).append(peer)
    print(f"E/I VGG16, batch {BATCH}, {options.threads} threads:")
    for what in peers:
        ours, theirs = (
            statistics.median(times[what, peer]) for peer in ("dann", "PyTorch")
        )
        print(
            f"{what}: dann {ours:.0f} ms, PyTorch {theirs:.0f} ms, "
            f"ratio {theirs / ours:.2f}"
        )


if __name__ == "__main__":
    main()
