"""Training runs: compiled, started, and kept so that none has to be repeated."""

import dataclasses
import hashlib
import json
import os
import pathlib
import subprocess
import sys

from description import ExperimentError, Network

Record = dict[str, float]


@dataclasses.dataclass(frozen=True)
class Data:
    """The files of a data set, and what tells it from others."""

    train_x: pathlib.Path
    train_y: pathlib.Path
    test_x: pathlib.Path
    test_y: pathlib.Path
    digest: str

    @classmethod
    def find(cls, directory: pathlib.Path) -> "Data":
        names = [
            ("train-images-idx3-ubyte", "train-x.npy"),
            ("train-labels-idx1-ubyte", "train-y.npy"),
            ("t10k-images-idx3-ubyte", "test-x.npy"),
            ("t10k-labels-idx1-ubyte", "test-y.npy"),
        ]
        paths = []
        for idx, npy in names:
            places = [directory / name for name in (idx, idx + ".gz", npy)]
            found = [place for place in places if place.exists()]
            if not found:
                raise ExperimentError(f"{directory} has no {idx}, {idx}.gz or {npy}")
            paths.append(found[0])
        digest = hashlib.sha256()
        for path in paths:
            digest.update(path.read_bytes())
        return cls(*paths, digest.hexdigest())


@dataclasses.dataclass(frozen=True)
class Run:
    """What determines a training run."""

    network: Network
    learning_rate: float
    seed: int
    epochs: int
    evaluate_every: int
    validation_samples: int = 0  # 0: a final run, evaluated on the test set

    @property
    def evaluated(self) -> str:
        return "validation" if self.validation_samples else "test"

    def key(self, data: Data) -> str:
        """The name of its files. The compiler is not part of it."""
        values = dataclasses.asdict(self)
        values["network"] = self.network.program
        text = json.dumps([values, data.digest], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came out of a run. One that diverged has no numbers."""

    diverged: bool
    records: list[Record] = dataclasses.field(default_factory=list)
    train_error: float = 0  # of the trained network, in percent; final runs only
    train_loss: float = 0

    def last(self, what: str, averaged: int) -> float:
        """Mean over the last evaluations of `what`."""
        if self.diverged:
            return float("inf")
        values = [record[what] for record in self.records[-averaged:]]
        return sum(values) / len(values)

    @property
    def seconds(self) -> float:
        return sum(record["seconds"] for record in self.records)


class Runner:
    """Makes runs one after the other, each once: outcomes are kept in files,
    programs as well, and the checkpoints of final runs from `kept_seed`."""

    def __init__(
        self,
        compiler: pathlib.Path,
        data: Data,
        output: pathlib.Path,
        threads: int,
        kept_seed: int | None,
    ):
        self.compiler, self.data, self.output = compiler, data, output
        self.threads, self.kept_seed = threads, kept_seed
        for name in ("programs", "runs"):
            (output / name).mkdir(parents=True, exist_ok=True)

    def program(self, network: Network) -> pathlib.Path:
        """The network's executable; compiles it if there is none yet."""
        digest = hashlib.sha256(network.program.encode()).hexdigest()[:16]
        model = self.output / "programs" / f"{digest}.txtpb"
        program = model.with_suffix("")
        if not program.exists():
            model.write_text(network.model)
            options = [f"--precision={network.precision}", "-o", program]
            result = execute([self.compiler, model, *options])
            if result.returncode != 0:
                sentence = result.stderr.strip().replace(str(model), str(network.model_path))
                raise ExperimentError(f"cannot compile {network.name!r}: {sentence}")
        return program

    def checkpoint(self, run: Run) -> pathlib.Path:
        return self.output / "runs" / f"{run.key(self.data)}.safetensors"

    def outcome(self, run: Run) -> Outcome:
        """Of the run, which is made if it has not been made before."""
        path = self.output / "runs" / f"{run.key(self.data)}.json"
        keep = run.seed == self.kept_seed and not run.validation_samples
        label = f"{run.network.name}, rate {run.learning_rate:g}, seed {run.seed}"
        if path.exists():
            outcome = read_outcome(path)
            if outcome.diverged or not keep or self.checkpoint(run).exists():
                return outcome
        outcome = self.train(run)
        if outcome.diverged:
            result = "diverged"
        else:
            error = outcome.last(f"{run.evaluated}_error", 1)
            result = f"last {run.evaluated} error {error:.2f} %, {outcome.seconds:.0f} s"
        print(f"{label}: {result}", file=sys.stderr, flush=True)
        if not keep:
            self.checkpoint(run).unlink(missing_ok=True)
        values = dataclasses.asdict(outcome)
        values["run"] = label
        temporary = path.with_suffix(".part")
        temporary.write_text(json.dumps(values))
        os.replace(temporary, path)
        return outcome

    def train(self, run: Run) -> Outcome:
        program = self.program(run.network)
        log = self.output / "runs" / f"{run.key(self.data)}.log"
        checkpoint = self.checkpoint(run)
        options = {
            "--train-x": self.data.train_x,
            "--train-y": self.data.train_y,
            "--seed": run.seed,
            "--epochs": run.epochs,
            "--learning-rate": repr(float(run.learning_rate)),
            "--evaluate-every": run.evaluate_every,
            "--threads": self.threads,
            "--log": log,
            "--checkpoint": checkpoint,
        }
        if run.validation_samples:
            options["--validation-samples"] = run.validation_samples
        else:
            options |= {"--test-x": self.data.test_x, "--test-y": self.data.test_y}
        result = execute([program, "train", *flatten(options)])
        if result.returncode == 1 and "training diverged" in result.stderr:
            log.unlink(missing_ok=True)
            return Outcome(diverged=True)
        check(result, run.network)
        records = [json.loads(line) for line in log.read_text().splitlines()]
        log.unlink()
        if run.validation_samples:
            return Outcome(False, records)
        options = {
            "--checkpoint": checkpoint,
            "--test-x": self.data.train_x,
            "--test-y": self.data.train_y,
            "--threads": self.threads,
        }
        result = execute([program, "eval", "--json", *flatten(options)])
        check(result, run.network)
        trained = json.loads(result.stdout)
        return Outcome(False, records, trained["test_error"], trained["test_loss"])

    def initial_parameters(self, network: Network, seed: int) -> pathlib.Path:
        """A file with what training with that seed begins from."""
        program = self.program(network)
        argument = program.with_suffix(".seed")
        result = program.with_suffix(f".init-{seed}.safetensors")
        header = b'{"seed":{"dtype":"I64","shape":[],"data_offsets":[0,8]}}'
        size, value = (number.to_bytes(8, "little") for number in (len(header), seed))
        argument.write_bytes(size + header + value)
        check(
            execute([program, "run", "init", "--input", argument, "--output", result]),
            network,
        )
        return result


def flatten(options: dict) -> list:
    return [item for option in options.items() for item in option]


def execute(command: list) -> subprocess.CompletedProcess:
    try:
        return subprocess.run(list(map(str, command)), capture_output=True, text=True)
    except OSError as error:
        raise ExperimentError(f"cannot run {command[0]}: {error.strerror}")


def check(result: subprocess.CompletedProcess, network: Network) -> None:
    if result.returncode != 0:
        sentence = result.stderr.strip() or f"exit status {result.returncode}"
        raise ExperimentError(f"cannot train {network.name!r}: {sentence}")


def read_outcome(path: pathlib.Path) -> Outcome:
    try:
        values = json.loads(path.read_text())
        del values["run"]
        return Outcome(**values)
    except (ValueError, KeyError, TypeError):
        raise ExperimentError(f"{path} is damaged; remove it to repeat the run")
