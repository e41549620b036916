"""The networks of the benchmarks in PyTorch, with autograd, corrected gradients,
plain SGD and clamping.

usage: pytorch_worker.py serve
       pytorch_worker.py train REQUEST

`serve` answers requests, one JSON object a line. `train` trains on Fashion-MNIST
for some epochs, as a compiled program does, to show what that takes.
"""

import gzip
import json
import pathlib
import statistics
import sys
import time
from collections.abc import Callable

import numpy
import torch
from torch import Tensor, nn

from networks import parameter_shapes

WARM_UP = 5  # calls, as in `bench`
EVALUATION_BATCH = 500  # as in compiled programs

Step = Callable[[Tensor, Tensor], float]


class EiDense(nn.Module):
    """Excitatory units with divisive inhibition."""

    def __init__(self, ne: int, ni: int, d: int):
        super().__init__()
        self.wex = nn.Parameter(torch.empty(ne, d))
        self.wix = nn.Parameter(torch.empty(ni, d))
        self.wei = nn.Parameter(torch.empty(ne, ni))
        self.alpha = nn.Parameter(torch.empty(ni))
        self.g = nn.Parameter(torch.empty(ne))
        self.b = nn.Parameter(torch.empty(ne))
        # By how much the gradients of inhibitory parameters are multiplied.
        self.correction = {"wix": ne**-0.5, "wei": 1.0 / d, "alpha": ne**-0.5 / d}
        self.nonnegative = {"wex", "wix", "wei", "g"}

    def forward(self, x: Tensor) -> Tensor:
        ze = nn.functional.linear(x, self.wex)
        zi = nn.functional.linear(x, self.wix)
        u = ze - nn.functional.linear(zi, self.wei)
        divisor = nn.functional.linear(zi, self.wei * self.alpha.exp()) + 1e-8
        return self.g * (u / divisor) + self.b


class Dense(nn.Module):
    """A layer of a standard network."""

    def __init__(self, units: int, d: int):
        super().__init__()
        self.w = nn.Parameter(torch.empty(units, d))
        self.b = nn.Parameter(torch.empty(units))
        self.correction: dict[str, float] = {}
        self.nonnegative: set[str] = set()

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.w, self.b)


