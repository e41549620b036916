"""What measurements mean: rows with ratios and goals, as Markdown and as a plot."""

import dataclasses
import pathlib
import statistics
from collections.abc import Iterable

WIDTHS = [250, 500, 1000, 2000, 4000]
WIDTH_OF_GOAL = 2000
DEPTHS = [25, 50, 100]
QUICK_DEPTH = 5
TRAINING_SAMPLES, TEST_SAMPLES = 60_000, 10_000  # of Fashion-MNIST

Sample = dict[str, float]


def key(peer: str, network: str, batch_size: int, threads: int) -> str:
    """The name of the measurement of a step or a forward pass."""
    return f"{peer}: {network}, batch {batch_size}, {count(threads, 'thread')}"


def width_title(width: int) -> str:
    """The network of a width; that of the paper is one of them."""
    return "DANN" if width == 500 else f"DANN of width {width}"


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


@dataclasses.dataclass
class Results:
    """What each measurement gave, round by round."""

    threads: int
    samples: dict[str, list[Sample]] = dataclasses.field(default_factory=dict)

    def add(self, name: str, sample: Sample) -> None:
        self.samples.setdefault(name, []).append(sample)

    def __contains__(self, name: str) -> bool:
        return name in self.samples

    def median(self, name: str, what: str) -> float:
        """The median over the rounds."""
        return statistics.median(sample[what] for sample in self.samples[name])

    def step(self, peer: str, network: str, batch_size: int, threads: int) -> float:
        name = key(peer, network, batch_size, threads)
        what = "products_ms" if peer == "products" else "train_step_ms"
        return self.median(name, what)

    def forward(self, peer: str, network: str, batch_size: int) -> float:
        return self.median(key(peer, network, batch_size, self.threads), "forward_ms")

    def rate(self, peer: str, network: str, batch_size: int, threads: int) -> float:
        """Billions of operations of products a second, in a step."""
        name = key("products", network, batch_size, threads)
        operations = self.median(name, "operations")
        return operations / self.step(peer, network, batch_size, threads) / 1e6

    def peak(self, threads: int) -> float:
        return self.median(f"peak, {count(threads, 'thread')}", "gflops")


@dataclasses.dataclass
class Row:
    """A line of the table. `goal` is a limit of `ratio`, or of `value`."""

    what: str
    ours: str
    peer: str = ""
    ratio: str = ""
    goal: str = ""
    met: bool | None = None

    def cells(self) -> list[str]:
        met = {None: "", True: "yes", False: "**no**"}[self.met]
        return [self.what, self.ours, self.peer, self.ratio, self.goal, met]


def milliseconds(value: float) -> str:
    if value >= 1000:
        return f"{value / 1000:.2f} s"
    return f"{value:.3f} ms" if value < 10 else f"{value:.1f} ms"


def faster(
    what: str, ours: float, peer: str, theirs: float, at_least: float | None = None
) -> Row:
    """How many times as fast as a peer."""
    ratio = theirs / ours
    row = Row(what, milliseconds(ours), f"{peer}: {milliseconds(theirs)}")
    row.ratio = f"{ratio:.2f} × as fast"
    if at_least is not None:
        row.goal, row.met = f"≥ {at_least:g} ×", ratio >= at_least
    return row


def costs(
    what: str,
    ours: float,
    peer: str,
    theirs: float,
    at_most: float,
    below: bool = False,
) -> Row:
    """Which multiple of a peer's time. `below`: equal is not enough."""
    ratio = ours / theirs
    row = Row(what, milliseconds(ours), f"{peer}: {milliseconds(theirs)}")
    row.ratio = f"{ratio:.2f} × the time"
    row.goal = f"{'<' if below else '≤'} {at_most:g} ×"
    row.met = ratio < at_most if below else ratio <= at_most
    return row


def share_of_peak(results: Results, what: str, batch_size: int, threads: int) -> Row:
    rate = results.rate("dann", "DANN", batch_size, threads)
    peak = results.peak(threads)
    return Row(
        f"{what}, share of the peak",
        f"{rate:.0f} GF/s",
        f"FMA peak: {peak:.0f} GF/s",
        f"{100 * rate / peak:.0f} %",
    )


