#!/usr/bin/python3
"""Measures dann against its peers and against what the machine can do.

Compiles the networks, checks that all peers compute the same, and lets them
take turns, round by round, so that whatever else the machine does meets all of
them. The table shows ratios of medians over the rounds, and goals; each
measurement is in turn the median of many calls, where it is one of calls.

Writes table.md, results.json with every round, and plot.svg to the output
directory. Needs a build, and what benchmarks/run.sh installs.
"""

import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import platform
import sys
import time
from collections.abc import Callable

import report
from networks import dann_model
from peers import (
    BenchmarkError,
    Case,
    Compiler,
    OnnxRuntime,
    ProductBound,
    Program,
    PyTorch,
    candidate_kernels,
    run,
    run_for_cost,
)
from report import Results, Sample, key, width_title

ROOT = pathlib.Path(__file__).resolve().parent.parent
START = time.monotonic()
QUIET = 0.05  # the share of the processors that others may use


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much to measure, and where."""

    build: pathlib.Path
    output: pathlib.Path
    packages: pathlib.Path
    data: pathlib.Path
    threads: int
    rounds: int
    seconds: float  # of each measurement of calls
    trial_seconds: float  # of each setting of a peer, before the rounds
    trial_passes: int
    wait: float
    widths: list[int]
    depths: list[int]
    trains: bool
    kernels: list[str]  # of PyTorch's OpenBLAS


@dataclasses.dataclass(frozen=True)
class Measurement:
    name: str
    take: Callable[[], Sample]


# ------------------------------------------------------------------------------
# The machine
# ------------------------------------------------------------------------------


def busy_fraction(seconds: float = 0.3) -> float:
    """How much of all processors other processes use, while this one sleeps."""

    def read() -> tuple[int, int]:
        times = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
        ticks = [int(ticks) for ticks in times[:8]]
        return sum(ticks), ticks[3] + ticks[4]  # all; idle and waiting for I/O

    total, idle = read()
    time.sleep(seconds)
    total_after, idle_after = read()
    return 1 - (idle_after - idle) / max(total_after - total, 1)


def wait_until_quiet(limit: float) -> float:
    """Waits, `limit` seconds at most, until other processes leave the
    processors alone. Returns what they use in the end."""
    end = time.monotonic() + limit
    while (busy := busy_fraction()) > QUIET and time.monotonic() < end:
        pass
    return busy


def package_version(package: str) -> str:
    try:
        return run("dpkg-query", "-W", "-f", "${Version}", package)
    except BenchmarkError:
        return "unknown"


def describe_cpu() -> str:
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.machine()


def describe_commit() -> str:
    try:
        return run("git", "-C", ROOT, "describe", "--always", "--dirty").strip()
    except BenchmarkError:
        return "unknown"


# ------------------------------------------------------------------------------
# The comparison
# ------------------------------------------------------------------------------


class Comparison:
    """Programs and peers, ready to be measured."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.compiler = Compiler(settings.build)
        self.bound = ProductBound(settings.build)
        self.pytorch = PyTorch(settings.kernels)
        self.onnx_runtime = OnnxRuntime(settings.packages)
        self.programs = self._compile_programs()
        self.cases: dict[tuple[str, int], Case] = {}
        self.pytorch_settings: dict[tuple[str, int, int], dict] = {}
        self.pytorch_trials: dict[str, list[dict]] = {}
        self.onnx_threads: dict[int, int] = {}
        self.busy: list[float] = []

    def _compile_programs(self) -> dict[str, Program]:
        s = self.settings
        examples = ROOT / "examples"
        paper = examples / "fashion_mnist.txtpb"
        jobs = {
            "DANN": (paper, "f32"),
            "standard network": (examples / "fashion_mnist_mlp.txtpb", "f32"),
        }
        if self.compiler.has_bf16:
            jobs["DANN, bf16"] = (paper, "bf16")
        for width in s.widths:
            if width_title(width) not in jobs:
                model = self._write_model(f"width_{width}", [width] * 3)
                jobs[width_title(width)] = (model, "f32")
        programs = {}
        for title, (model, precision) in jobs.items():
            progress(f"compiling {title}")
            path = s.output / f"{model.stem}_{precision}"
            run(*self.compiler.command(model, path, precision))
            programs[title] = Program(title, path)
        return programs

    def _write_model(self, name: str, widths: list[int]) -> pathlib.Path:
        path = self.settings.output / f"{name}.txtpb"
        path.write_text(dann_model(name, widths))
        return path

    def prepare(self) -> None:
        """Checks all peers, and chooses their settings."""
        s = self.settings
        for title in ("DANN", "standard network"):
            for batch_size in (32, 256):
                case = Case(self.programs[title], batch_size, s.output)
                self.cases[title, batch_size] = case
                progress(f"checking and choosing PyTorch's settings: {case.title}")
                self.pytorch.check(case, s.threads)
                wait_until_quiet(s.wait)
                self._choose_pytorch(case)
        for batch_size in (1, 32, 256):
            case = self.cases.get(("DANN", batch_size))
            case = case or Case(self.programs["DANN"], batch_size, s.output)
            self.cases["DANN", batch_size] = case
            progress(f"checking ONNX Runtime: {case.title}")
            self.onnx_runtime.check(case, s.threads)
            wait_until_quiet(s.wait)
            self.onnx_threads[batch_size] = self.onnx_runtime.choose(
                case, {1, s.threads}, s.trial_seconds, s.trial_passes
            )

    def _choose_pytorch(self, case: Case) -> None:
        s, title = self.settings, case.program.title
        trials = self.pytorch.try_settings(
            case, {1, s.threads}, s.trial_seconds, s.trial_passes
        )
        self.pytorch_trials[case.title] = trials
        # With all threads allowed, one alone may still be the fastest.
        for limit in sorted({1, s.threads}):
            best = min(
                (trial for trial in trials if trial["threads"] <= limit),
                key=lambda trial: trial["train_step_ms"],
            )
            self.pytorch_settings[title, case.batch_size, limit] = best

    # What is measured in each round, in this order.

    def measurements(self) -> list[Measurement]:
        s = self.settings
        groups = [
            self._peaks(),
            *(self._steps(batch, s.threads) for batch in (32, 256)),
            self._one_thread(),
            self._inference(),
            self._widths(),
            self._trainings() if s.trains else [],
            self._compilations(),
        ]
        # Some belong to two groups: each is taken once.
        return list({m.name: m for group in groups for m in group}.values())

    def _peaks(self) -> list[Measurement]:
        s = self.settings
        return [
            Measurement(
                f"peak, {report.count(threads, 'thread')}",
                lambda threads=threads: self.bound.peak(threads, s.seconds / 4),
            )
            for threads in sorted({1, s.threads})
        ]

    def _dann(self, title: str, batch_size: int, threads: int) -> Measurement:
        program = self.programs[title]
        return Measurement(
            key("dann", title, batch_size, threads),
            lambda: program.bench(batch_size, threads, self.settings.seconds),
        )

    def _products(self, title: str, batch_size: int, threads: int) -> Measurement:
        program, seconds = self.programs[title], self.settings.seconds
        return Measurement(
            key("products", title, batch_size, threads),
            lambda: self.bound.products(program, batch_size, threads, seconds),
        )

    def _pytorch(self, title: str, batch_size: int, threads: int) -> Measurement:
        case = self.cases[title, batch_size]
        setting = self.pytorch_settings[title, batch_size, threads]
        return Measurement(
            key("PyTorch", title, batch_size, threads),
            lambda: self.pytorch.time(case, setting, self.settings.seconds),
        )

    def _steps(self, batch_size: int, threads: int) -> list[Measurement]:
        taken = [
            peer(title, batch_size, threads)
            for title in ("DANN", "standard network")
            for peer in (self._dann, self._products, self._pytorch)
        ]
        if batch_size == 256 and "DANN, bf16" in self.programs:
            taken.append(self._dann("DANN, bf16", batch_size, threads))
        return taken

    def _one_thread(self) -> list[Measurement]:
        peers = (self._dann, self._products, self._pytorch)
        return [peer("DANN", 32, 1) for peer in peers]

    def _inference(self) -> list[Measurement]:
        s = self.settings
        taken = []
        for batch_size in (1, 32, 256):
            case = self.cases["DANN", batch_size]
            threads = self.onnx_threads[batch_size]
            taken += [
                self._dann("DANN", batch_size, s.threads),
                Measurement(
                    key("ONNX Runtime", "DANN", batch_size, s.threads),
                    lambda case=case, threads=threads: self.onnx_runtime.time(
                        case, threads, s.seconds
                    ),
                ),
            ]
        case = self.cases["DANN", 1]
        taken.append(
            Measurement(
                "ONNX Runtime: nothing",
                lambda: self.onnx_runtime.time_of_nothing(case, s.seconds / 4),
            )
        )
        return taken

    def _widths(self) -> list[Measurement]:
        return [
            peer(width_title(width), 256, self.settings.threads)
            for width in self.settings.widths
            for peer in (self._dann, self._products)
        ]

    def _trainings(self) -> list[Measurement]:
        s = self.settings
        program, case = self.programs["DANN"], self.cases["DANN", 32]
        setting = self.pytorch_settings["DANN", 32, s.threads]
        log = s.output / "training.jsonl"
        return [
            Measurement(
                "dann: training", lambda: program.train(s.data, s.threads, log)
            ),
            Measurement(
                "PyTorch: training",
                lambda: self.pytorch.train(case, setting, s.data, epochs=1),
            ),
        ]

    def _compilations(self) -> list[Measurement]:
        models = {"paper": ROOT / "examples" / "fashion_mnist.txtpb"}
        for depth in self.settings.depths:
            model = self._write_model(f"depth_{depth}", [500] * depth)
            models[f"{depth} layers"] = model
        return [
            Measurement(
                f"compile: {title}",
                lambda model=model: run_for_cost(
                    *self.compiler.command(model, self.settings.output / "compiled")
                ),
            )
            for title, model in models.items()
        ]

    def run_rounds(self) -> Results:
        results = Results(self.settings.threads)
        measurements = self.measurements()
        for index in range(self.settings.rounds):
            progress(f"round {index + 1} of {self.settings.rounds}")
            for measurement in measurements:
                self.busy.append(wait_until_quiet(self.settings.wait))
                results.add(measurement.name, measurement.take())
        return results

    def close(self) -> None:
        self.pytorch.close()
        self.onnx_runtime.close()

    # What there is to say about it.

    def machine(self) -> dict[str, object]:
        return {
            "cpu": describe_cpu(),
            "cpus": os.cpu_count(),
            "target_cpu": self.programs["DANN"].description["target_cpu"],
            "threads": self.settings.threads,
            "date": datetime.date.today().isoformat(),
            "dann": describe_commit(),
            "onednn": package_version("libdnnl2"),
            "pytorch": package_version("python3-torch"),
            "openblas": package_version("libopenblas0-openmp"),
            "onnx_runtime": self.onnx_runtime.version,
        }

    def notes(self, results: Results) -> list[str]:
        settings = [
            f'{title}, batch {batch}: "{setting["variant"]}", '
            f"{report.count(setting['threads'], 'thread')}, "
            f"OpenBLAS kernels {setting['kernels']}"
            for (title, batch, limit), setting in self.pytorch_settings.items()
            if limit == self.settings.threads
        ]
        threads = ", ".join(
            f"{count} at batch {batch}" for batch, count in self.onnx_threads.items()
        )
        nothing = results.median("ONNX Runtime: nothing", "forward_ms")
        notes = [
            "PyTorch runs in the fastest of its settings. " + "; ".join(settings) + ".",
            f"ONNX Runtime runs in the best number of threads ({threads}). Of its "
            f"time {1e3 * nothing:.0f} µs are those of a call from node that "
            "computes nothing.",
        ]
        if "DANN, bf16" not in self.programs:
            notes.append("This dann-compile has no --precision=bf16: no rows of bf16.")
        disturbed = sum(busy > QUIET for busy in self.busy)
        if disturbed:
            notes.append(
                f"**Not an idle machine:** before {disturbed} of {len(self.busy)} "
                "measurements other processes used up to "
                f"{100 * max(self.busy):.0f} % of its processors."
            )
        return notes


