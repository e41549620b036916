"""The plots of an experiment, as SVG. Colours are those of Okabe and Ito, which
colour-blind people can tell apart; line styles and markers differ as well."""

import pathlib

import matplotlib

matplotlib.use("Agg")

import numpy
from matplotlib import pyplot
from matplotlib.ticker import FuncFormatter, MaxNLocator

from description import Experiment
from report import NetworkResult, Weights, curve, deviation, logarithms

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
STYLES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (3, 1)), (0, (1, 1))]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]

# The same numbers give the same file.
pyplot.rcParams.update(
    {
        "svg.hashsalt": "dann",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.3,
        "lines.linewidth": 1.4,
        "legend.frameon": False,
    }
)


def look(index: int) -> dict:
    return {
        "color": COLOURS[index % len(COLOURS)],
        # A second round of colours has other styles.
        "linestyle": STYLES[(index + index // len(COLOURS)) % len(STYLES)],
    }


def save(figure, path: pathlib.Path) -> None:
    figure.savefig(path, format="svg", metadata={"Date": None}, bbox_inches="tight")
    pyplot.close(figure)


def draw_curves(
    experiment: Experiment, results: list[NetworkResult], path: pathlib.Path
) -> None:
    """Test error and training loss over epochs: means over the seeds, with one
    standard deviation to either side."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.5))
    ends, highest = [], []
    for index, result in enumerate(results):
        points = curve(experiment, result)
        if points is None:
            continue
        whole_epochs = numpy.arange(1, experiment.epochs + 1)
        for axes, epochs, values in (
            (left, points.epochs, points.errors),
            (right, whole_epochs, points.losses),
        ):
            centre, width = values.mean(axis=0), deviation(values)
            axes.plot(epochs, centre, label=result.network.name, **look(index))
            axes.fill_between(
                epochs,
                centre - width,
                centre + width,
                color=look(index)["color"],
                alpha=0.15,
                linewidth=0,
            )
        centre = points.errors.mean(axis=0)
        ends.append(centre.min())
        # What is seen after the first epoch; before, all fall steeply.
        highest.append(centre[points.epochs >= min(1, points.epochs[-1])].max())
    if ends:
        margin = 0.05 * (max(highest) - min(ends)) + 0.1
        left.set_ylim(min(ends) - margin, max(highest) + margin)
    left.set_ylabel("test error, %")
    right.set_ylabel("training loss, mean over the epoch")
    right.set_yscale("log")
    right.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    right.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, labels = left.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="upper center", ncol=min(4, len(labels)), bbox_to_anchor=(0.5, 0.03)
    )
    figure.suptitle(experiment.title)
    save(figure, path)


def draw_sweep(
    experiment: Experiment, results: list[NetworkResult], path: pathlib.Path
) -> None:
    """Test error by the value that differs, a line for each family; networks
    without one are horizontal lines."""
    figure, axes = pyplot.subplots(figsize=(6.5, 4.5))
    families: dict[str, list[NetworkResult]] = {}
    for result in results:
        if result.finished:
            name = result.network.family or result.network.name
            families.setdefault(name, []).append(result)
    for index, (name, members) in enumerate(families.items()):
        errors = [
            [outcome.last("test_error", experiment.averaged) for outcome in member.finished]
            for member in members
        ]
        centre = [numpy.mean(values) for values in errors]
        width = [deviation(values) for values in errors]
        if not members[0].network.value_name:
            axes.axhline(centre[0], label=name, **look(index))
            continue
        axes.errorbar(
            [member.network.value for member in members],
            centre,
            width,
            label=name,
            marker=MARKERS[index % len(MARKERS)],
            capsize=3,
            **look(index),
        )
        axes.set_xlabel(members[0].network.value_name)
    axes.set_xscale("log")
    values = sorted({result.network.value for result in results if result.network.value})
    axes.set_xticks(values, [f"{value:g}" for value in values])
    axes.minorticks_off()
    axes.set_ylabel("test error, %")
    axes.set_title(experiment.title)
    axes.legend()
    save(figure, path)


def draw_histograms(
    experiment: Experiment, weights: list[Weights], path: pathlib.Path
) -> None:
    """How the magnitudes of weights are distributed, on a logarithmic scale: a
    row for each network, a column for each parameter."""
    names = [
        name
        for name in experiment.histograms
        if any(name in network.trained for network in weights)
    ]
    if not weights:
        return
    figure, grid = pyplot.subplots(
        len(weights),
        len(names),
        figsize=(3.2 * len(names) + 1, 2.1 * len(weights) + 0.8),
        squeeze=False,
        sharex=True,
    )
    for row, network in enumerate(weights):
        for column, name in enumerate(names):
            axes = grid[row][column]
            if name not in network.trained:
                axes.set_axis_off()
                continue
            for index, (label, values) in enumerate(
                (("before training", network.initial), ("after", network.trained))
            ):
                draw_density(axes, values[name], label, index)
            axes.set_title(f"{network.network}: {name}", fontsize=9)
            axes.set_yticks([])
            axes.grid(False)
            if row == len(weights) - 1:
                axes.set_xlabel("log10 |w|")
    grid[0][0].legend(fontsize=8)
    figure.suptitle(experiment.title)
    figure.tight_layout()
    save(figure, path)


def draw_density(axes, values: numpy.ndarray, label: str, index: int) -> None:
    """Of log10 |w|, for all but exact zeros, as a share of all weights."""
    exponents = logarithms(values) / numpy.log(10)
    if exponents.size == 0:
        return
    # The far tail of tiny weights would squeeze all others.
    low, high = numpy.quantile(exponents, 0.002), exponents.max()
    counts, edges = numpy.histogram(exponents, bins=60, range=(low, high + 1e-6))
    density = counts / values.size / (edges[1] - edges[0])
    axes.stairs(density, edges, label=label, color=COLOURS[index], linestyle=STYLES[index])
