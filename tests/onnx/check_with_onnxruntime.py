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
        sample=inputs["x"].shape[1:],
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
    x = generator.random((BATCH_SIZE, *description["input"]["shape"]), "<f4")
    y = generator.integers(0, description["classes"], BATCH_SIZE)
    parameters = call("init", {"seed": numpy.array(1, "<i8")})
    rate = numpy.array(description["defaults"]["learning_rate"], "<f4")
    batch = {"x": x, "y": y, "learning_rate": rate}
    if "random_key" in json.dumps(description):
        batch["random_key"] = numpy.array(1, "<i8")
    # Frozen parameters are no results.
    parameters.update(call("train_step", {**parameters, **batch}))
    parameters.pop("loss")
    expected = call("forward", {**parameters, "x": x})["logits"]
    checkpoint = directory / "checkpoint"
    save_tensors(checkpoint, parameters)

    return compare(runtime, directory, program, checkpoint, x, expected, source.name)


def compare(runtime, directory, program, checkpoint, x, expected, title):
    """Whether both forms give what is expected."""
    # Not the same for all samples.
    assert numpy.ptp(expected, axis=0).max() > 1e-2 * numpy.abs(expected).max()
    is_right = True
    for options in [], ["--plain-ops"]:
        # Under a name of its own: the worker keeps the sessions of its models.
        form = "plain" if options else "layers"
        model = directory / f"{form}.onnx"
        run(program, "export", "--checkpoint", checkpoint, "-o", model, *options)
        difference = difference_of(runtime, model, directory, {"x": x}, expected)
        print(f"{title}, {form}: {difference:.2e}")
        is_right &= bool(difference <= TOLERANCE)
    return is_right


def check_variants(build, runtime, directory):
    """A model with a layer of each kind, with and without optional inputs."""
    from onnx import TensorProto, helper, numpy_helper

    generator = numpy.random.default_rng(1)
    nodes, parameters = [], {}
    for operator, inputs in [
        ("EIDense", ["wex", "wix", "wei", "bias"]),
        ("EIDense", ["wex", "wix", "wei"]),
        ("EIDenseShunting", ["wex", "wix", "wei", "alpha", "gain", "bias"]),
        ("EIDenseShunting", ["wex", "wix", "wei", "alpha", "", "bias"]),
        ("EIDenseShunting", ["wex", "wix", "wei", "alpha", "gain"]),
        ("EIDenseShunting", ["wex", "wix", "wei", "alpha"]),
    ]:
        shapes = {"wex": (4, 5), "wix": (2, 5), "wei": (4, 2), "alpha": (2,)}
        layer = len(nodes)
        for role in filter(None, inputs):
            value = generator.random(shapes.get(role, (4,)), "<f4")
            parameters[f"{layer}.{role}"] = value
        nodes.append(
            helper.make_node(
                operator,
                ["x", *(role and f"{layer}.{role}" for role in inputs)],
                [f"{layer}.z"],
                domain="ai.dann",
            )
        )
    nodes.append(helper.make_node("Sum", [node.output[0] for node in nodes], ["y"]))
    graph = helper.make_graph(
        nodes,
        "variants",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])],
        [numpy_helper.from_array(value, name) for name, value in parameters.items()],
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("ai.dann", 1)]
    model = helper.make_model(graph, opset_imports=opsets)
    source, program = directory / "variants.onnx", directory / "variants"
    onnx.save(model, str(source))
    run(build / "bin" / "dann-compile", source, "-o", program)
    checkpoint = directory / "checkpoint"
    save_tensors(checkpoint, parameters)
    x = generator.random((BATCH_SIZE, 5), "<f4")
    save_tensors(directory / "in", {"x": x, **parameters})
    run(program, "run", "forward", "--input", directory / "in", "--output", directory / "out")
    expected = load_tensors(directory / "out")["y"]
    return compare(runtime, directory, program, checkpoint, x, expected, "variants")


def main():
    build, packages, *models = map(pathlib.Path, sys.argv[1:])
    try:
        runtime = OnnxRuntime(packages)
    except BenchmarkError as error:
        print(f"skipped: {error}")
        return SKIPPED
    is_right = True
    with tempfile.TemporaryDirectory() as directory:
        is_right &= check_variants(build, runtime, pathlib.Path(directory))
    for model in models:
        with tempfile.TemporaryDirectory() as directory:
            is_right &= check(build, runtime, model, pathlib.Path(directory))
    runtime.close()
    return not is_right


if __name__ == "__main__":
    sys.exit(main())
