"""What the runs of an experiment mean: tables, claims, and files of numbers."""

import csv
import dataclasses
import json
import pathlib
import statistics
from collections.abc import Iterable

import numpy

import spectra
from description import MEASURES, Claim, Experiment, ExperimentError, Network
from runs import Outcome
from spectra import Spectrum


@dataclasses.dataclass
class NetworkResult:
    """A network's learning rate and runs; `tried` has the outcomes of each rate
    of the search, one a seed, and is empty if the rate was given."""

    network: Network
    learning_rate: float
    tried: dict[float, list[Outcome]]
    finals: list[Outcome]

    @property
    def finished(self) -> list[Outcome]:
        return [outcome for outcome in self.finals if not outcome.diverged]

    def measures(self, what: str, averaged: int) -> list[float]:
        """One number for each seed; infinite if its run diverged."""
        if what == "learning_rate":
            return [self.learning_rate] * len(self.finals)
        if what == "test_error":
            return [outcome.last("test_error", averaged) for outcome in self.finals]
        return [
            float("inf") if outcome.diverged else outcome.train_error
            for outcome in self.finals
        ]


@dataclasses.dataclass
class Weights:
    """Elements of some parameters of a network, before and after training."""

    network: str
    initial: dict[str, numpy.ndarray]
    trained: dict[str, numpy.ndarray]


@dataclasses.dataclass
class Spectra:
    """Of some matrices of a network, before and after training."""

    network: str
    initial: dict[str, Spectrum]
    trained: dict[str, Spectrum]


def mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values)


def deviation(values: numpy.ndarray) -> numpy.ndarray:
    """The sample standard deviation over the first axis; of one sample 0."""
    return numpy.std(values, axis=0, ddof=1 if len(values) > 1 else 0)


