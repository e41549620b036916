"""Tests of the parts of the driver: experiment_units.py EXPERIMENTS DIRECTORY."""

import dataclasses
import math
import pathlib
import subprocess
import sys

sys.path.insert(0, sys.argv[1])
import numpy

import description
import report
import run
import spectra
from description import Claim, Experiment, Network, Search
from report import NetworkResult
from runs import Outcome

experiments, directory = map(pathlib.Path, sys.argv[1:])


# The search, with a runner whose error is smallest at a rate of its own.
class Valley:
    def __init__(self, best, diverges_from=math.inf):
        self.best, self.diverges_from, self.rates = best, diverges_from, []

    def outcome(self, run):
        self.rates.append(run.learning_rate)
        assert run.validation_samples == 70 and run.epochs == 3
        if run.learning_rate >= self.diverges_from:
            return Outcome(diverged=True)
        error = 5 + abs(math.log2(run.learning_rate / self.best))
        # Of the last two evaluations the mean counts.
        records = [{"validation_error": value} for value in (0, error - 1, error + 1)]
        return Outcome(False, records)


network = Network("net", "", pathlib.Path("net"), (0.1, 0.2, 0.4))
experiment = Experiment(
    "e", "E", 9, (1, 2), 10, 2, (network,), Search(3, (1, 2), 70, 4), (), ()
)


def found(valley):
    rate, tried = run.search_rate(experiment, network, valley)
    assert sorted(set(valley.rates)) == list(tried), "all rates tried are told"
    assert len(valley.rates) == 2 * len(tried), "each once, from two seeds"
    return rate, list(tried)


assert found(Valley(0.2)) == (0.2, [0.1, 0.2, 0.4])
assert found(Valley(0.8)) == (0.8, [0.1, 0.2, 0.4, 0.8, 1.6])
assert found(Valley(0.03)) == (0.025, [0.0125, 0.025, 0.05, 0.1, 0.2, 0.4])
assert found(Valley(0.8, diverges_from=0.7)) == (0.4, [0.1, 0.2, 0.4, 0.8])
# No further than four steps; where all diverge, downwards.
assert found(Valley(100))[0] == 6.4
assert found(Valley(100, diverges_from=0.03)) == (
    0.025, [0.0125, 0.025, 0.05, 0.1, 0.2, 0.4],
)
fixed = dataclasses.replace(network, learning_rates=(0.3,))
assert run.search_rate(experiment, fixed, None) == (0.3, {})


# Claims: differences seed by seed, and ratios of learning rates.
def result(name, rate, *errors):
    outcomes = [
        Outcome(error is None, [{"test_error": error}] * 2, train_error=1.0)
        for error in errors
    ]
    return NetworkResult(dataclasses.replace(network, name=name), rate, {}, outcomes)


results = {
    "a": result("a", 0.1, 10.0, 12.0),
    "b": result("b", 0.4, 10.5, 11.0),
    "lost": result("lost", 0.4, 10.5, None),
}


def verdict(what, first, second, at_most):
    claim = Claim("it is", what, first, second, at_most)
    return report.claim_row(claim, results, 2)[1:]


# Differences -0.5 and 1: mean 0.25, standard deviation 1.5 / sqrt(2).
assert verdict("test_error", "a", "b", 0.25) == [
    "+0.25 ± 1.06 points of test error", "at most 0.25", "holds",
]
assert verdict("test_error", "a", "b", 0.2)[2] == "**does not hold**"
assert verdict("learning_rate", "a", "b", 0.3) == [
    "0.25 × the learning rate", "at most 0.3", "holds",
]
assert verdict("train_error", "a", "b", -0.1)[2] == "**does not hold**"
assert verdict("test_error", "a", "lost", 5)[2] == "**not shown**"
assert report.spread([1.0, 2.0, 3.0], 1) == "2.0 ± 1.0"
# The plots' bands are as wide as the tables say.
assert numpy.allclose(report.deviation(numpy.array([[1.0, 4.0], [3.0, 4.0]])), [math.sqrt(2), 0])
assert report.deviation(numpy.array([[1.0, 4.0]])).tolist() == [0, 0]
assert math.isclose(report.skewness(numpy.array([0.0, 0.0, 3.0])), math.sqrt(0.5))
assert report.shape_cells(numpy.array([1.0, 1.0])) == ["0.00", ""]
assert list(report.logarithms(numpy.array([0.0, -1.0]))) == [0.0]

# Spectra: the entropy of the identity is 1, that of singular values 3 and 1 the
# entropy of a coin that falls so three times of four, that of rank one 0.
def entropy(matrix):
    return spectra.spectrum(numpy.array(matrix)).entropy


