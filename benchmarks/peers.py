"""What is measured: programs that dann compiled, and their peers.

Each peer computes in a process of its own, which sleeps while others are
measured. Before anything is timed, the same parameters and batch must lead to
the same result in all of them.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterable

import numpy

from networks import (
    Tensors,
    load_tensors,
    parameter_shapes,
    save_identity_onnx,
    save_onnx,
    save_tensors,
)

HERE = pathlib.Path(__file__).resolve().parent

# Where settings of the user could favour or hinder one side.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("OPENBLAS_", "OMP_", "GOMP_", "MKL_", "DNNL_", "ONEDNN_"))
}
# How long the threads of the bound spin before they sleep. It is as fast as with
# libgomp's default where no other process computes, and much faster elsewhere.
SPINNING = {"GOMP_SPINCOUNT": "1000"}


class BenchmarkError(Exception):
    """Something that the user has to know; there is nothing to measure."""


def run(*command: object, environment: dict[str, str] | None = None) -> str:
    """The standard output of a command."""
    words = [str(word) for word in command]
    try:
        result = subprocess.run(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment or ENVIRONMENT,
        )
    except OSError as error:
        raise BenchmarkError(f"{words[0]}: {error.strerror}") from error
    if result.returncode != 0:
        raise BenchmarkError(
            f"{' '.join(words)} failed with status {result.returncode}:\n"
            f"{result.stderr.strip()}"
        )
    return result.stdout


def run_for_cost(
    *command: object, environment: dict[str, str] | None = None
) -> dict[str, float]:
    """What a command takes: seconds, cpu_seconds and peak_megabytes."""
    script = HERE / "process_cost.py"
    return json.loads(
        run(sys.executable, "-I", "-S", script, *command, environment=environment)
    )


# ------------------------------------------------------------------------------
# dann
# ------------------------------------------------------------------------------


class Compiler:
    """dann-compile of a build."""

    def __init__(self, build: pathlib.Path):
        self.path = build / "bin" / "dann-compile"
        if not self.path.exists():
            raise BenchmarkError(f"{self.path} does not exist: run scripts/build.sh")
        self.has_bf16 = bool(
            re.search(r"--precision\b.*\bbf16\b", run(self.path, "--help"), re.DOTALL)
        )

    def command(
        self, model: pathlib.Path, program: pathlib.Path, precision: str = "f32"
    ) -> list[object]:
        """The command line that compiles a model file."""
        options = [] if precision == "f32" else [f"--precision={precision}"]
        return [self.path, *options, model, "-o", program]


class Program:
    """A compiled network."""

    def __init__(self, title: str, path: pathlib.Path):
        self.title, self.path = title, path
        self.description = json.loads(run(path, "info", "--json"))
        self.shapes = parameter_shapes(self.description)

    def bench(self, batch_size: int, threads: int, seconds: float) -> dict[str, float]:
        """Median times of a training step and of a forward pass."""
        result = json.loads(
            run(
                *(self.path, "bench", "--json", "--batch-size", batch_size),
                *("--threads", threads, "--seconds", seconds),
            )
        )
        return {name: result[name] for name in ("train_step_ms", "forward_ms")}

    def call(
        self, entry_point: str, directory: pathlib.Path, inputs: Tensors
    ) -> Tensors:
        """The results of an entry point."""
        given = directory / f"{entry_point}.in.safetensors"
        made = directory / f"{entry_point}.out.safetensors"
        save_tensors(given, inputs)
        run(self.path, "run", entry_point, "--input", given, "--output", made)
        return load_tensors(made)

    def train(
        self, data: pathlib.Path, threads: int, log: pathlib.Path
    ) -> dict[str, float]:
        """The cost of a whole training with the model's own settings, and the
        mean time of its epochs."""
        cost = run_for_cost(
            *(self.path, "train", "--data", data, "--threads", threads, "--log", log)
        )
        return {**cost, **epoch_times(log)}


def epoch_times(log: pathlib.Path) -> dict[str, float]:
    """How many epochs a log has, and the mean time that it gives for one."""
    epochs = [json.loads(line)["seconds"] for line in log.read_text().splitlines()]
    return {"epochs": len(epochs), "epoch_seconds": sum(epochs) / len(epochs)}


# ------------------------------------------------------------------------------
# The bound
# ------------------------------------------------------------------------------


class ProductBound:
    """dann_product_bound: the products of a step alone, and the peak."""

    def __init__(self, build: pathlib.Path):
        self.path = build / "bin" / "dann_product_bound"
        if not self.path.exists():
            raise BenchmarkError(
                f"{self.path} does not exist: "
                f"run cmake --build {build} --target dann_product_bound"
            )

    def _run(self, *arguments: object) -> dict[str, float]:
        return json.loads(
            run(self.path, *arguments, environment={**ENVIRONMENT, **SPINNING})
        )

    def products(
        self, program: Program, batch_size: int, threads: int, seconds: float
    ) -> dict[str, float]:
        """The time of the products of a training step, and their operations."""
        layers = []
        for shapes in program.shapes:
            if "wex" in shapes:
                (ne, d), (ni, _) = shapes["wex"], shapes["wix"]
                layers.append(f"ei:{d}:{ne}:{ni}")
            else:
                units, d = shapes["w"]
                layers.append(f"dense:{d}:{units}")
        return self._run(
            *("products", *layers, "--batch-size", batch_size),
            *("--threads", threads, "--seconds", seconds),
        )

    def peak(self, threads: int, seconds: float) -> dict[str, float]:
        """The rate of fused multiply-adds in single precision."""
        return self._run("peak", "--threads", threads, "--seconds", seconds)


# ------------------------------------------------------------------------------
# Workers
# ------------------------------------------------------------------------------


class Worker:
    """A process that answers requests, one JSON object a line."""

    def __init__(self, title: str, command: list[object], environment: dict[str, str]):
        self.title = title
        try:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
        except OSError as error:
            raise BenchmarkError(f"{command[0]}: {error.strerror}") from error
        self.greeting = self._receive()

    def _receive(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise BenchmarkError(f"the process with {self.title} ended, see above")
        answer = json.loads(line)
        if "error" in answer:
            raise BenchmarkError(f"{self.title}: {answer['error']}")
        return answer

    def ask(self, **request: object) -> dict:
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self._receive()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


class Case:
    """A network with parameters and a batch, as files for all peers."""

    def __init__(self, program: Program, batch_size: int, output: pathlib.Path):
        self.program, self.batch_size = program, batch_size
        self.title = f"{program.title}, batch {batch_size}"
        self.directory = output / f"{program.path.name}.{batch_size}"
        self.directory.mkdir(parents=True, exist_ok=True)

        # Not those of an initialisation: there g is 1 and b is 0. The learning
        # rate is the model's own, and the step that of the check.
        self.rate = program.description["defaults"]["learning_rate"]
        self.parameters = program.call(
            "init", self.directory, {"seed": numpy.array(1, "<i8")}
        )
        generator = numpy.random.default_rng(1)
        features = program.description["input"]["shape"][0]
        self.batch = {
            "x": generator.integers(0, 256, (batch_size, features)).astype("<f4") / 255,
            "y": generator.integers(0, program.description["classes"], batch_size),
        }
        self.arrays = self.file("batch.npz")
        numpy.savez(self.arrays, **self.parameters, **self.batch)

    def file(self, name: str) -> pathlib.Path:
        return self.directory / name

    def updated_parameters(self) -> Tensors:
        """Those after one training step of dann."""
        rate = numpy.array(self.rate, "<f4")
        inputs = {**self.parameters, **self.batch, "learning_rate": rate}
        return self.program.call("train_step", self.directory, inputs)


# ------------------------------------------------------------------------------
# PyTorch
# ------------------------------------------------------------------------------


def candidate_kernels() -> list[str]:
    """Settings of OPENBLAS_CORETYPE that this CPU can run."""
    flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    kernels = ["default"]
    if "avx2" in flags:
        kernels.append("Haswell")
    if "avx512f" in flags and "avx512vl" in flags:
        kernels.append("SkylakeX")
    return kernels


class PyTorch:
    """PyTorch in the fastest of several settings: how the update is written,
    with or without torch.jit, how many threads, and the kernels of OpenBLAS."""

    SCRIPT = HERE / "pytorch_worker.py"

    def __init__(self, candidates: list[str]):
        self.workers = {
            kernels: Worker(
                "PyTorch",
                [sys.executable, self.SCRIPT, "serve"],
                self._environment(kernels),
            )
            for kernels in candidates
        }
        self.variants = next(iter(self.workers.values())).greeting["variants"]

    @staticmethod
    def _environment(kernels: str) -> dict[str, str]:
        if kernels == "default":
            return ENVIRONMENT
        return {**ENVIRONMENT, "OPENBLAS_CORETYPE": kernels}

    @staticmethod
    def _request(case: Case, setting: dict) -> dict:
        return {
            "description": case.program.description,
            "arrays": str(case.arrays),
            # As in `bench`: a step takes as long, and nothing runs away.
            "learning_rate": case.rate * 1e-3,
            "variant": setting["variant"],
            "threads": setting["threads"],
        }

    def check(self, case: Case, threads: int) -> None:
        """PyTorch, in all settings, must make the same step as dann."""
        ours = case.updated_parameters()
        output = case.file("pytorch.npz")
        norm = numpy.linalg.norm
        for kernels, worker in self.workers.items():
            for variant in self.variants:
                request = self._request(case, {"variant": variant, "threads": threads})
                request.update(learning_rate=case.rate, output=str(output))
                worker.ask(do="step", **request)
                for name, value in numpy.load(output).items():
                    change = norm(value - case.parameters[name])
                    difference = norm(value - ours[name])
                    # Sums in another order round differently, and a unit whose
                    # input is all but zero may be on in one and off in the other.
                    if not difference <= 1e-2 * change + 1e-6 * norm(value):
                        raise BenchmarkError(
                            f"{case.title}: one step changes {name} by {change} "
                            f"(norm) in PyTorch ({variant}, kernels {kernels}), and "
                            f"to something {difference} away in dann"
                        )

    def try_settings(
        self, case: Case, thread_counts: Iterable[int], seconds: float, passes: int
    ) -> list[dict]:
        """All settings, each with the time of a training step."""
        trials = [
            {"kernels": kernels, "variant": variant, "threads": threads}
            for kernels in self.workers
            for variant in self.variants
            for threads in sorted(set(thread_counts))
        ]
        # The best of passes that lie apart: a disturbance seldom meets them all.
        times = [float("inf")] * len(trials)
        for _ in range(passes):
            for index, setting in enumerate(trials):
                time = self.time(case, setting, seconds)["train_step_ms"]
                times[index] = min(times[index], time)
        for worker in self.workers.values():
            worker.ask(do="forget")
        return [
            {**setting, "train_step_ms": time} for setting, time in zip(trials, times)
        ]

    def time(self, case: Case, setting: dict, seconds: float) -> dict[str, float]:
        """The median time of a training step."""
        worker = self.workers[setting["kernels"]]
        return worker.ask(do="time", seconds=seconds, **self._request(case, setting))

    def train(
        self, case: Case, setting: dict, data: pathlib.Path, epochs: int
    ) -> dict[str, float]:
        """The cost of a training, as Program.train."""
        log, file = case.file("pytorch.jsonl"), case.file("pytorch_train.json")
        log.write_text("")
        request = self._request(case, setting)
        request.update(
            learning_rate=case.rate,
            batch_size=case.batch_size,
            data=str(data),
            epochs=epochs,
            log=str(log),
        )
        file.write_text(json.dumps(request))
        cost = run_for_cost(
            *(sys.executable, self.SCRIPT, "train", file),
            environment=self._environment(setting["kernels"]),
        )
        return {**cost, **epoch_times(log)}

    def close(self) -> None:
        for worker in self.workers.values():
            worker.close()


# ------------------------------------------------------------------------------
# ONNX Runtime
# ------------------------------------------------------------------------------


class OnnxRuntime:
    """ONNX Runtime through its package for node, in the best number of threads."""

    SCRIPT = HERE / "onnxruntime_worker.mjs"

    def __init__(self, packages: pathlib.Path):
        if not (packages / "node_modules" / "onnxruntime-node").exists():
            raise BenchmarkError(
                f"{packages} has no onnxruntime-node: run benchmarks/run.sh"
            )
        self.worker = Worker(
            "ONNX Runtime", ["node", self.SCRIPT, packages.resolve()], ENVIRONMENT
        )
        self.version = self.worker.greeting["version"]

    @staticmethod
    def _request(case: Case, model: str, threads: int) -> dict:
        return {
            "model": str(case.file(model)),
            "threads": threads,
            "input": str(case.file("x.f32")),
            "batch_size": case.batch_size,
        }

    def check(self, case: Case, threads: int) -> None:
        """Exports the network after a training step, so that g and b are not
        what they start with; both systems must compute the same logits."""
        parameters = case.updated_parameters()
        parameters.pop("loss", None)
        save_onnx(case.file("model.onnx"), parameters, len(case.program.shapes))
        save_identity_onnx(case.file("nothing.onnx"))
        case.file("x.f32").write_bytes(case.batch["x"].tobytes())
        output = case.file("logits.f32")

        request = self._request(case, "model.onnx", threads)
        self.worker.ask(do="run", output=str(output), **request)
        inputs = {"x": case.batch["x"], **parameters}
        ours = case.program.call("forward", case.directory, inputs)["logits"]
        theirs = numpy.fromfile(output, "<f4").reshape(ours.shape)
        difference = numpy.abs(theirs - ours).max() / numpy.abs(ours).max()
        if not difference <= 1e-3:
            raise BenchmarkError(
                f"{case.title}: the logits of ONNX Runtime and of dann differ by "
                f"{difference} relative to the largest"
            )

    def choose(
        self, case: Case, thread_counts: Iterable[int], seconds: float, passes: int
    ) -> int:
        """The number of threads that is fastest."""
        times: dict[int, float] = {}
        for _ in range(passes):
            for threads in sorted(set(thread_counts)):
                time = self.time(case, threads, seconds)["forward_ms"]
                times[threads] = min(times.get(threads, time), time)
        return min(times, key=times.get)

    def time(
        self, case: Case, threads: int, seconds: float, model: str = "model.onnx"
    ) -> dict[str, float]:
        """The median time of a forward pass."""
        request = self._request(case, model, threads)
        return self.worker.ask(do="time", seconds=seconds, **request)

    def time_of_nothing(self, case: Case, seconds: float) -> dict[str, float]:
        """What a call takes of a model that does nothing."""
        return self.time(case, 1, seconds, "nothing.onnx")

    def close(self) -> None:
        self.worker.close()
