"""Checks what the driver wrote: check_experiment.py EXPERIMENTS OUTPUT."""

import csv
import json
import pathlib
import re
import statistics
import sys
import xml.etree.ElementTree

sys.path.insert(0, sys.argv[1])
import report

output = pathlib.Path(sys.argv[2])


def rows(name):
    with (output / name).open(newline="") as file:
        return list(csv.DictReader(file))


for plot in ("curves", "sweep", "histograms"):
    path = output / f"{plot}.svg"
    assert xml.etree.ElementTree.parse(path).getroot().tag.endswith("svg")
    assert path.stat().st_size < 300_000, path

# The numbers of the table are those of the runs.
runs = rows("results.csv")
assert len(runs) == 2 + 2 * 4, len(runs)
finals = [run for run in runs if run["part"] == "final"]
errors = [float(run["error"]) for run in finals if run["network"] == "DANN"]
table = (output / "table.md").read_text()
row = re.search(r"^\| DANN \| \S+ \| (\S+) ± (\S+) \|", table, re.M)
assert abs(float(row[1]) - statistics.mean(errors)) < 0.0051, (row[0], errors)
assert abs(float(row[2]) - statistics.stdev(errors)) < 0.0051, (row[0], errors)

# Those of the runs are the means of what the logs said.
outcomes = [json.loads(path.read_text()) for path in (output / "runs").glob("*.json")]
expected = sorted(
    statistics.mean(record["test_error"] for record in outcome["records"][-5:])
    for outcome in outcomes
    if outcome["records"] and "test_error" in outcome["records"][0]
)
found = sorted(float(run["error"]) for run in finals if run["error"])
assert all(abs(a - b) < 1e-4 for a, b in zip(expected, found, strict=True))
# One epoch of 1000 samples, 100 in a step, one evaluation.
assert {outcome["records"][-1]["step"] for outcome in outcomes if outcome["records"]} == {8, 10}
points = rows("curves.csv")
assert [point["epoch"] for point in points if point["network"] == "DANN"] == ["1.0"]

# Checkpoints of the first seed stay for the histograms, and training has moved the weights.
checkpoints = list((output / "runs").glob("*.safetensors"))
assert len(checkpoints) == 3, checkpoints
initial = next((output / "programs").glob("*.safetensors"))
trained = report.read_tensors(checkpoints[0])
assert trained["0.wex"].min() >= 0 and trained["0.wex"].size == 32 * 784
assert report.read_tensors(initial).keys() == trained.keys()
