"""Checks that training on lowered the error and kept the sign contracts.

usage: check_finetuning.py BEFORE.jsonl AFTER.jsonl AFTER.safetensors
"""

import json
import struct
import sys

import numpy


def last_error(path):
    with open(path, encoding="utf-8") as log:
        return json.loads(log.readlines()[-1])["test_error"]


before, after = map(last_error, sys.argv[1:3])
assert after < before, f"the test error went from {before} to {after}"

with open(sys.argv[3], "rb") as file:
    length, = struct.unpack("<Q", file.read(8))
    header = json.loads(file.read(length))
    data = file.read()
constrained = 0
for name, tensor in header.items():
    if name.rsplit(".", 1)[-1] in ("wex", "wix", "wei", "g"):
        begin, end = tensor["data_offsets"]
        values = numpy.frombuffer(data[begin:end], "<f4")
        assert (values >= 0).all(), f"{name} has a negative entry"
        constrained += 1
assert constrained > 0, "there are no constrained parameters"
