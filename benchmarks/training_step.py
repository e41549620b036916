#!/usr/bin/python3
"""Times a training step and a forward pass of dann against PyTorch.

A DANN and a standard network (examples/) are compiled by dann and written in
PyTorch, with autograd, corrected gradients, plain SGD and clamping. Before
anything is timed, both take the same parameters and batch and must arrive at
the same updated parameters. Then they take turns, round by round, so that
whatever else the machine does meets both; the table shows medians over the
rounds of each round's median.

PyTorch runs in the fastest of several settings, chosen for each network and
batch size before the rounds: how the update is written, with or without
torch.jit, one or two threads, and the kernels of OpenBLAS. Its processes see
no OPENBLAS_* variable but the one that names a setting.

Prints Markdown; writes it and a JSON file with every round to the output
directory. Needs a build and Debian's python3-torch (benchmarks/run.sh).
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
NETWORKS = {"DANN": "fashion_mnist", "standard network": "fashion_mnist_mlp"}
WARM_UP = 5  # calls, as in `bench`

# ------------------------------------------------------------------------------
# The peer: runs in a process of its own, see Worker
# ------------------------------------------------------------------------------


def build_network(description):
    """The network of a program's description, as torch modules."""
    import torch
    from torch import nn

    class EiDense(nn.Module):
        """Excitatory units with divisive inhibition."""

        def __init__(self, ne, ni, d):
            super().__init__()
            self.wex = nn.Parameter(torch.empty(ne, d))
            self.wix = nn.Parameter(torch.empty(ni, d))
            self.wei = nn.Parameter(torch.empty(ne, ni))
            self.alpha = nn.Parameter(torch.empty(ni))
            self.g = nn.Parameter(torch.empty(ne))
            self.b = nn.Parameter(torch.empty(ne))
            # By how much the gradients of inhibitory parameters are multiplied.
            self.correction = {
                "wix": ne**-0.5,
                "wei": 1.0 / d,
                "alpha": ne**-0.5 / d,
            }
            self.nonnegative = {"wex", "wix", "wei", "g"}

        def forward(self, x):
            ze = nn.functional.linear(x, self.wex)
            zi = nn.functional.linear(x, self.wix)
            u = ze - nn.functional.linear(zi, self.wei)
            divisor = nn.functional.linear(zi, self.wei * self.alpha.exp()) + 1e-8
            return self.g * (u / divisor) + self.b

    class Dense(nn.Module):
        def __init__(self, units, d):
            super().__init__()
            self.w = nn.Parameter(torch.empty(units, d))
            self.b = nn.Parameter(torch.empty(units))
            self.correction = {}
            self.nonnegative = set()

        def forward(self, x):
            return nn.functional.linear(x, self.w, self.b)

    shapes = {p["name"]: p["shape"] for p in description["parameters"]}
    layers = sorted({int(name.split(".")[0]) for name in shapes})
    modules = []
    for layer in layers:
        if f"{layer}.wex" in shapes:
            (ne, d), ni = shapes[f"{layer}.wex"], shapes[f"{layer}.wix"][0]
            modules.append(EiDense(ne, ni, d))
        else:
            modules.append(Dense(*shapes[f"{layer}.w"]))
        if layer != layers[-1]:
            modules.append(nn.ReLU())
    return nn.Sequential(*modules)


def build_step(network, variant, learning_rate, x, y):
    """A training step on x and y: a function that returns the loss."""
    import torch

    def compute_loss(x, y):
        return torch.nn.functional.cross_entropy(network(x), y)

    if variant.endswith("traced"):
        traced = torch.jit.trace(network, x)

        def compute_loss(x, y):  # noqa: F811
            return torch.nn.functional.cross_entropy(traced(x), y)

    modules = [m for m in network if hasattr(m, "correction")]
    parameters = list(network.parameters())
    corrected = [
        (getattr(m, role), factor)
        for m in modules
        for role, factor in m.correction.items()
    ]
    nonnegative = [getattr(m, role) for m in modules for role in m.nonnegative]
    factor_of = {parameter: factor for parameter, factor in corrected}
    is_nonnegative = set(nonnegative)

    if variant.startswith("optim"):
        foreach = "foreach" in variant
        optimizer = torch.optim.SGD(parameters, lr=learning_rate, foreach=foreach)

        def update():
            with torch.no_grad():
                for parameter, factor in corrected:
                    parameter.grad.mul_(factor)
                optimizer.step()
                for parameter in nonnegative:
                    parameter.clamp_(min=0)

    elif variant.startswith("foreach"):
        groups = {}
        for parameter in parameters:
            rate = learning_rate * factor_of.get(parameter, 1.0)
            groups.setdefault(rate, []).append(parameter)
        zeros = [torch.zeros(()) for _ in nonnegative]

        def update():
            with torch.no_grad():
                for rate, group in groups.items():
                    torch._foreach_add_(group, [p.grad for p in group], alpha=-rate)
                if nonnegative:
                    torch._foreach_maximum_(nonnegative, zeros)

    else:

        def update():
            with torch.no_grad():
                for parameter in parameters:
                    rate = learning_rate * factor_of.get(parameter, 1.0)
                    parameter.add_(parameter.grad, alpha=-rate)
                    if parameter in is_nonnegative:
                        parameter.clamp_(min=0)

    def step():
        for parameter in parameters:
            parameter.grad = None
        loss = compute_loss(x, y)
        loss.backward()
        update()
        return loss.item()

    return step