def machine_text(machine: dict[str, object], rounds: int) -> str:
    return (
        f"{machine['cpu']}, {report.count(machine['cpus'], 'CPU')} (code for "
        f"{machine['target_cpu']}), {report.count(machine['threads'], 'thread')}, "
        f"{machine['date']}. dann {machine['dann']} with oneDNN {machine['onednn']}, "
        f"PyTorch {machine['pytorch']} with OpenBLAS {machine['openblas']}, ONNX "
        f"Runtime {machine['onnx_runtime']}. Medians over "
        f"{report.count(rounds, 'round')}."
    )


def write(comparison: Comparison, results: Results) -> str:
    """Writes table, rounds and plot. Returns the table."""
    settings = comparison.settings
    machine = comparison.machine()
    heading = machine_text(machine, settings.rounds)
    text = report.markdown(results, heading, comparison.notes(results))
    (settings.output / "table.md").write_text(text)
    document = {
        "machine": machine,
        "busy_before_measurements": comparison.busy,
        "pytorch_trials": comparison.pytorch_trials,
        "onnx_runtime_threads": comparison.onnx_threads,
        "rows": [dataclasses.asdict(row) for row in report.all_rows(results)],
        "rounds": results.samples,
    }
    (settings.output / "results.json").write_text(json.dumps(document, indent=2) + "\n")
    report.plot(results, heading, settings.output / "plot.svg")
    return text


