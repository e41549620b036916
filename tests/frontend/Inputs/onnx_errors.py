"""Compiles ONNX models that are wrong, and prints what the compiler says.

usage: onnx_errors.py TEST DIRECTORY ONNX_PROTO_DIRECTORY

A part of TEST that begins with "#--- NAME" is a model in protobuf's text
format, without its versions. In it @x stands for an input [n, 4] of floats,
@input NAME[EXTENT, ...] for another one, and @zeros NAME[EXTENT, ...] for an
initializer of floats. It becomes DIRECTORY/NAME.onnx. Each has to give one line that names it, the
exit status 1 and no output.
"""

import math
import pathlib
import re
import subprocess
import sys

VERSIONS = "ir_version: 8\n"
OPSET = "opset_import { version: 20 }\n"


def expand(text):
    """The text with what stands for inputs and initializers."""

    def to_input(match):
        name, extents = match.groups()
        dims = " ".join(
            f"dim {{ dim_value: {extent} }}"
            if extent.isdigit()
            else f'dim {{ dim_param: "{extent}" }}'
            for extent in re.findall(r"\w+", extents)
        )
        tensor = f"tensor_type {{ elem_type: 1 shape {{ {dims} }} }}"
        return f'input {{ name: "{name}" type {{ {tensor} }} }}'

    def to_initializer(match):
        name, extents = match.groups()
        count = math.prod(int(extent) for extent in re.findall(r"\d+", extents))
        values = ", ".join(["0"] * count)
        return (
            f'initializer {{ name: "{name}" data_type: 1'
            f" dims: [{extents}] float_data: [{values}] }}"
        )

    text = text.replace("@x", "@input x[n, 4]")
    text = re.sub(r"@input (\w+)\[(.*?)\]", to_input, text)
    return re.sub(r"@zeros (\w+)\[(.*?)\]", to_initializer, text)


def encode(text, schema):
    command = ["protoc", f"--proto_path={schema}", "--encode=onnx.ModelProto"]
    done = subprocess.run(
        command + ["onnx.proto"], input=text.encode(), capture_output=True
    )
    if done.returncode != 0:
        sys.exit(f"{text}\n{done.stderr.decode()}")
    return done.stdout


def compile_model(path):
    output = path.parent / "output"
    output.mkdir(exist_ok=True)
    done = subprocess.run(
        ["dann-compile", path, "-o", output / "program"],
        capture_output=True,
        timeout=60,
    )
    message = done.stderr.decode(errors="backslashreplace")
    print(message.replace(f"{path.parent}/", ""), end="")
    if done.returncode != 1 or done.stdout or list(output.iterdir()):
        sys.exit(f"{path}: exit status {done.returncode}, or an output")
    prefix = f"dann-compile: error: {path}: "
    if not message.startswith(prefix) or message.count("\n") != 1:
        sys.exit(f"{path}: not one line that begins with '{prefix}'")


def main():
    test, directory, schema = sys.argv[1:]
    parts = re.split(r"^#--- (\S+)$", pathlib.Path(test).read_text(), flags=re.M)
    for name, text in zip(parts[1::2], parts[2::2]):
        text = expand(text)
        opset = "" if "opset_import" in text.split("functions")[0] else OPSET
        path = pathlib.Path(directory) / f"{name}.onnx"
        path.write_bytes(encode(VERSIONS + opset + text, schema))
        compile_model(path)


main()
