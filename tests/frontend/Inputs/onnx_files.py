"""Writes ONNX models that are too deep or too large for text formats.

usage: onnx_files.py DIRECTORY
"""

import pathlib
import sys


def varint(value):
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(digits + bytes([value]))


def field(number, value):
    """A field of a message: a number, or the bytes of text or a message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def message(*fields):
    return b"".join(field(number, value) for number, value in fields)


def node(kind, inputs, outputs, domain="", *more):
    names = [(1, name) for name in inputs] + [(2, name) for name in outputs]
    return message(*names, (4, kind), (7, domain), *more)


def model(graph, *functions):
    opsets = [(8, message((2, 20))), (8, message((1, "f"), (2, 1)))]
    return message((1, 8), (7, graph), *opsets, *((25, f) for f in functions))


def value(name, element_type, *shape):
    dims = message(*((1, message((1, extent))) for extent in shape))
    tensor = message((1, message((1, element_type), (2, dims))))
    return message((1, name), (2, tensor))


X = (11, value("x", 1, 4))


def main():
    directory = pathlib.Path(sys.argv[1])

    def write(name, content):
        (directory / f"{name}.onnx").write_bytes(content)

    relu = node("Relu", ["x"], ["y"])
    whole = model(message((1, relu), X))
    write("truncated", whole[:-20])
    graph = message((1, relu))
    for _ in range(200):
        attribute = message((1, "body"), (6, graph), (20, 5))
        graph = message((1, node("Loop", [""], ["y"], "", (5, attribute))))
    write("deep", model(graph))
    with open(directory / "large.onnx", "wb") as file:
        file.truncate(3_000_000_000)
    chain = [node("Identity", ["x"], [f"y{i}"]) for i in range(200001)]
    write("nodes", model(message(*((1, n) for n in chain), X)))

    # A function of many inputs that is called often.
    parameters = [f"a{i}" for i in range(10000)]
    body = node("Identity", ["a0"], ["b"])
    inputs = [(4, name) for name in parameters]
    function = message((1, "f"), *inputs, (5, "b"), (7, body), (10, "f"))
    caller = node("f", ["x"] * 10000, ["b"], "f")
    outer = message((1, "g"), (4, "x"), (5, "b"), (7, caller), (10, "f"))
    calls = [node("g", ["x"], [f"y{i}"], "f") for i in range(1000)]
    write("uses", model(message(*((1, n) for n in calls), X), function, outer))

    # Many parameters.
    names = [(8, f"w{i}") for i in range(20000)]
    weights = [message((1, 1), (2, 1), (9, bytes(4)), name) for name in names]
    graph = message(*((5, w) for w in weights), X, (12, message((1, "y"))))
    write("weights", model(graph))

    # A shape at the end of a long chain.
    one = message((1, 1), (2, 7), (7, varint(5)), (8, "y0"))
    zero = message((1, 1), (2, 7), (7, varint(0)), (8, "zero"))
    chain = [node("Add", [f"y{i}", "zero"], [f"y{i + 1}"]) for i in range(100000)]
    chain.append(node("Reshape", ["x", "y100000"], ["y"]))
    graph = message(*((1, n) for n in chain), (5, one), (5, zero), X)
    write("chain", model(graph))


main()