def build_network(
    description: dict, parameters: dict[str, numpy.ndarray]
) -> nn.Sequential:
    """The network of a compiled program's description."""
    modules: list[nn.Module] = []
    for index, shapes in enumerate(parameter_shapes(description)):
        if "wex" in shapes:
            (ne, d), ni = shapes["wex"], shapes["wix"][0]
            layer: nn.Module = EiDense(ne, ni, d)
        else:
            layer = Dense(*shapes["w"])
        with torch.no_grad():
            for role, parameter in layer.named_parameters():
                parameter.copy_(torch.from_numpy(parameters[f"{index}.{role}"]))
        modules += [layer, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def network_parameters(network: nn.Sequential) -> dict[str, numpy.ndarray]:
    """The parameters under the names that they have in a checkpoint."""
    layers = [module for module in network if hasattr(module, "correction")]
    return {
        f"{index}.{role}": parameter.detach().numpy()
        for index, layer in enumerate(layers)
        for role, parameter in layer.named_parameters()
    }


def build_update(
    network: nn.Sequential, variant: str, learning_rate: float
) -> Callable[[], None]:
    """One of several ways to write the same update, see VARIANTS."""
    layers = [module for module in network if hasattr(module, "correction")]
    parameters = list(network.parameters())
    factors = {
        getattr(layer, role): factor
        for layer in layers
        for role, factor in layer.correction.items()
    }
    nonnegative = [
        getattr(layer, role) for layer in layers for role in layer.nonnegative
    ]
    is_nonnegative = set(nonnegative)

    if variant.startswith("optim"):
        optimizer = torch.optim.SGD(
            parameters, lr=learning_rate, foreach="foreach" in variant
        )

        def update() -> None:
            for parameter, factor in factors.items():
                parameter.grad.mul_(factor)
            optimizer.step()
            for parameter in nonnegative:
                parameter.clamp_(min=0)

    elif variant.startswith("foreach"):
        groups: dict[float, list[nn.Parameter]] = {}
        for parameter in parameters:
            rate = learning_rate * factors.get(parameter, 1.0)
            groups.setdefault(rate, []).append(parameter)
        zeros = [torch.zeros(()) for _ in nonnegative]

        def update() -> None:
            for rate, group in groups.items():
                torch._foreach_add_(group, [p.grad for p in group], alpha=-rate)
            if nonnegative:
                torch._foreach_maximum_(nonnegative, zeros)

    else:

        def update() -> None:
            for parameter in parameters:
                rate = learning_rate * factors.get(parameter, 1.0)
                parameter.add_(parameter.grad, alpha=-rate)
                if parameter in is_nonnegative:
                    parameter.clamp_(min=0)

    return torch.no_grad()(update)


# The first word says how the update is written; traced: with torch.jit.
VARIANTS = ["optim", "optim foreach", "foreach", "in place", "in place, traced"]


def build_step(
    network: nn.Sequential, variant: str, learning_rate: float, x: Tensor
) -> Step:
    """A training step, on batches as large as x, that returns the loss."""
    forward = torch.jit.trace(network, x) if variant.endswith("traced") else network
    parameters = list(network.parameters())
    update = build_update(network, variant, learning_rate)

    def step(x: Tensor, y: Tensor) -> float:
        for parameter in parameters:
            parameter.grad = None
        loss = nn.functional.cross_entropy(forward(x), y)
        loss.backward()
        update()
        return loss.item()

    return step


def measure(function: Callable[[], object], seconds: float) -> float:
    """The median time of a call in milliseconds, as `bench` takes it."""
    for _ in range(WARM_UP):
        function()
    times = []
    begin = time.perf_counter()
    while not times or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        function()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


class Server:
    """Answers requests. What it built for a request serves the next alike."""

    def __init__(self) -> None:
        self.built: dict[str, tuple[Step, Tensor, Tensor]] = {}

    def build(self, request: dict) -> tuple[nn.Sequential, Step, Tensor, Tensor]:
        arrays = numpy.load(request["arrays"])
        network = build_network(request["description"], arrays)
        x, y = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["y"])
        step = build_step(network, request["variant"], request["learning_rate"], x)
        return network, step, x, y

    def step(self, request: dict) -> dict:
        """One step; writes the updated parameters."""
        torch.set_num_threads(request["threads"])
        network, step, x, y = self.build(request)
        loss = step(x, y)
        numpy.savez(request["output"], **network_parameters(network))
        return {"loss": loss}

    def time(self, request: dict) -> dict:
        """The median time of a step."""
        torch.set_num_threads(request["threads"])
        key = json.dumps({k: request[k] for k in ("arrays", "variant", "threads")})
        if key not in self.built:
            self.built[key] = self.build(request)[1:]
        step, x, y = self.built[key]
        return {"train_step_ms": measure(lambda: step(x, y), request["seconds"])}

    def forget(self, request: dict) -> dict:
        """Frees what was built."""
        self.built.clear()
        return {}


def serve() -> None:
    server = Server()
    actions = {"step": server.step, "time": server.time, "forget": server.forget}
    print(json.dumps({"variants": VARIANTS}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = actions[request["do"]](request)
        except Exception as error:  # the driver reports it
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def read_idx(path: pathlib.Path, header: int) -> Tensor:
    """The bytes of an IDX file behind its header."""
    with gzip.open(path) as file:
        return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8)


def train(request: dict) -> None:
    """Trains and evaluates; logs each epoch as compiled programs do."""
    torch.set_num_threads(request["threads"])
    data = pathlib.Path(request["data"])
    sets = {}
    for name in ("train", "t10k"):
        labels = read_idx(data / f"{name}-labels-idx1-ubyte.gz", 8).long()
        images = read_idx(data / f"{name}-images-idx3-ubyte.gz", 16)
        sets[name] = images.reshape(len(labels), -1), labels

    def batch(name: str, indices: Tensor | slice) -> tuple[Tensor, Tensor]:
        images, labels = sets[name]
        return images[indices].float().div_(255), labels[indices]

    network = build_network(request["description"], numpy.load(request["arrays"]))
    size = request["batch_size"]
    x, _ = batch("train", slice(size))
    step = build_step(network, request["variant"], request["learning_rate"], x)
    for _ in range(request["epochs"]):
        start = time.perf_counter()
        for indices in torch.randperm(len(sets["train"][1])).split(size):
            step(*batch("train", indices))
        errors = 0
        with torch.no_grad():
            for begin in range(0, len(sets["t10k"][1]), EVALUATION_BATCH):
                x, y = batch("t10k", slice(begin, begin + EVALUATION_BATCH))
                errors += int((network(x).argmax(1) != y).sum())
        seconds = time.perf_counter() - start
        error = 100 * errors / len(sets["t10k"][1])
        result = {"seconds": seconds, "test_error": error}
        with open(request["log"], "a") as log:
            log.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        train(json.loads(pathlib.Path(sys.argv[2]).read_text()))
    else:
        serve()
