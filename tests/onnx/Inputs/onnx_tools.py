"""What the tests of the export need: onnx_tools.py COMMAND ARGUMENT...

seed FILE: input of the entry point `init`.
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


{"seed": write_seed, "same-forward": compare}[sys.argv[1]](*sys.argv[2:])
