"""Golden numbers as inputs and outputs of `run`.

golden.py split GOLDEN OUT: the batch, the initial parameters and the learning
rate. golden.py compare GOLDEN RESULTS PREFIX: results against the tensors of the
same names behind PREFIX.
"""
import json
import struct
import sys

import numpy

DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8"}


def load(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        array = numpy.frombuffer(data[begin:end], DTYPES[entry["dtype"]])
        tensors[name] = array.reshape(entry["shape"])
    return tensors, metadata


def save(path, tensors):
    names = {numpy.dtype(code): name for name, code in DTYPES.items()}
    header, data = {}, b""
    for name, array in tensors.items():
        raw = array.tobytes()
        header[name] = {
            "dtype": names[array.dtype],
            "shape": array.shape,
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


golden, metadata = load(sys.argv[2])
if sys.argv[1] == "split":
    inputs = {"x": golden["x"], "y": golden["y"]}
    inputs["learning_rate"] = numpy.array(float(metadata["learning_rate"]))
    for name, array in golden.items():
        if name.startswith("init/"):
            inputs[name[len("init/") :]] = array
    save(sys.argv[3], inputs)
else:
    results, _ = load(sys.argv[3])
    compared = 0
    for name, array in results.items():
        # The loss of a step is that before it.
        expected = golden["loss" if name == "loss" else sys.argv[4] + name]
        error = numpy.abs(array.reshape(expected.shape) - expected).max()
        assert error <= 1e-9 * numpy.abs(expected).max(), (name, error)
        compared += 1
    assert compared, "no results"