# ------------------------------------------------------------------------------
# Rows
# ------------------------------------------------------------------------------


def step_rows(results: Results) -> Iterable[Row]:
    """Training steps of the paper's network with all threads."""
    t = results.threads
    for batch_size, bound, below, pytorch in [(32, 1, True, 4), (256, 1, False, 2.5)]:
        what = f"training step, batch {batch_size}"
        ours = results.step("dann", "DANN", batch_size, t)
        theirs = results.step("products", "DANN", batch_size, t)
        yield costs(what, ours, "its products", theirs, bound, below)
        theirs = results.step("PyTorch", "DANN", batch_size, t)
        yield faster(what, ours, "PyTorch", theirs, pytorch)
        theirs = results.step("PyTorch", "standard network", batch_size, t)
        goal = 2 if batch_size == 32 else None
        yield faster(what, ours, "PyTorch, standard network", theirs, goal)
        yield share_of_peak(results, what, batch_size, t)


def bf16_rows(results: Results) -> Iterable[Row]:
    t = results.threads
    if key("dann", "DANN, bf16", 256, t) not in results:
        return
    what = "training step, batch 256, bf16"
    ours = results.step("dann", "DANN, bf16", 256, t)
    yield faster(what, ours, "dann, f32", results.step("dann", "DANN", 256, t))
    yield faster(what, ours, "PyTorch, f32", results.step("PyTorch", "DANN", 256, t))


def one_thread_rows(results: Results) -> Iterable[Row]:
    what = "training step, batch 32, one thread"
    ours = results.step("dann", "DANN", 32, 1)
    yield faster(what, ours, "PyTorch", results.step("PyTorch", "DANN", 32, 1), 3)
    yield share_of_peak(results, what, 32, 1)


def dales_law_rows(results: Results) -> Iterable[Row]:
    """The price of Dale's law."""
    for batch_size in (32, 256):
        ours = results.step("dann", "DANN", batch_size, results.threads)
        theirs = results.step("dann", "standard network", batch_size, results.threads)
        what = f"price of Dale's law, batch {batch_size}"
        yield costs(what, ours, "dann, standard network", theirs, 1.45)


def inference_rows(results: Results) -> Iterable[Row]:
    for batch_size, goal in [(1, 2.5), (32, 1.6), (256, 1.4)]:
        ours = results.forward("dann", "DANN", batch_size)
        theirs = results.forward("ONNX Runtime", "DANN", batch_size)
        what = f"inference, batch {batch_size}"
        yield faster(what, ours, "ONNX Runtime", theirs, goal)
    if key("dann", "DANN, bf16", 256, results.threads) in results:
        ours = results.forward("dann", "DANN, bf16", 256)
        theirs = results.forward("ONNX Runtime", "DANN", 256)
        yield faster("inference, batch 256, bf16", ours, "ONNX Runtime, f32", theirs, 4)


def epoch_rows(results: Results) -> Iterable[Row]:
    """A whole training, its start and the reading of data included, against the
    time that `bench` gives for what it computes."""
    if "dann: training" not in results:
        return
    epochs = results.median("dann: training", "epochs")
    whole = results.median("dann: training", "seconds") / epochs * 1e3
    logged = results.median("dann: training", "epoch_seconds") * 1e3
    steps = TRAINING_SAMPLES / 32 * results.step("dann", "DANN", 32, results.threads)
    evaluation = TEST_SAMPLES / 256 * results.forward("dann", "DANN", 256)
    peer = "its steps and evaluation"
    what = f"epoch of Fashion-MNIST, whole run of {epochs:.0f} epochs"
    yield costs(what, whole, peer, steps + evaluation, 1.05)
    theirs = results.median("PyTorch: training", "epoch_seconds") * 1e3
    yield faster("epoch of Fashion-MNIST, without start", logged, "PyTorch", theirs)


