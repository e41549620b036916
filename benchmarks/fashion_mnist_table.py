"""Prints a Markdown table from the logs of benchmarks/fashion_mnist.sh.

usage: fashion_mnist_table.py DIRECTORY MODEL...

The directory holds one log MODEL.SEED.jsonl a run. A cell of the table is the
mean over the seeds, with the smallest and the largest of them.
"""

import json
import pathlib
import sys

TITLES = {
    "fashion_mnist": "DANN",
    "fashion_mnist_uncorrected": "DANN without correction",
    "fashion_mnist_mlp": "standard network",
    "fashion_mnist_bf16": "DANN, bf16",
}
BF16_LIMIT = 0.5  # points of test error from f32


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def read_runs(directory, model):
    """The epochs of each seed's run."""
    runs = []
    for path in sorted(directory.glob(f"{model}.*.jsonl")):
        with path.open() as lines:
            runs.append([json.loads(line) for line in lines])
    if not runs or any(len(run) != len(runs[0]) for run in runs):
        sys.exit(f"error: the logs of {model} in {directory} are not complete")
    return runs


def last_errors(runs):
    """Each run's mean test error over the last three epochs."""
    return [mean(epoch["test_error"] for epoch in run[-3:]) for run in runs]


def compare_precisions(models):
    """A sentence about how far bf16 is from f32."""
    f32, bf16 = (
        mean(last_errors(models[name]))
        for name in ("fashion_mnist", "fashion_mnist_bf16")
    )
    verdict = "met" if abs(bf16 - f32) <= BF16_LIMIT else "**not met**"
    return (
        f"Mean test error in bf16 less that in f32: {bf16 - f32:+.2f} points "
        f"(goal: at most {BF16_LIMIT} either way; {verdict})."
    )


def cell(values):
    return f"{mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main():
    directory = pathlib.Path(sys.argv[1])
    models = {model: read_runs(directory, model) for model in sys.argv[2:]}
    runs = next(iter(models.values()))
    epochs, seeds = len(runs[0]), len(runs)
    last = f"{max(1, epochs - 2)} to {epochs}"

    columns = ["network"]
    if epochs > 5:
        columns.append("test error after epoch 5, %")
    columns += [f"mean over epochs {last}, %", "train loss", "seconds per epoch"]
    print(f"Mean over {seeds} seeds (smallest to largest).\n")
    print("| " + " | ".join(columns) + " |")
    print("| --- |" + " ---: |" * (len(columns) - 1))
    for model, runs in models.items():
        row = [TITLES.get(model, model)]
        if epochs > 5:
            row.append(cell([run[4]["test_error"] for run in runs]))
        row.append(cell(last_errors(runs)))
        row.append(f"{mean(run[-1]['train_loss'] for run in runs):.3f}")
        row.append(
            f"{mean(epoch['seconds'] for run in runs for epoch in run):.2f}"
        )
        print("| " + " | ".join(row) + " |")
    if "fashion_mnist_bf16" in models and "fashion_mnist" in models:
        print(f"\n{compare_precisions(models)}")


if __name__ == "__main__":
    main()
