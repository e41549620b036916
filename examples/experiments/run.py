#!/usr/bin/env python3
"""Runs an experiment: networks, trained from several seeds, and compared.

usage: run.py DESCRIPTION.toml [--output DIRECTORY] [--data DIRECTORY] [...]

Compiles each network, searches its learning rate on held-out samples of the
training set, trains it from every seed, and writes to the output directory
table.md, curves.svg, results.csv and curves.csv (and sweep.svg or
histograms.svg, if the description asks for them). Finished runs are kept
there; started again, it goes on where it was stopped. docs/experiments.md
says more.

Needs Python 3.11, NumPy and Matplotlib (Debian: python3-matplotlib).
"""

import argparse
import dataclasses
import gzip
import pathlib
import shutil
import sys

try:
    import numpy

    import plots
except ImportError as error:
    sys.exit(f"run.py: error: {error}; on Debian, install python3-matplotlib")

import description
import report
from description import Experiment, ExperimentError, Network, Search
from report import NetworkResult
from runs import Data, Outcome, Run, Runner

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUICK_TRAINING, QUICK_TEST = 1000, 500  # samples
QUICK_VALIDATION = 200


def search_rate(
    experiment: Experiment, network: Network, runner: Runner
) -> tuple[float, dict[float, list[Outcome]]]:
    """The learning rate with the least validation error, mean over the search's
    seeds, and the outcomes of all rates tried. The grid grows by its own steps
    while the best rate is at one of its ends."""
    if network.is_fixed:
        return network.learning_rates[0], {}
    search = experiment.search
    outcomes: dict[float, list[Outcome]] = {}

    def error(rate: float) -> float:
        if rate not in outcomes:
            outcomes[rate] = [
                runner.outcome(
                    Run(
                        network,
                        rate,
                        seed,
                        search.epochs,
                        experiment.evaluate_every,
                        search.validation_samples,
                    )
                )
                for seed in search.seeds
            ]
        return report.mean(
            outcome.last("validation_error", experiment.averaged)
            for outcome in outcomes[rate]
        )

    rates = list(network.learning_rates)
    for _ in range(2 * search.extensions + 1):
        # Of equal rates, all diverged perhaps, the smallest.
        best = min(rates, key=lambda rate: (error(rate), rate))
        lowest, highest = best == rates[0], best == rates[-1]
        grown = len(rates) - len(network.learning_rates)
        if grown >= search.extensions or not (lowest or highest):
            break
        if lowest:
            rates.insert(0, rounded(rates[0] * rates[0] / rates[1]))
        else:
            rates.append(rounded(rates[-1] * rates[-1] / rates[-2]))
    return best, dict(sorted(outcomes.items()))


def rounded(rate: float) -> float:
    """To four digits, as a rate is printed."""
    return float(f"{rate:.4g}")


def run_experiment(experiment: Experiment, runner: Runner) -> list[NetworkResult]:
    """First all searches, then all final runs, seed by seed, so that a slow
    minute of the machine meets all networks alike."""
    for network in experiment.networks:
        runner.program(network)
    found = [search_rate(experiment, network, runner) for network in experiment.networks]
    results = [
        NetworkResult(network, rate, tried, [])
        for network, (rate, tried) in zip(experiment.networks, found)
    ]
    for seed in experiment.seeds:
        for result in results:
            result.finals.append(runner.outcome(final_run(experiment, result, seed)))
    return results


def final_run(experiment: Experiment, result: NetworkResult, seed: int) -> Run:
    return Run(
        result.network,
        result.learning_rate,
        seed,
        experiment.epochs,
        experiment.evaluate_every,
    )


def quick_data(data: Data, directory: pathlib.Path) -> Data:
    """A small part of a data set, as files of their own."""
    directory.mkdir(parents=True, exist_ok=True)
    for part, x, y, count in (
        ("train", data.train_x, data.train_y, QUICK_TRAINING),
        ("test", data.test_x, data.test_y, QUICK_TEST),
    ):
        numpy.save(directory / f"{part}-x.npy", read_array(x)[:count])
        numpy.save(directory / f"{part}-y.npy", read_array(y)[:count])
    return Data.find(directory)