def width_rows(results: Results) -> Iterable[Row]:
    network = width_title(WIDTH_OF_GOAL)
    if key("dann", network, 256, results.threads) not in results:
        return
    ours = results.step("dann", network, 256, results.threads)
    theirs = results.step("products", network, 256, results.threads)
    what = f"training step, width {WIDTH_OF_GOAL}, batch 256"
    yield costs(what, ours, "its products", theirs, 1.1)


def memory_rows(results: Results) -> Iterable[Row]:
    if "dann: training" not in results:
        return
    ours = results.median("dann: training", "peak_megabytes")
    theirs = results.median("PyTorch: training", "peak_megabytes")
    yield Row(
        "peak memory of a training on Fashion-MNIST",
        f"{ours:.0f} MB",
        f"PyTorch: {theirs:.0f} MB",
        f"{theirs / ours:.1f} × less",
        "≤ 150 MB",
        ours <= 150,
    )


def compile_rows(results: Results) -> Iterable[Row]:
    for title, limit in [("paper", 2), ("100 layers", 20)]:
        if f"compile: {title}" not in results:
            continue
        seconds = results.median(f"compile: {title}", "seconds")
        cpu = results.median(f"compile: {title}", "cpu_seconds")
        what = "the paper's model" if title == "paper" else f"a model of {title}"
        yield Row(
            f"compiling {what}",
            f"{seconds:.2f} s (CPU {cpu:.2f} s)",
            goal=f"< {limit} s",
            met=seconds < limit,
        )


def all_rows(results: Results) -> list[Row]:
    groups = [
        *(step_rows, bf16_rows, one_thread_rows, dales_law_rows, inference_rows),
        *(epoch_rows, width_rows, memory_rows, compile_rows),
    ]
    return [row for group in groups for row in group(results)]


# ------------------------------------------------------------------------------
# Markdown
# ------------------------------------------------------------------------------


def table(header: list[str], rows: Iterable[list[str]], text_columns: int = 1) -> str:
    """A Markdown table; columns but the first ones are set flush right."""
    rule = ["---"] * text_columns + ["---:"] * (len(header) - text_columns)
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, rule, *rows])


def width_table(results: Results) -> str:
    rows = []
    for width in WIDTHS:
        network, t = width_title(width), results.threads
        if key("dann", network, 256, t) not in results:
            continue
        ours = results.step("dann", network, 256, t)
        theirs = results.step("products", network, 256, t)
        rate = results.rate("dann", network, 256, t)
        share = 100 * rate / results.peak(t)
        rows.append(
            [
                *(str(width), milliseconds(ours), f"{rate:.0f}", f"{share:.0f} %"),
                *(milliseconds(theirs), f"{ours / theirs:.2f}"),
            ]
        )
    header = ["width", "step", "GF/s", "share of the peak", "its products", "ratio"]
    return table(header, rows)


def compile_table(results: Results) -> str:
    rows = []
    for depth in [QUICK_DEPTH, *DEPTHS]:
        name = f"compile: {depth} layers"
        if name in results:
            seconds, cpu = (results.median(name, w) for w in ("seconds", "cpu_seconds"))
            per_layer = f"{1e3 * seconds / depth:.0f} ms"
            rows.append([str(depth), f"{seconds:.2f} s", f"{cpu:.2f} s", per_layer])
    return table(["layers", "time", "CPU time", "time a layer"], rows)


def markdown(results: Results, machine: str, notes: Iterable[str]) -> str:
    """The whole report."""
    header = ["what", "dann", "against", "ratio", "goal", "met"]
    return "\n\n".join(
        [
            machine,
            table(header, (row.cells() for row in all_rows(results))),
            "Training steps at batch 256 by width, that is excitatory units in each "
            "of three hidden layers, with a tenth as many interneurons:",
            width_table(results),
            "Time to compile models of many hidden layers of 500 excitatory units:",
            compile_table(results),
            "\n".join(f"- {note}" for note in notes),
            "",
        ]
    )


# ------------------------------------------------------------------------------
# Plot
# ------------------------------------------------------------------------------

