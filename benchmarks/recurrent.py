"""A training step of a recurrent network against PyTorch, in one run.

usage: recurrent.py [--model FILE] [--batch-size N] [--threads N] [--seconds N]
                    [--rounds N] [--build DIRECTORY]

Compiles a model of subtractive `ei_recurrent` layers and one `ei_dense`, by
default examples/fashion_mnist_rows_dann.txtpb, writes the same network in
PyTorch, checks that one step of both gives the same parameters, and times them
in turn. PyTorch computes the layers in two ways: as the equations say them, each
sum of a step by itself, and folded: the weights once a training step, and what
the input gives in one product for all steps. Both are measured with one thread
and with all; the faster one counts.
"""

import argparse
import pathlib
import statistics
import time

import numpy
import torch
from torch import Tensor, nn

from networks import Tensors
from peers import Compiler, Program, run

ROOT = pathlib.Path(__file__).resolve().parent.parent
WARM_UP = 3  # calls
TOLERANCE = 1e-3  # of the largest change of a parameter: f32, in other orders
# So large that the changes of parameters are more than their rounding.
CHECKED_RATE = 1.0


class Network:
    """The network and its updates in PyTorch, in the parameters of a program."""

    def __init__(self, parameters: Tensors, learning_rate: float, folded: bool):
        self.folded = folded
        self.p = {
            name: nn.Parameter(torch.from_numpy(value.copy()))
            for name, value in parameters.items()
        }
        self.rate = learning_rate
        names = [name.split(".") for name in parameters]
        self.recurrent = sorted({int(name[0]) for name in names if len(name) == 3})
        (self.output,) = {int(name[0]) for name in names if len(name) == 2}
        self.factors = {
            name: self._factor(name, value.shape) for name, value in self.p.items()
        }

    def _factor(self, name: str, shape: torch.Size) -> float:
        """The correction of inhibitory gradients."""
        stem, _, role = name.rpartition(".")
        ne, d = self.p[f"{stem}.wex"].shape
        return {"wix": ne**-0.5, "wei": 1 / d}.get(role, 1.0)

    def _fold(self, stem: str) -> Tensor:
        p = self.p
        return p[f"{stem}.wex"] - p[f"{stem}.wei"] @ p[f"{stem}.wix"]

    def _receive(self, x: Tensor, stem: str) -> Tensor:
        """Excitation less inhibition."""
        linear, p = nn.functional.linear, self.p
        inhibition = linear(linear(x, p[f"{stem}.wix"]), p[f"{stem}.wei"])
        return linear(x, p[f"{stem}.wex"]) - inhibition

    def _run_folded(self, states: Tensor, layer: int) -> list[Tensor]:
        inputs = nn.functional.linear(
            states, self._fold(f"{layer}.u"), self.p[f"{layer}.u.b"]
        )
        w = self._fold(f"{layer}.w").t()
        h = torch.relu(inputs[0])
        all_states = [h]
        for step in range(1, len(inputs)):
            h = torch.relu(torch.addmm(inputs[step], h, w))
            all_states.append(h)
        return all_states

    def _run_cells(self, states: Tensor, layer: int) -> list[Tensor]:
        all_states: list[Tensor] = []
        for x in states:
            z = self._receive(x, f"{layer}.u") + self.p[f"{layer}.u.b"]
            if all_states:
                z = z + self._receive(all_states[-1], f"{layer}.w")
            all_states.append(torch.relu(z))
        return all_states

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        run_layer = self._run_folded if self.folded else self._run_cells
        states = x.transpose(0, 1)
        for layer in self.recurrent:
            states = torch.stack(run_layer(states, layer))
        logits = self._receive(states[-1], str(self.output))
        logits = logits + self.p[f"{self.output}.b"]
        return nn.functional.cross_entropy(logits, y)

    def step(self, x: Tensor, y: Tensor) -> None:
        for parameter in self.p.values():
            parameter.grad = None
        self.loss(x, y).backward()
        with torch.no_grad():
            for name, parameter in self.p.items():
                parameter.add_(parameter.grad, alpha=-self.rate * self.factors[name])
                if not name.endswith(".b"):
                    parameter.clamp_(min=0)


def measure(network: Network, x: Tensor, y: Tensor, seconds: float) -> float:
    """The median time of a step in milliseconds."""
    for _ in range(WARM_UP):
        network.step(x, y)
    times = []
    begin = time.perf_counter()
    while not times or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        network.step(x, y)
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def check(program: Program, parameters: Tensors, batch: Tensors, folded: bool,
          directory: pathlib.Path) -> None:
    """Whether one step of both gives the same parameters."""
    rate = CHECKED_RATE
    inputs = {**parameters, **batch, "learning_rate": numpy.array(rate, "<f4")}
    updated = program.call("train_step", directory, inputs)
    network = Network(parameters, rate, folded)
    network.step(torch.from_numpy(batch["x"]), torch.from_numpy(batch["y"]))
    for name, before in parameters.items():
        expected = network.p[name].detach().numpy() - before
        error = abs(updated[name] - before - expected).max()
        # Sums accumulate on the parameters.
        rounding = 16 * numpy.finfo("<f4").eps * abs(before).max()
        if error > TOLERANCE * abs(expected).max() + rounding:
            raise SystemExit(f"error: {name} differs from PyTorch's by {error}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--model",
        type=pathlib.Path,
        default=ROOT / "examples/fashion_mnist_rows_dann.txtpb",
    )
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    options = parser.parse_args()

    directory = options.build / "benchmarks" / "recurrent"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / options.model.stem
    run(*Compiler(options.build).command(options.model, path))
    program = Program("recurrent", path)
    description = program.description
    rate = description["defaults"]["learning_rate"]
    parameters = program.call("init", directory, {"seed": numpy.array(1, "<i8")})
    generator = numpy.random.default_rng(1)
    shape = (options.batch_size, *description["input"]["shape"])
    batch = {
        "x": generator.integers(0, 256, shape).astype("<f4") / 255,
        "y": generator.integers(0, description["classes"], options.batch_size),
    }
    torch.set_num_threads(1)
    for folded in (False, True):
        check(program, parameters, batch, folded, directory)

    x, y = torch.from_numpy(batch["x"]), torch.from_numpy(batch["y"])
    dann = []
    pytorch: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(options.rounds):
        result = program.bench(options.batch_size, options.threads, options.seconds)
        dann.append(result["train_step_ms"])
        for folded, medians in pytorch.items():
            times = []
            for threads in sorted({1, options.threads}):
                torch.set_num_threads(threads)
                network = Network(parameters, rate, folded)
                times.append(measure(network, x, y, options.seconds))
            medians.append(min(times))
    ours = statistics.median(dann)
    print("| network | batch | dann | PyTorch | ratio |")
    print("| --- | --- | --- | --- | --- |")
    for folded, medians in pytorch.items():
        theirs = statistics.median(medians)
        print(
            f"| {options.model.stem} | {options.batch_size} | {ours:.2f} ms "
            f"| {'folded' if folded else 'as the equations'}: {theirs:.2f} ms "
            f"| {theirs / ours:.1f} x |"
        )


if __name__ == "__main__":
    main()