VARIANTS = ["optim", "optim foreach", "foreach", "in place", "in place, traced"]


def measure(function, seconds):
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


def run_worker():
    """Serves requests, one JSON object a line."""
    import numpy
    import torch

    def make(request):
        torch.set_num_threads(request["threads"])
        arrays = numpy.load(request["arrays"])
        network = build_network(request["description"])
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                layer, role = name.split(".")
                # ReLUs count as layers of a Sequential.
                name = f"{int(layer) // 2}.{role}"
                parameter.copy_(torch.from_numpy(arrays[name]))
        x, y = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["y"])
        step = build_step(network, request["variant"], request["learning_rate"], x, y)
        return network, x, step

    answer = {"torch": torch.__version__}
    print(json.dumps(answer), flush=True)
    made = {}
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "step":
            network, _, step = make(request)
            result = {"loss": step()}
            updated = {
                f"{int(name.split('.')[0]) // 2}.{name.split('.')[1]}": value.detach()
                for name, value in network.named_parameters()
            }
            numpy.savez(request["output"], **{k: v.numpy() for k, v in updated.items()})
        else:
            key = json.dumps({k: request[k] for k in ("arrays", "variant", "threads")})
            if key not in made:
                made[key] = make(request)
            torch.set_num_threads(request["threads"])
            network, x, step = made[key]

            def forward():
                with torch.no_grad():
                    network(x)

            result = {"train_step_ms": measure(step, request["seconds"])}
            if request["forward"]:
                result["forward_ms"] = measure(forward, request["seconds"])
        print(json.dumps(result), flush=True)


class Worker:
    """A process with PyTorch in it. It sleeps while others are measured."""

    def __init__(self, kernels):
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("OPENBLAS_")
        }
        if kernels != "default":
            environment["OPENBLAS_CORETYPE"] = kernels
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.version = self.receive()["torch"]

    def receive(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the process with PyTorch ended")
        return json.loads(line)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.receive()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# ------------------------------------------------------------------------------
# The driver
# ------------------------------------------------------------------------------

SAFETENSORS_TYPES = {"F32": "<f4", "F64": "<f8", "I64": "<i8"}


def load_tensors(path):
    import numpy

    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        array = numpy.frombuffer(data[begin:end], SAFETENSORS_TYPES[entry["dtype"]])
        tensors[name] = array.reshape(entry["shape"])
    return tensors


def save_tensors(path, tensors):
    header, blob = {}, b""
    types = {numpy_type: name for name, numpy_type in SAFETENSORS_TYPES.items()}
    for name, array in tensors.items():
        data = array.tobytes()
        header[name] = {
            "dtype": types[array.dtype.str],
            "shape": list(array.shape),
            "data_offsets": [len(blob), len(blob) + len(data)],
        }
        blob += data
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + blob)