def progress(message: str) -> None:
    """A line on standard error, with the seconds since the start."""
    elapsed = time.monotonic() - START
    print(f"[{elapsed:4.0f} s] {message}", file=sys.stderr, flush=True)


def parse_settings() -> Settings:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one short round of small networks, without training, to try the set-up",
    )
    parser.add_argument("--rounds", type=int, help="default: 5")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument(
        "--seconds", type=float, help="of each measurement of a step or a forward pass"
    )
    parser.add_argument(
        "--wait",
        type=float,
        help="seconds to wait for other processes to be quiet, before each measurement",
    )
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--output", type=pathlib.Path, help="default: BUILD/benchmarks")
    parser.add_argument(
        "--packages",
        type=pathlib.Path,
        help="where npm installed its packages; default: BUILD/benchmarks/packages",
    )
    parser.add_argument(
        "--data",
        type=pathlib.Path,
        default=pathlib.Path("/usr/share/datasets/fashion-mnist"),
    )
    options = parser.parse_args()
    for name in ("rounds", "threads", "seconds"):
        value = getattr(options, name)
        if value is not None and value <= 0:
            parser.error(f"--{name} must be positive")

    def default(value: float | None, quick: float, full: float) -> float:
        return value if value is not None else quick if options.quick else full

    quick, benchmarks = options.quick, options.build / "benchmarks"
    output = (options.output or benchmarks).resolve()
    output.mkdir(parents=True, exist_ok=True)
    return Settings(
        build=options.build.resolve(),
        output=output,
        packages=options.packages or benchmarks / "packages",
        data=options.data,
        threads=options.threads,
        rounds=int(default(options.rounds, 1, 5)),
        seconds=default(options.seconds, 0.1, 1),
        trial_seconds=0.02 if quick else 0.2,
        trial_passes=1 if quick else 3,
        wait=default(options.wait, 0, 30),
        widths=[250, 500] if quick else report.WIDTHS,
        depths=[report.QUICK_DEPTH] if quick else report.DEPTHS,
        trains=not quick,
        kernels=["default"] if quick else candidate_kernels(),
    )


def main() -> None:
    settings = parse_settings()
    try:
        comparison = Comparison(settings)
        comparison.prepare()
        results = comparison.run_rounds()
        comparison.close()
        print(write(comparison, results), end="")
    except BenchmarkError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
