"""What the tests of the export need: onnx_tools.py COMMAND ARGUMENT...

seed FILE: input of the entry point `init`.
step-inputs STEP FILE: what `train_step` takes of STEP but the parameters.
same-step OUT STEP: fails unless OUT has the loss and the parameters of STEP, in
any shape, up to rounding.
same-forward A.mlir B.mlir: fails unless both modules have the same @forward, up
to the names of values and maps, the initial values of parameters, where the
size of the batch comes from, and the order of constants.
"""
import json
import re
import struct
import sys


def write_seed(path):
    header = {"seed": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]}}
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + struct.pack("<q", 1))


# Operations that are written into the place of their results.
INLINED = re.compile(r"(arith\.constant|tensor\.(empty|dim)|linalg\.fill)\b")


def forward_of(path):
    with open(path) as file:
        text = file.read()
    maps = dict(re.findall(r"^(#map\d*) = (.*)$", text, re.MULTILINE))
    body = re.search(r"^  func\.func @forward.*?^  }$", text, re.M | re.S).group(0)
    body = re.sub(r", dann\.initial = .*?> : tensor<[^>]*>", "", body)
    body = re.sub(r"dann\.initial = .*?> : tensor<[^>]*>, ", "", body)
    body = re.sub(r"#map\d*", lambda match: maps[match.group(0)], body)
    values, lines = {}, []
    for line in body.splitlines():
        name, operation = re.match(r"\s*(?:(%\w+) = )?(.*)$", line).groups()
        if operation.startswith("^bb"):
            arguments = re.findall(r"%\w+", operation)
            values.update((own, f"element{i}") for i, own in enumerate(arguments))
        operation = re.sub(
            r"%[\w#]+", lambda match: values.get(match.group(0), match.group(0)), operation
        )
        if name is None:
            lines.append(operation)
            continue
        if operation.startswith("tensor.dim"):
            values[name] = "(batch)"
        elif INLINED.match(operation):
            values[name] = f"({operation})"
        else:
            values[name] = f"value{len(lines)}"
            lines.append(f"{values[name]} = {operation}")
    return lines


def compare(*paths):
    a, b = (forward_of(path) for path in paths)
    for mine, other in zip(a, b):
        if mine != other:
            sys.exit(f"different:\n{mine}\n{other}")
    if len(a) != len(b):
        sys.exit(f"{len(a)} and {len(b)} lines")


def load(path):
    """The entries of a safetensors file: type, shape and bytes by name."""
    with open(path, "rb") as file:
        content = file.read()
    (size,) = struct.unpack_from("<Q", content)
    entries = json.loads(content[8 : 8 + size])
    entries.pop("__metadata__", None)
    data = content[8 + size :]
    for entry in entries.values():
        begin, end = entry["data_offsets"]
        entry["bytes"] = data[begin:end]
    return entries


def write_step_inputs(step, path):
    given = load(step)
    tensors = {name: given[name] for name in ("x", "y", "learning_rate")}
    header, data = {}, b""
    for name, entry in tensors.items():
        offsets = [len(data), len(data) + len(entry["bytes"])]
        header[name] = {**entry, "data_offsets": offsets}
        del header[name]["bytes"]
        data += entry["bytes"]
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def compare_steps(out, step):
    actual, expected = load(out), load(step)

    def numbers(entry):
        code = {"F32": "f", "F64": "d"}[entry["dtype"]]
        return [value for (value,) in struct.iter_unpack("<" + code, entry["bytes"])]

    for name in expected.keys() - {"x", "y", "learning_rate"}:
        a, b = numbers(actual[name]), numbers(expected[name])
        # Rounding of f32, in sums of up to a few hundred terms.
        tolerance = 2e-5 * max(map(abs, b))
        if len(a) != len(b) or any(abs(x - y) > tolerance for x, y in zip(a, b)):
            sys.exit(f"{name}: {a} is not {b}")


{
    "seed": write_seed,
    "same-forward": compare,
    "step-inputs": write_step_inputs,
    "same-step": compare_steps,
}[sys.argv[1]](*sys.argv[2:])