COLOURS = {
    "dann": "#1f6fb4",
    "dann, bf16": "#7fb3dc",
    "its products": "#8a8a8a",
    "PyTorch": "#d9652b",
    "ONNX Runtime": "#5a9e4b",
}


def plot_bars(axes, title: str, groups: dict[str, dict[str, float]]) -> None:
    """Bars of microseconds a sample, by group and peer."""
    peers = [peer for peer in COLOURS if any(peer in bars for bars in groups.values())]
    width = 0.8 / len(peers)
    for index, peer in enumerate(peers):
        places = [i for i, bars in enumerate(groups.values()) if peer in bars]
        values = [bars[peer] for bars in groups.values() if peer in bars]
        shift = (index - (len(peers) - 1) / 2) * width
        bars = axes.bar(
            [place + shift for place in places],
            values,
            width,
            label=peer,
            color=COLOURS[peer],
        )
        axes.bar_label(bars, fmt="%.3g", fontsize=7, padding=1)
    axes.set_xticks(range(len(groups)), groups)
    axes.set_title(title)
    axes.set_ylabel("µs a sample")
    axes.legend(frameon=False, fontsize=8)


def plot_widths(axes, results: Results) -> None:
    t = results.threads
    widths = [w for w in WIDTHS if key("dann", width_title(w), 256, t) in results]
    for label, peer in [("dann", "dann"), ("its products", "products")]:
        rates = [results.rate(peer, width_title(width), 256, t) for width in widths]
        axes.plot(widths, rates, marker="o", label=label, color=COLOURS[label])
    axes.axhline(results.peak(t), color="black", linewidth=0.8, linestyle="--")
    axes.annotate("FMA peak", (widths[0], results.peak(t)), fontsize=8, va="bottom")
    axes.set_xscale("log", base=2)
    axes.set_xticks(widths, [str(width) for width in widths])
    axes.set_ylim(bottom=0)
    axes.set_title("Training step by width, batch 256")
    axes.set_xlabel("excitatory units in a hidden layer")
    axes.set_ylabel("GF/s")
    axes.legend(frameon=False, fontsize=8, loc="lower right")


def step_groups(results: Results) -> dict[str, dict[str, float]]:
    peers = {
        "dann": ("dann", "DANN"),
        "dann, bf16": ("dann", "DANN, bf16"),
        "its products": ("products", "DANN"),
        "PyTorch": ("PyTorch", "DANN"),
    }
    groups: dict[str, dict[str, float]] = {}
    for batch_size, threads in [(32, 1), (32, results.threads), (256, results.threads)]:
        name = f"batch {batch_size}\n{count(threads, 'thread')}"
        groups[name] = {
            label: results.step(peer, network, batch_size, threads) / batch_size * 1e3
            for label, (peer, network) in peers.items()
            if key(peer, network, batch_size, threads) in results
        }
    return groups


def inference_groups(results: Results) -> dict[str, dict[str, float]]:
    peers = {
        "dann": ("dann", "DANN"),
        "dann, bf16": ("dann", "DANN, bf16"),
        "ONNX Runtime": ("ONNX Runtime", "DANN"),
    }
    return {
        f"batch {batch_size}": {
            label: results.forward(peer, network, batch_size) / batch_size * 1e3
            for label, (peer, network) in peers.items()
            if key(peer, network, batch_size, results.threads) in results
        }
        for batch_size in (1, 32, 256)
    }


def plot(results: Results, machine: str, path: pathlib.Path) -> None:
    """Writes the figures as SVG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"svg.hashsalt": "dann", "axes.spines.top": False})
    pyplot.rcParams.update({"axes.spines.right": False, "font.size": 9})
    figure, (steps, inference, widths) = pyplot.subplots(1, 3, figsize=(14, 4.2))
    plot_bars(steps, "Training step of the DANN", step_groups(results))
    plot_bars(inference, "Inference", inference_groups(results))
    inference.set_yscale("log")
    inference.set_ylabel("µs a sample, logarithmic")
    plot_widths(widths, results)
    figure.suptitle(machine, fontsize=8, y=0.02)
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    figure.savefig(path, format="svg", metadata={"Date": None})
