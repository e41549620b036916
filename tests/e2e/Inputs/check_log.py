"""Checks the log of a training run on Fashion-MNIST, 100 samples in a step:
check_log.py LOG EPOCHS MAXIMAL_ERROR."""
import json
import math
import sys

path, epochs, maximal_error = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
with open(path) as log:
    records = [json.loads(line) for line in log]
assert [record["epoch"] for record in records] == list(range(1, epochs + 1)), records
for record in records:
    assert set(record) == {
        "epoch", "step", "train_loss", "test_loss", "test_error", "errors", "samples",
        "learning_rate", "seconds",
    }
    assert record["step"] == 600 * record["epoch"]
    assert record["samples"] == 10000
    assert math.isclose(record["test_error"], record["errors"] / 100)
    assert all(math.isfinite(value) for value in record.values())
assert records[-1]["train_loss"] < records[0]["train_loss"], "learns nothing"
assert records[-1]["test_error"] <= maximal_error, records[-1]
