#!/usr/bin/env python3
"""Exported models in ONNX' checker and in ONNX Runtime.

usage: check_with_onnxruntime.py BUILD PACKAGES MODEL.txtpb...

BUILD/bin holds dann-compile, PACKAGES/node_modules onnxruntime-node, as
benchmarks/run.sh installs it. Each model is compiled, trained for a step so
that its parameters are not those that layers begin with, and exported in both
forms. Fails if the logits of ONNX Runtime are further from those of the program
than 1e-4 of the largest; prints the differences. Exits with 77 if a tool is
missing.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

SKIPPED = 77

try:
    import numpy
    import onnx
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(SKIPPED)

HERE = pathlib.Path(__file__).resolve().parent
BENCHMARKS = HERE.parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from networks import load_tensors, save_tensors  # noqa: E402
from peers import BenchmarkError, OnnxRuntime  # noqa: E402

BATCH_SIZE = 64
TOLERANCE = 1e-4


def run(*command):
    subprocess.run([str(word) for word in command], check=True)


def difference_of(runtime, model, directory, inputs, expected):
    """The largest difference of the logits, relative to the largest logit."""
    onnx.checker.check_model(str(model), full_check=True)
    output = directory / "logits.f32"
    (directory / "x.f32").write_bytes(inputs["x"].tobytes())
    runtime.worker.ask(
        do="run",
        model=str(model),
        threads=1,
        input=str(directory / "x.f32"),
        batch_size=BATCH_SIZE,
        output=str(output),
    )
    logits = numpy.fromfile(output, "<f4").reshape(expected.shape)
    return numpy.abs(logits - expected).max() / numpy.abs(expected).max()


def check(build, runtime, source, directory):
    program = directory / "program"
    run(build / "bin" / "dann-compile", source, "-o", program)
    description = json.loads(
        subprocess.run(
            [program, "info", "--json"], check=True, stdout=subprocess.PIPE
        ).stdout
    )

    def call(entry_point, inputs):
        save_tensors(directory / "in", inputs)
        run(
            *(program, "run", entry_point),
            *("--input", directory / "in", "--output", directory / "out"),
        )
        return load_tensors(directory / "out")

    generator = numpy.random.default_rng(1)
    features = numpy.prod(description["input"]["shape"])
    x = generator.random((BATCH_SIZE, features), "<f4")
    y = generator.integers(0, description["classes"], BATCH_SIZE)
    parameters = call("init", {"seed": numpy.array(1, "<i8")})
    rate = numpy.array(description["defaults"]["learning_rate"], "<f4")
    batch = {"x": x, "y": y, "learning_rate": rate}
    parameters = call("train_step", {**parameters, **batch})
    parameters.pop("loss")
    expected = call("forward", {**parameters, "x": x})["logits"]
    checkpoint = directory / "checkpoint"
    save_tensors(checkpoint, parameters)

    worst = 0
    for options in [], ["--plain-ops"]:
        # Under a name of its own: the worker keeps the sessions of its models.
        form = "plain" if options else "layers"
        model = directory / f"{form}.onnx"
        run(program, "export", "--checkpoint", checkpoint, "-o", model, *options)
        inputs = {"x": x}
        difference = difference_of(runtime, model, directory, inputs, expected)
        print(f"{source.name}, {form}: {difference:.2e}")
        worst = max(worst, difference)
    return worst


def main():
    build, packages, *models = map(pathlib.Path, sys.argv[1:])
    try:
        runtime = OnnxRuntime(packages)
    except BenchmarkError as error:
        print(f"skipped: {error}")
        return SKIPPED
    worst = 0
    for model in models:
        with tempfile.TemporaryDirectory() as directory:
            worst = max(worst, check(build, runtime, model, pathlib.Path(directory)))
    runtime.close()
    return not worst <= TOLERANCE


if __name__ == "__main__":
    sys.exit(main())