def run(*command):
    return subprocess.run(
        [str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


class Network:
    """One network in both systems, at one batch size."""

    def __init__(self, title, program, batch_size, output):
        import numpy

        self.title, self.program, self.batch_size = title, program, batch_size
        self.description = json.loads(run(program, "info", "--json"))
        # What `bench` uses: a step takes as long, and nothing runs away.
        self.learning_rate = self.description["defaults"]["learning_rate"] * 1e-3
        self.prefix = str(output / f"{program.name}.{batch_size}")

        seed = self.file("seed.safetensors")
        initial = self.file("initial.safetensors")
        save_tensors(seed, {"seed": numpy.array(1, "<i8")})
        run(program, "run", "init", "--input", seed, "--output", initial)
        self.parameters = load_tensors(initial)
        generator = numpy.random.default_rng(1)
        features = self.description["input"]["shape"][0]
        self.batch = {
            "x": generator.integers(0, 256, (batch_size, features)).astype("<f4") / 255,
            "y": generator.integers(0, self.description["classes"], batch_size),
        }
        self.arrays = self.file("batch.npz")
        numpy.savez(self.arrays, **self.parameters, **self.batch)

    def file(self, name):
        return pathlib.Path(f"{self.prefix}.{name}")

    def request(self, worker, threads, variant, **more):
        return worker.ask(
            description=self.description,
            arrays=str(self.arrays),
            learning_rate=self.learning_rate,
            variant=variant,
            threads=threads,
            **more,
        )

    def check(self, worker, variant, threads):
        """Both systems must make the same step."""
        import numpy

        given, made, theirs = (
            self.file(name)
            for name in ("step.safetensors", "updated.safetensors", "torch.npz")
        )
        rate = numpy.array(self.description["defaults"]["learning_rate"], "<f4")
        save_tensors(given, {**self.parameters, **self.batch, "learning_rate": rate})
        run(self.program, "run", "train_step", "--input", given, "--output", made)
        ours = load_tensors(made)
        worker.ask(
            do="step",
            description=self.description,
            arrays=str(self.arrays),
            learning_rate=float(rate),
            variant=variant,
            threads=threads,
            output=str(theirs),
        )
        for name, value in numpy.load(theirs).items():
            norm = numpy.linalg.norm
            change = norm(value - self.parameters[name])
            difference = norm(value - ours[name])
            # Sums in another order round differently, and a unit whose input
            # is all but zero may be on in one system and off in the other.
            if not difference <= 1e-2 * change + 1e-6 * norm(value):
                sys.exit(
                    f"error: {self.title}, batch {self.batch_size}: one step changes "
                    f"{name} by {change} (norm) in PyTorch ({variant}), and to "
                    f"something {difference} away in dann"
                )

    def time_peer(self, worker, variant, threads, seconds, forward=True):
        return self.request(
            worker, threads, variant, do="time", seconds=seconds, forward=forward
        )

    def time_dann(self, threads, seconds):
        result = json.loads(
            run(
                self.program,
                *("bench", "--batch-size", self.batch_size, "--threads", threads),
                *("--seconds", seconds, "--json"),
            )
        )
        return {key: result[key] for key in ("train_step_ms", "forward_ms")}


def choose_setting(network, workers, threads, seconds, passes=3):
    """The fastest (kernels, variant, threads) of PyTorch, and all their times."""
    settings = [
        (kernels, variant, count)
        for kernels in workers
        for variant in VARIANTS
        for count in sorted({1, threads})
    ]
    for kernels, worker in workers.items():
        for variant in VARIANTS:
            network.check(worker, variant, threads)
    # The best of passes that lie apart: a disturbance seldom meets them all.
    times = {}
    for _ in range(passes):
        for kernels, variant, count in settings:
            time_ = network.time_peer(
                workers[kernels], variant, count, seconds, forward=False
            )["train_step_ms"]
            key = kernels, variant, count
            times[key] = min(times.get(key, time_), time_)
    return min(times, key=times.get), times


def describe_machine():
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in run("lscpu").splitlines()
            if line.startswith("Model name")
        ),
        platform.machine(),
    )
    return f"{model}, {os.cpu_count()} CPUs"


def busy_fraction(seconds=1.0):
    """How much of all processors other processes use, while this one sleeps."""

    def read():
        times = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
        ticks = [int(ticks) for ticks in times[:8]]
        return sum(ticks), ticks[3] + ticks[4]  # all; idle and waiting for I/O

    total, idle = read()
    time.sleep(seconds)
    total_after, idle_after = read()
    return 1 - (idle_after - idle) / max(total_after - total, 1)


def wait_until_quiet(limit):
    """Waits, `limit` seconds at most, until other processes leave the
    processors alone. Returns what they use in the end."""
    end = time.monotonic() + limit
    while (busy := busy_fraction()) > 0.05 and time.monotonic() < end:
        pass
    return busy


def package_version(package):
    result = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", package],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return result.stdout or "unknown"


