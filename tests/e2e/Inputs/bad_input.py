"""Bad input to a compiled program: bad_input.py DIRECTORY DATA.

DIRECTORY holds the programs `small` and `other`. Each case is a command and a
pattern for the one line it must print; it must exit with 1 and leave the
directory as it was.
"""
import gzip
import os
import re
import shutil
import struct
import subprocess
import sys

import numpy

directory, data = sys.argv[1:]
os.chdir(directory)
samples = numpy.random.default_rng(1).random((20, 784), "f4")
labels = numpy.arange(20) % 10
numpy.save("x.npy", samples)
numpy.save("y.npy", labels)
good = ["--train-x", "x.npy", "--train-y", "y.npy", "--test-x", "x.npy", "--test-y", "y.npy"]


def array(name, value):
    numpy.save(name, value)
    return name


def with_option(option, value):
    arguments = list(good)
    arguments[arguments.index(option) + 1] = value
    return ["train"] + arguments


def changed(position, value):
    copy = samples.copy()
    copy[position] = value
    return copy


def write(name, content):
    with open(name, "wb") as file:
        file.write(content)
    return name


# Data sets with one damaged file.
def damaged_data(name, file, content):
    os.mkdir(name)
    for entry in os.listdir(data):
        os.symlink(os.path.join(data, entry), os.path.join(name, entry))
    os.remove(os.path.join(name, file))
    if content is not None:
        write(os.path.join(name, file), content)
    return name


images, image_labels = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
with open(os.path.join(data, images), "rb") as file:
    image_bytes = file.read()