def spread(values: list[float], digits: int) -> str:
    """Mean ± sample standard deviation."""
    if not values:
        return "diverged"
    text = f"{mean(values):.{digits}f}"
    if len(values) > 1:
        text += f" ± {statistics.stdev(values):.{digits}f}"
    return text


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """The first column is text, the others numbers."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def result_row(experiment: Experiment, result: NetworkResult) -> list[str]:
    finished = result.finished
    name = result.network.name
    if len(finished) < len(result.finals):
        lost = len(result.finals) - len(finished)
        name += f" ({lost} of {len(result.finals)} runs diverged)"
    errors = [outcome.last("test_error", experiment.averaged) for outcome in finished]
    losses = [outcome.last("test_loss", experiment.averaged) for outcome in finished]
    return [
        name,
        f"{result.learning_rate:g}",
        spread(errors, 2),
        spread(losses, 3),
        spread([outcome.train_error for outcome in finished], 2),
        spread([outcome.train_loss for outcome in finished], 4),
    ]


def search_row(experiment: Experiment, result: NetworkResult) -> list[str]:
    def cell(rate: float, outcomes: list[Outcome]) -> str:
        errors = [
            outcome.last("validation_error", experiment.averaged) for outcome in outcomes
        ]
        number = mean(errors)
        text = f"{rate:g}: " + (f"{number:.2f}" if number < 101 else "diverged")
        return f"**{text}**" if rate == result.learning_rate else text

    cells = [cell(rate, outcomes) for rate, outcomes in result.tried.items()]
    return [result.network.name, ", ".join(cells)]


def claim_row(
    claim: Claim, results: dict[str, NetworkResult], averaged: int
) -> list[str]:
    first, second = (
        results[name].measures(claim.what, averaged)
        for name in (claim.first, claim.second)
    )
    if claim.what == "learning_rate":
        ratio = first[0] / second[0]
        value, text = ratio, f"{ratio:.3g}"
    elif max(first + second) == float("inf"):
        return [claim.text, "a run diverged", "", "**not shown**"]
    else:
        # Seed by seed: the same seed shuffles alike for both.
        differences = [a - b for a, b in zip(first, second)]
        value = mean(differences)
        text = f"{value:+.2f}"
        if len(differences) > 1:
            text += f" ± {statistics.stdev(differences):.2f}"
    verdict = "holds" if value <= claim.at_most else "**does not hold**"
    return [
        claim.text,
        f"{text} {MEASURES[claim.what]}",
        f"at most {claim.at_most:g}",
        verdict,
    ]


def weight_rows(weights: list[Weights]) -> list[list[str]]:
    rows = []
    for network in weights:
        for name, trained in network.trained.items():
            initial = logarithms(network.initial[name])
            final = logarithms(trained)
            zeros = 100 * numpy.count_nonzero(trained == 0) / trained.size
            rows.append(
                [network.network, name, f"{zeros:.1f} %"]
                + shape_cells(initial)
                + shape_cells(final)
            )
    return rows


def spectrum_rows(found: list[Spectra]) -> list[list[str]]:
    rows = []
    for network in found:
        for scope, trained in network.trained.items():
            before, after = (
                spectrum_cells(spectrum) for spectrum in (network.initial[scope], trained)
            )
            pairs = [cell for pair in zip(before, after) for cell in pair]
            rows.append([network.network, scope, *pairs])
    return rows


def spectrum_cells(spectrum: Spectrum) -> list[str]:
    radius = spectrum.radius
    return [
        "" if radius is None else f"{radius:.2f}",
        f"{spectrum.singular_values.max():.2f}",
        f"{spectrum.entropy:.3f}",
    ]


def shape_cells(values: numpy.ndarray) -> list[str]:
    """Standard deviation and skewness; values that are all equal have none."""
    if values.size == 0 or values.std() == 0:
        return ["0.00", ""]
    return [f"{values.std():.2f}", f"{skewness(values):+.2f}"]


def logarithms(values: numpy.ndarray) -> numpy.ndarray:
    """Natural ones, of the magnitudes that are not zero."""
    magnitudes = numpy.abs(values.astype("f8"))
    return numpy.log(magnitudes[magnitudes > 0])


def skewness(values: numpy.ndarray) -> float:
    """Third standardised moment; 0 for a symmetric distribution."""
    deviations = values - values.mean()
    return float((deviations**3).mean() / values.std() ** 3)


def page(
    experiment: Experiment,
    results: list[NetworkResult],
    weights: list[Weights],
    spectra_found: list[Spectra],
) -> str:
    """table.md"""
    seeds = ", ".join(map(str, experiment.seeds))
    text = [
        f"# {experiment.title}\n",
        "\nMade by `examples/experiments/run.py "
        f"examples/experiments/{experiment.name}.toml`.\n",
        f"\n{experiment.epochs} epochs; mean ± standard deviation over the seeds "
        f"{seeds}. Test errors and losses are means of the last "
        f"{experiment.averaged} evaluations of a run, one every "
        f"{experiment.evaluate_every} steps and at the end of an epoch; training "
        "errors and losses are those of the trained network on the whole training "
        "set.\n",
        "\n",
        markdown_table(
            [
                "network",
                "learning rate",
                "test error, %",
                "test loss",
                "training error, %",
                "training loss",
            ],
            [result_row(experiment, result) for result in results],
        ),
        "\n![Learning curves](curves.svg)\n",
    ]
    if any(result.network.value_name for result in results):
        text.append("\n![Test error by value](sweep.svg)\n")
    if experiment.claims:
        by_name = {result.network.name: result for result in results}
        text += [
            "\n## Claims\n",
            "\nDifferences are taken seed by seed, then their mean ± standard "
            "deviation.\n\n",
            markdown_table(
                ["claim", "measured", "expected", "here"],
                [claim_row(claim, by_name, experiment.averaged) for claim in experiment.claims],
            ),
        ]
    if any(result.tried for result in results):
        search = experiment.search
        text += [
            "\n## Learning rates\n",
            f"\nValidation error in percent after {search.epochs} epochs, on "
            f"{search.validation_samples} samples held out of the training set; "
            f"search seeds: {', '.join(map(str, search.seeds))}. The grid grows "
            "while its best rate is at an end.\n\n",
            markdown_table(
                ["network", "rate: error"],
                [search_row(experiment, result) for result in results if result.tried],
            ).replace("---:", "---"),
        ]
    if weights:
        text += [
            "\n## Weights\n",
            f"\nOf the run with seed {experiment.seeds[0]}: exact zeros after "
            "training, and the standard deviation and skewness of ln |w| of the "
            "others, before and after.\n\n",
            markdown_table(
                ["network", "parameter", "zeros", "std before", "skewness before"]
                + ["std after", "skewness after"],
                weight_rows(weights),
            ),
            "\n![Histograms of the weights](histograms.svg)\n",
        ]
    if spectra_found:
        text += [
            "\n## Spectra\n",
            f"\nOf the run with seed {experiment.seeds[0]}, before and after training: "
            "the spectral radius, the largest singular value, and the entropy of the "
            "singular values' shares of their sum, which is 1 if all are equal.\n\n",
            markdown_table(
                ["network", "matrix"]
                + [
                    f"{what} {when}"
                    for what in ("radius", "largest", "entropy")
                    for when in ("before", "after")
                ],
                spectrum_rows(spectra_found),
            ),
        ]
    return "".join(text)


def write_results(
    experiment: Experiment, results: list[NetworkResult], path: pathlib.Path
) -> None:
    """A line for each run, those of the search as well. A run that diverged has
    no numbers."""
    header = ["network", "part", "learning_rate", "seed", "epochs", "error", "loss"]
    header += ["train_error", "train_loss"]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for result in results:
            name = result.network.name
            for rate, outcomes in result.tried.items():
                search = experiment.search
                for seed, outcome in zip(search.seeds, outcomes):
                    start = [name, "search", rate, seed, search.epochs]
                    numbers = run_numbers(outcome, "validation", experiment.averaged)
                    writer.writerow(start + numbers[:2] + ["", ""])
            for seed, outcome in zip(experiment.seeds, result.finals):
                start = [name, "final", result.learning_rate, seed, experiment.epochs]
                writer.writerow(start + run_numbers(outcome, "test", experiment.averaged))


def run_numbers(outcome: Outcome, evaluated: str, averaged: int) -> list:
    if outcome.diverged:
        return [""] * 4
    return [
        round(outcome.last(f"{evaluated}_error", averaged), 4),
        round(outcome.last(f"{evaluated}_loss", averaged), 6),
        round(outcome.train_error, 4),
        round(outcome.train_loss, 6),
    ]


@dataclasses.dataclass
class Curve:
    """What the final runs of a network were like, over epochs."""

    epochs: numpy.ndarray  # of the evaluations, as fractions
    errors: numpy.ndarray  # [seeds, evaluations], of the test set, in percent
    losses: numpy.ndarray  # [seeds, epochs], means over the steps of an epoch


def curve(experiment: Experiment, result: NetworkResult) -> Curve | None:
    """None if all runs diverged."""
    runs = [outcome.records for outcome in result.finished]
    if not runs:
        return None
    steps = numpy.array([record["step"] for record in runs[0]], float)

    def values(what: str) -> numpy.ndarray:
        return numpy.array([[record[what] for record in run] for run in runs])

    # The last evaluation of an epoch sees the loss of all of its steps.
    epochs = [record["epoch"] for record in runs[0]]
    last = [index for index in range(len(epochs)) if epochs[index] not in epochs[index + 1 :]]
    return Curve(
        steps * experiment.epochs / steps[-1],
        values("test_error"),
        values("train_loss")[:, last],
    )


def write_curves(
    experiment: Experiment, results: list[NetworkResult], path: pathlib.Path
) -> None:
    """Means and standard deviations over the seeds, evaluation by evaluation."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["network", "epoch", "seeds", "test_error", "test_error_std"]
        )
        for result in results:
            points = curve(experiment, result)
            if points is None:
                continue
            centre, width = points.errors.mean(axis=0), deviation(points.errors)
            for row in zip(points.epochs, centre, width):
                epoch, *numbers = (round(float(number), 5) for number in row)
                writer.writerow([result.network.name, epoch, len(points.errors), *numbers])