def candidate_kernels():
    """Settings of OPENBLAS_CORETYPE that this CPU can run."""
    flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    kernels = ["default"]
    if "avx2" in flags:
        kernels.append("Haswell")
    if "avx512f" in flags and "avx512vl" in flags:
        kernels.append("SkylakeX")
    return kernels


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--output", type=pathlib.Path, help="default: BUILD/benchmarks")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--seconds",
        type=float,
        default=1,
        help="how long to time a step, and a forward pass, in a round",
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=30,
        help="how long to wait for other processes to be quiet, before each network",
    )
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 256])
    options = parser.parse_args()
    if options.worker:
        return run_worker()

    output = options.output or options.build / "benchmarks" / "training_step"
    output.mkdir(parents=True, exist_ok=True)
    networks = []
    for title, model in NETWORKS.items():
        program = output / model
        run(options.build / "bin/dann-compile", ROOT / f"examples/{model}.txtpb", "-o", program)
        for batch_size in options.batch_sizes:
            networks.append(Network(title, program, batch_size, output))

    workers = {kernels: Worker(kernels) for kernels in candidate_kernels()}
    settings, trials = {}, {}
    for network in networks:
        wait_until_quiet(options.wait)
        print(f"choosing: {network.title}, batch {network.batch_size}", file=sys.stderr)
        settings[network], trials[network] = choose_setting(
            network, workers, options.threads, 0.2
        )

    rounds = {network: {"dann": [], "PyTorch": []} for network in networks}
    busy = []
    for index in range(options.rounds):
        print(f"round {index + 1} of {options.rounds}", file=sys.stderr)
        for network in networks:
            busy.append(wait_until_quiet(options.wait))
            kernels, variant, threads = settings[network]
            rounds[network]["dann"].append(
                network.time_dann(options.threads, options.seconds)
            )
            rounds[network]["PyTorch"].append(
                network.time_peer(workers[kernels], variant, threads, options.seconds)
            )
    version = next(iter(workers.values())).version
    for worker in workers.values():
        worker.close()

    def median(network, peer, what):
        return statistics.median(entry[what] for entry in rounds[network][peer])

    first = networks[0].description
    machine = {
        "cpu": describe_machine(),
        "target_cpu": first["target_cpu"],
        "threads": options.threads,
        "date": datetime.date.today().isoformat(),
        "busy_before_measurements": busy,
        "pytorch": version,
        "onednn": package_version("libdnnl2"),
        "openblas": package_version("libopenblas0-openmp"),
        "backend": first["backend"],
    }
    lines = [
        f"{machine['cpu']} (code for {machine['target_cpu']}), "
        f"{options.threads} threads, {machine['date']}; PyTorch {version} with "
        f"OpenBLAS {machine['openblas']}, dann with oneDNN {machine['onednn']}. "
        f"Milliseconds, medians over {options.rounds} interleaved rounds.",
        "",
        "| network | batch | step, dann | step, PyTorch | ratio "
        "| forward, dann | forward, PyTorch | ratio |",
        "| --- |" + " ---: |" * 7,
    ]
    for network in networks:
        cells = [network.title, str(network.batch_size)]
        for what in ("train_step_ms", "forward_ms"):
            ours, theirs = median(network, "dann", what), median(network, "PyTorch", what)
            cells += [f"{ours:.2f}", f"{theirs:.2f}", f"{theirs / ours:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    if max(busy) > 0.05:
        lines += [
            "",
            f"Not an idle machine: before {sum(b > 0.05 for b in busy)} of "
            f"{len(busy)} measurements other processes used up to "
            f"{100 * max(busy):.0f} % of its processors.",
        ]
    lines += ["", "PyTorch's fastest settings:", ""]
    for network in networks:
        kernels, variant, threads = settings[network]
        lines.append(
            f"- {network.title}, batch {network.batch_size}: update \"{variant}\", "
            f"{threads} thread{'s' if threads > 1 else ''}, OpenBLAS kernels {kernels}"
        )
    text = "\n".join(lines) + "\n"
    print(text, end="")
    (output / "table.md").write_text(text)
    results = [
        {
            "network": network.title,
            "batch_size": network.batch_size,
            "pytorch_setting": dict(
                zip(("kernels", "variant", "threads"), settings[network])
            ),
            "pytorch_trials_ms": [
                {"kernels": k, "variant": v, "threads": t, "train_step_ms": time_}
                for (k, v, t), time_ in sorted(trials[network].items())
            ],
            "rounds": rounds[network],
        }
        for network in networks
    ]
    document = {"machine": machine, "results": results}
    (output / "results.json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