assert math.isclose(entropy(numpy.eye(7)), 1)
coin = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
assert math.isclose(entropy([[0.0, 3.0], [-1.0, 0.0]]), coin)
assert math.isclose(entropy([[0.0, 3.0, 0.0], [-1.0, 0.0, 0.0]]), coin)
assert math.isclose(entropy(numpy.ones((5, 5))), 0, abs_tol=1e-12)
assert math.isnan(entropy(numpy.zeros((2, 2))))
# A turn that doubles has two complex eigenvalues of magnitude 2; a shear's
# radius is less than its largest singular value, the golden ratio.
turn = spectra.spectrum(2 * numpy.array([[0.6, -0.8], [0.8, 0.6]]))
assert math.isclose(turn.radius, 2) and numpy.allclose(turn.singular_values, 2)
shear = spectra.spectrum(numpy.array([[1.0, 1.0], [0.0, 1.0]]))
assert math.isclose(shear.radius, 1, rel_tol=1e-6)
assert math.isclose(shear.singular_values[0], (1 + math.sqrt(5)) / 2)
assert spectra.spectrum(numpy.ones((2, 3))).radius is None
assert report.spectrum_cells(shear) == ["1.00", "1.62", "0.850"]
# What is measured: excitation less inhibition, or W with the signs of its inputs.
layer = {
    "0.w.wex": numpy.array([[1.0, 2.0], [3.0, 4.0]]),
    "0.w.wix": numpy.array([[1.0, 1.0]]),
    "0.w.wei": numpy.array([[1.0], [2.0]]),
    "1.w.w": numpy.array([[1.0, 2.0], [3.0, 4.0]]),
    "1.w": numpy.array([1.0]),
}
assert (spectra.effective_matrix(layer, "0.w", 0) == [[0, 1], [1, 2]]).all()
assert (spectra.effective_matrix(layer, "1.w", 0) == layer["1.w.w"]).all()
assert (spectra.effective_matrix(layer, "1.w", 1) == [[1, -2], [3, -4]]).all()
assert spectra.effective_matrix(layer, "0.w", 1) is None
assert spectra.effective_matrix(layer, "1.w", 3) is None
assert spectra.effective_matrix(layer, "1", 0) is None
header = b'{"0.b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
biases = directory / "biases.safetensors"
biases.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
try:
    report.read_spectra(network, ("0", "1"), biases, biases)
except description.ExperimentError as error:
    assert str(error) == "'net' has no matrix of 0, 1 with 0 inhibitory inputs"
else:
    raise AssertionError("no error: there is no matrix")

# The descriptions that come with dann can be read.
kept = sorted(experiments.glob("*.toml"))
assert kept
for path in kept:
    description.read(path)

# Bad ones are one error that says where.
inputs = pathlib.Path(__file__).resolve().parent
good = (inputs / "experiment.toml").read_text().replace('"small', f'"{inputs}/small')


def expect_error(text, sentence):
    path = directory / "bad.toml"
    path.write_text(text)
    try:
        description.read(path)
    except description.ExperimentError as error:
        assert str(error).startswith(str(path)) and sentence in str(error), error
    else:
        raise AssertionError(f"no error: {sentence}")


def change(old, new):
    assert old in good, old
    return good.replace(old, new, 1)


expect_error("title = \n", "bad.toml: Invalid value (at line 1")
expect_error(change("epochs = 4", "epochs = 0"), "bad.toml: epochs has to be a positive whole number, not 0")
expect_error(change("seeds = [1, 2, 3]", "seeds = [1, 1]"), "seeds has to be a list of different seeds, not [1, 1]")
expect_error(change("title =", "titel ="), "title is missing")
expect_error(change("epochs = 4", "epochs = 4\nepoch = 5"), "unknown key epoch")
expect_error(change("[0.05, 0.1, 0.2]", "[0.05, -0.1]"), "network 1: learning_rates has to be")
expect_error(change("[0.05, 0.1, 0.2]", "[0.05]"), "a single rate is called learning_rate")
expect_error(change("small.txtpb", "large.txtpb"), "network 1: cannot read the model file")
expect_error(change("{ inhibitory = [1, 16] }", "{ excitatory = [1, 16] }"), "network 2: ")
expect_error(change("{ inhibitory = [1, 16] }", "{ inhibitory = [-1] }"), "sweep: inhibitory has to be")
expect_error(
    change("sweep = {", 'precision = "f16"\nsweep = {'),
    "precision has to be f32, bf16 or f64",
)
expect_error(
    change("{ inhibitory = [1, 16] }", "{ inhibitory = [1, 16], units = [3] }"),
    "the names of a sweep have to have as many values each",
)
expect_error(
    change("sweep = {", "inhibitory_inputs = -1\nsweep = {"),
    "network 2: inhibitory_inputs has to be a positive whole number, not -1",
)
expect_error(change('["0", "1"]', '["0", "0"]'), "spectra has to be a list of different matrices")
expect_error(change('"DANN that diverges"', '"DANN"'), "more than one network called 'DANN'")
expect_error(change('compare = ["DANN", ', 'compare = ["dann", '), "claim 1: compare has to be")
expect_error(change('what = "learning_rate"', 'what = "rate"'), "claim 2: what has to be one of test_error")
expect_error(change("[search]\nepochs = 2\nseeds = [1]\nvalidation_samples = 10000", ""), "learning_rates need a [search]")

def expect_failure(text, sentence, *options):
    """The same of the whole program."""
    path = directory / "bad.toml"
    path.write_text(text)
    command = [sys.executable, experiments / "run.py", path, "--output", directory / "bad"]
    outcome = subprocess.run([*command, *options], capture_output=True, text=True)
    assert outcome.returncode == 1, outcome
    first = outcome.stderr.splitlines()[0]
    assert first.startswith("run.py: error: ") and sentence in first, outcome.stderr


expect_failure("title = 1", "bad.toml: there is no [[network]]")
expect_failure(good, "nowhere has no train-images-idx3-ubyte", "--data", "nowhere")
expect_failure(good, "cannot run missing", "--dann-compile", "missing", "--quick")
model = directory / "bad.txtpb"
model.write_text((inputs / "small.txtpb").read_text().replace("RELU", "SOFT"))
expect_failure(
    change(f"{inputs}/small.txtpb", str(model)),
    f"cannot compile 'DANN': {model}:4:66: error: Unknown enumeration value",
    "--quick",
)