def read_tensors(path: pathlib.Path) -> dict[str, numpy.ndarray]:
    """The floats of a safetensors file."""
    content = path.read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:begin])
    header.pop("__metadata__", None)
    types = {"F32": "<f4", "F64": "<f8"}
    return {
        name: numpy.frombuffer(
            content[slice(*(begin + offset for offset in entry["data_offsets"]))],
            types[entry["dtype"]],
        ).reshape(entry["shape"])
        for name, entry in header.items()
        if entry["dtype"] in types
    }


def read_weights(
    network: str, names: Iterable[str], initial: pathlib.Path, trained: pathlib.Path
) -> Weights:
    """The parameters of those names that the network has."""
    before, after = read_tensors(initial), read_tensors(trained)
    found = [name for name in names if name in after]
    if not found:
        raise ExperimentError(
            f"{network!r} has none of the parameters {', '.join(names)}; it has "
            + ", ".join(after)
        )
    return Weights(
        network,
        {name: before[name] for name in found},
        {name: after[name] for name in found},
    )


def read_spectra(
    network: Network, scopes: Iterable[str], initial: pathlib.Path, trained: pathlib.Path
) -> Spectra:
    """Of the matrices in those scopes that the network has."""

    def read(path: pathlib.Path) -> dict[str, Spectrum]:
        tensors = read_tensors(path)
        matrices = {
            scope: spectra.effective_matrix(tensors, scope, network.inhibitory_inputs)
            for scope in scopes
        }
        return {
            scope: spectra.spectrum(matrix)
            for scope, matrix in matrices.items()
            if matrix is not None
        }

    found = Spectra(network.name, read(initial), read(trained))
    if not found.trained:
        raise ExperimentError(
            f"{network.name!r} has no matrix of {', '.join(scopes)} with "
            f"{network.inhibitory_inputs} inhibitory inputs"
        )
    return found