bad_label = gzip.compress(struct.pack(">II", 0x801, 60000) + b"\x07" * 59999 + b"\x0a")
damaged_data("no-labels", image_labels, None)
damaged_data("cut-gzip", images, image_bytes[: len(image_bytes) // 2])
damaged_data("cut-idx", images, gzip.compress(gzip.decompress(image_bytes)[:1000000]))
damaged_data("bad-label", image_labels, bad_label)

# A checkpoint of each program, and damaged ones.
run = lambda *command: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
run("./small", "train", *good, "--epochs", "1", "--checkpoint", "small.safetensors")
numpy.save("tiny-x.npy", samples[:, :12])
numpy.save("tiny-y.npy", labels % 4)
tiny = ["--train-x", "tiny-x.npy", "--train-y", "tiny-y.npy", "--test-x", "tiny-x.npy", "--test-y", "tiny-y.npy"]
run("./other", "train", *tiny, "--epochs", "1", "--checkpoint", "other.safetensors")
with open("small.safetensors", "rb") as file:
    checkpoint = file.read()
write("cut.safetensors", checkpoint[:-10])
write("short.safetensors", checkpoint[:5])
header_size = struct.unpack("<Q", checkpoint[:8])[0]
negative = bytearray(checkpoint)
offset = re.search(rb'"0.wex":\{[^}]*"data_offsets":\[(\d+)', checkpoint)
begin = 8 + header_size + int(offset.group(1))
negative[begin : begin + 4] = struct.pack("<f", -0.5)
# As others write it, without our checksum: of the same length.
checksum = re.compile(rb'"dann_checksum":"crc32:[0-9a-f]{8}"')
write("changed.safetensors", bytes(negative))
negative = checksum.sub(b'"other_checksm":"crc32:00000000"', bytes(negative))
write("negative.safetensors", negative)

evaluate = ["eval", "--test-x", "x.npy", "--test-y", "y.npy", "--checkpoint"]
wide = array("wide.npy", numpy.zeros((20, 785), "f4"))
empty = array("empty.npy", numpy.zeros((0, 784), "f4"))
predict = ["predict", "--checkpoint", "small.safetensors", "--input", "x.npy", "--output"]

cases = [
    (["train"], r"--data"),
    (["train", "--data", "nowhere"], r"nowhere"),
    (["train", "--data", "no-labels"], r"train-labels-idx1-ubyte"),
    (["train", "--data", "cut-gzip"], r"cut-gzip/train-images.*(truncat|end|cut)"),
    (["train", "--data", "cut-idx"], r"cut-idx/train-images"),
    (["train", "--data", "bad-label"], r"label.*10.*59999|59999.*10"),
    (with_option("--train-x", wide), r"wide.npy.*785.*784"),
    (with_option("--train-x", empty), r"empty.npy.*(empty|no samples)"),
    (with_option("--train-x", array("nan.npy", changed((4, 17), numpy.nan))), r"nan.npy.*feature 17 of sample 4 is nan"),
    (with_option("--train-x", array("low.npy", changed((3, 2), -0.25))), r"low.npy.*-0\.25"),
    (with_option("--train-x", array("big.npy", samples.astype(">f4"))), r"big.npy.*big-endian"),
    (with_option("--train-x", array("fortran.npy", numpy.asfortranarray(samples))), r"fortran.npy.*Fortran"),
    (with_option("--train-x", write("cut.npy", open("x.npy", "rb").read()[:5000])), r"cut.npy"),
    (with_option("--train-x", write("text.npy", b"hello")), r"text.npy"),
    (with_option("--train-y", array("ten.npy", numpy.full(20, 10))), r"ten.npy.*10"),
    (with_option("--train-y", array("minus.npy", numpy.full(20, -1))), r"minus.npy.*-1"),
    (with_option("--train-y", array("few.npy", labels[:19])), r"19.*20|20.*19"),
    (["train", *good, "--epochs", "0"], r"--epochs.*0"),
    (["train", *good, "--epochs", "-1"], r"--epochs.*-1"),
    (["train", *good, "--epochs", "many"], r"--epochs.*many"),
    (["train", *good, "--batch-size", "0"], r"--batch-size.*0"),
    (["train", *good, "--batch-size", "99999999999999999999"], r"--batch-size"),
    (["train", *good, "--threads", "0"], r"--threads.*0"),
    (["train", *good, "--learning-rate", "nan"], r"--learning-rate.*nan"),
    (["train", *good, "--learning-rate", "-1"], r"--learning-rate.*-1"),
    (["train", *good, "--sped", "1"], r"--sped"),
    (["train", *good, "--checkpoint", "nowhere/c.safetensors"], r"nowhere/c.safetensors"),
    (["train", *good, "--checkpoint", "."], r"\."),
    (["train", *good, "--log", "nowhere/l.jsonl"], r"nowhere/l.jsonl"),
    (["train", *good, "--checkpoint", "other.safetensors", "--resume"], r"other.safetensors.*dense"),
    (["trian"], r"trian"),
    ([], r"command|subcommand"),
    (evaluate + ["missing.safetensors"], r"missing.safetensors"),
    (evaluate + ["other.safetensors"], r"other.safetensors.*dense"),
    (evaluate + ["cut.safetensors"], r"cut.safetensors"),
    (evaluate + ["short.safetensors"], r"short.safetensors"),
    (evaluate + ["negative.safetensors"], r"negative.safetensors.*0\.wex.*-0\.5"),
    (evaluate + ["changed.safetensors"], r"changed.safetensors is damaged: its checksum"),
    (predict + ["nowhere/y.npy"], r"nowhere/y.npy"),
    (["run", "backward", "--input", "small.safetensors", "--output", "o.safetensors"], r"backward"),
    (["run", "forward", "--input", "small.safetensors", "--output", "o.safetensors"], r"\bx\b"),
    (["run", "forward", "--input", "cut.safetensors", "--output", "o.safetensors"], r"cut.safetensors"),
    (["bench", "--batch-size", "-3"], r"--batch-size.*-3"),
]


def snapshot():
    return {name: os.path.getsize(name) for name in os.listdir(".")}


failures = 0
for arguments, pattern in cases:
    before = snapshot()
    result = subprocess.run(["./small", *arguments], capture_output=True, text=True, timeout=120)
    lines = result.stderr.splitlines()
    problems = []
    if result.returncode != 1:
        problems.append(f"exit status {result.returncode}")
    if len(lines) != 1 or not lines[0].startswith("small: error: "):
        problems.append("not one line of error")
    elif not re.search(pattern, lines[0]):
        problems.append(f"does not match {pattern!r}")
    if snapshot() != before:
        problems.append("changed files")
    if problems:
        failures += 1
        print(" ".join(arguments), "->", "; ".join(problems), "\n ", result.stderr)

# A full disk: the checkpoint of before survives. (A file-size limit stands for
# the disk; it needs no mount.)
shutil.copy("small.safetensors", "full.safetensors")
result = subprocess.run(
    ["bash", "-c", "ulimit -f 8; trap '' XFSZ; exec \"$@\"", "bash", "./small", "train", *good, "--epochs", "1", "--checkpoint", "full.safetensors"],
    capture_output=True, text=True)
with open("full.safetensors", "rb") as file:
    intact = file.read() == checkpoint
leftovers = [name for name in os.listdir(".") if name.endswith(".tmp")]
if result.returncode != 1 or not intact or leftovers or "full.safetensors" not in result.stderr:
    failures += 1
    print("full disk ->", result.returncode, intact, leftovers, result.stderr)
sys.exit(failures != 0)
