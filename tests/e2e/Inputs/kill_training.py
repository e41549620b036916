"""Kills a training run with SIGKILL, again and again, at random moments.

usage: kill_training.py [--kills N] [--seed N] PROGRAM DATA

PROGRAM is a compiled model of the inputs that the data set in the directory DATA
has; it trains on 3000 of its samples, a fraction of a second an epoch.

A run that nobody disturbs says what the end has to be. Then runs are started,
killed and resumed until N of them have been killed. After each kill, the
checkpoint and the one before it load, and the resumed run starts where the last
checkpoint was saved or later. The runs that get to the end leave the very bytes
of the undisturbed one, and no other files.
"""

import argparse
import gzip
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

import numpy

EPOCHS, BATCH_SIZE, EVERY, SAMPLES = 3, 20, 7, 3000


def read_idx(path):
    with gzip.open(path) as file:
        data = file.read()
    shape = numpy.frombuffer(data, ">u4", data[3], 4)
    return numpy.frombuffer(data, "u1", offset=4 + 4 * data[3]).reshape(shape)


def write_data(source, directory):
    for name, idx in [("train", "train"), ("test", "t10k")]:
        for kind, file in [("x", "images-idx3"), ("y", "labels-idx1")]:
            array = read_idx(os.path.join(source, f"{idx}-{file}-ubyte.gz"))
            numpy.save(os.path.join(directory, f"{name}-{kind}.npy"), array[:SAMPLES])


def read(path):
    with open(path, "rb") as file:
        return file.read()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("data")
    options = parser.parse_args()
    moments = random.Random(options.seed)

    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(os.path.join(directory, "data"))
        write_data(options.data, os.path.join(directory, "data"))
        os.chdir(directory)
        train = [options.program, "train", "--data", "data", "--threads", "1"]
        train += ["--epochs", str(EPOCHS), "--batch-size", str(BATCH_SIZE)]
        train += ["--checkpoint-every", str(EVERY), "--keep", "2", "--checkpoint"]
        quiet = {"stdout": subprocess.DEVNULL}

        subprocess.run(train + ["whole"], check=True, **quiet)
        begin = time.perf_counter()
        subprocess.run(train + ["timed"], check=True, **quiet)
        seconds = time.perf_counter() - begin
        expected = read("whole")

        killed = finished = without = torn = 0
        while killed < options.kills or finished == 0:
            resume = ["--resume"] if os.path.exists("c") else []
            process = subprocess.Popen(train + ["c"] + resume, **quiet)
            # Past the end, too: some runs are to finish.
            wait = None
            if killed < options.kills:
                wait = moments.uniform(0, 1.1 * seconds)
            try:
                status = process.wait(wait)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                status = process.wait()
            if status == -signal.SIGKILL:
                killed += 1
                torn += any(name.endswith(".tmp") for name in os.listdir("."))
                without += not os.path.exists("c")
                for name in {"c", "c.1"} & set(os.listdir(".")):
                    evaluate = [options.program, "eval", "--data", "data"]
                    subprocess.run(
                        evaluate + ["--checkpoint", name], check=True, **quiet
                    )
                continue
            if status != 0:
                sys.exit(f"error: after {killed} kills the run ended with {status}")
            finished += 1
            if read("c") != expected:
                sys.exit(f"error: after {killed} kills the end is another one")
            left = set(os.listdir(".")) - {"data", "whole", "whole.1", "timed"}
            if left - {"timed.1"} != {"c", "c.1"}:
                sys.exit(f"error: after {killed} kills there are {sorted(left)}")
            os.remove("c")
            os.remove("c.1")
        print(
            f"{killed} killed, {torn} of them while they saved, {without} before "
            f"their first checkpoint; {finished} runs finished, all with the same bytes"
        )


if __name__ == "__main__":
    main()