def read_array(path: pathlib.Path) -> numpy.ndarray:
    """An .npy file, or an IDX file of bytes, plain or compressed."""
    if path.suffix == ".npy":
        return numpy.load(path)
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        content = file.read()
    rank = content[3]
    shape = numpy.frombuffer(content, ">i4", rank, 4)
    return numpy.frombuffer(content, "u1", offset=4 + 4 * rank).reshape(shape)


def quick_experiment(experiment: Experiment) -> Experiment:
    """The same networks, trained for seconds: says whether all of it works."""
    networks = tuple(
        dataclasses.replace(network, learning_rates=network.learning_rates[:2])
        for network in experiment.networks
    )
    return dataclasses.replace(
        experiment,
        title=f"{experiment.title} (quick: these numbers mean nothing)",
        epochs=1,
        seeds=experiment.seeds[:2],
        evaluate_every=10,
        networks=networks,
        search=Search(1, experiment.search.seeds[:1], QUICK_VALIDATION, 0)
        if experiment.search
        else None,
    )


def write_results(
    experiment: Experiment, results: list[NetworkResult], runner: Runner
) -> None:
    output = runner.output
    seed = experiment.seeds[0]

    def parameters(result: NetworkResult) -> tuple[pathlib.Path, pathlib.Path]:
        """Files of the first seed's, before and after training."""
        return (
            runner.initial_parameters(result.network, seed),
            runner.checkpoint(final_run(experiment, result, seed)),
        )

    trained = [result for result in results if not result.finals[0].diverged]
    weights, spectra = [], []
    if experiment.histograms:
        weights = [
            report.read_weights(
                result.network.name, experiment.histograms, *parameters(result)
            )
            for result in trained
        ]
        plots.draw_histograms(experiment, weights, output / "histograms.svg")
    if experiment.spectra:
        spectra = [
            report.read_spectra(result.network, experiment.spectra, *parameters(result))
            for result in trained
        ]
    (output / "table.md").write_text(report.page(experiment, results, weights, spectra))
    report.write_results(experiment, results, output / "results.csv")
    report.write_curves(experiment, results, output / "curves.csv")
    plots.draw_curves(experiment, results, output / "curves.svg")
    if any(result.network.value_name for result in results):
        plots.draw_sweep(experiment, results, output / "sweep.svg")


def find_compiler(path: pathlib.Path | None) -> pathlib.Path:
    if path:
        return path
    built = ROOT / "build/bin/dann-compile"
    found = shutil.which("dann-compile")
    if built.exists():
        return built
    if found:
        return pathlib.Path(found)
    raise ExperimentError(f"there is no {built}: build dann, or give --dann-compile")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("description", type=pathlib.Path, help="a .toml file")
    parser.add_argument(
        "--output",
        type=pathlib.Path,
        help="where results go; without it build/experiments/ and the "
        "description's name",
    )
    parser.add_argument(
        "--data",
        type=pathlib.Path,
        default=pathlib.Path("/usr/share/datasets/fashion-mnist"),
        help="directory of the data set",
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of a run")
    parser.add_argument("--dann-compile", type=pathlib.Path, help="the compiler")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a little data and one epoch, to see whether everything works",
    )
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    experiment = description.read(arguments.description)
    output = arguments.output or ROOT / "build/experiments" / experiment.name
    output = output.resolve()
    try:
        output.mkdir(parents=True, exist_ok=True)
        data = Data.find(arguments.data)
        if arguments.quick:
            experiment = quick_experiment(experiment)
            data = quick_data(data, output / "data")
        runner = Runner(
            find_compiler(arguments.dann_compile),
            data,
            output,
            arguments.threads,
            # The parameters of this one are looked at.
            kept_seed=experiment.seeds[0]
            if experiment.histograms or experiment.spectra
            else None,
        )
        results = run_experiment(experiment, runner)
        write_results(experiment, results, runner)
    except OSError as error:
        raise ExperimentError(f"{error.filename}: {error.strerror}")
    print(f"the results are in {output}")


if __name__ == "__main__":
    try:
        main()
    except ExperimentError as error:
        sys.exit(f"run.py: error: {error}")
    except KeyboardInterrupt:
        sys.exit("run.py: stopped; started again, it goes on with the next run")
