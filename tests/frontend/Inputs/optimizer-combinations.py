#!/usr/bin/env python3
"""Checks every layer with every optimizer, with and without projection, and
compares the verdict with what the rules of docs/model-file.md say: a proof, or
an error that gives the reason."""

import itertools
import subprocess
import sys

# Layer -> whether it has parameters with a sign contract.
LAYERS = {
    "ei_dense { excitatory: 3 inhibitory: 2 }": True,
    "ei_dense { excitatory: 3 inhibitory: 2 inhibition: SUBTRACTIVE }": True,
    "dense { units: 3 }": False,
    "dense { units: 3 weight_sign: NONNEGATIVE }": True,
    "dense { units: 3 weight_sign: NONPOSITIVE }": True,
}
# Optimizer -> whether its steps keep signs by construction.
OPTIMIZERS = {
    "sgd {}": False,
    "sgd { momentum: 0.9 nesterov: true weight_decay: 0.1 }": False,
    "adam { weight_decay: 0.1 decoupled: true }": False,
    "exponentiated_gradient { momentum: 0.9 weight_decay: 0.1 }": True,
    "adam_exponentiated_gradient {}": True,
    "mirror_descent { potential: ENTROPY }": True,
    "mirror_descent { potential: P_NORM p: 3 }": False,
    "natural_gradient {}": False,
}
EXTRAS = {
    "": lambda optimizer, projected: None,
    "correct_inhibition: true": lambda optimizer, projected: (
        "'correct_inhibition' and the optimizer diagonal natural gradient "
        "exclude each other"
        if optimizer.startswith("natural")
        else None
    ),
    "clip { max_norm: 1 }": lambda optimizer, projected: None,
    "clip { max_norm: 1 scope: GLOBAL }": lambda optimizer, projected: None,
    "cosine_angle {}": lambda optimizer, projected: (
        "exclude each other: the angle is that of a step of plain sgd"
        if optimizer != "sgd {}"
        else None if projected else "exclude each other: nothing projects"
    ),
}


def check_model(path, layer, optimizer, extra, projected):
    with open(path, "w") as file:
        file.write(
            f"""name: "combination"
input {{ shape: 4 minimum: 0 maximum: 1 }}
layer {{ {layer} }}
loss: SOFTMAX_CROSS_ENTROPY
optimizer {{ {optimizer} {extra} projection: {"ON" if projected else "OFF"} }}
defaults {{ learning_rate: 0.1 }}
"""
        )
    model = subprocess.run(
        ["dann-compile", path, "--emit=mlir", "-o", "-"],
        capture_output=True,
        check=True,
    )
    return subprocess.run(
        ["dann-opt", "--dann-graph-pipeline", "-o", "/dev/null"],
        input=model.stdout.decode(),
        capture_output=True,
        text=True,
    )


def main(path):
    counts = {"proven": 0, "refused": 0}
    failures = 0
    for layer, optimizer, extra, projected in itertools.product(
        LAYERS, OPTIMIZERS, EXTRAS, (True, False)
    ):
        # The layer decides nothing of what a setting excludes, and the projection
        # only what has no angle without it.
        if extra and not layer.startswith("ei_dense { excitatory: 3 inhibitory: 2 }"):
            continue
        if extra and not projected and not extra.startswith("cosine_angle"):
            continue
        reason = EXTRAS[extra](optimizer, projected)
        if not reason and LAYERS[layer] and not projected and not OPTIMIZERS[optimizer]:
            reason = "breaks Dale's law: result"
        result = check_model(path, layer, optimizer, extra, projected)
        if reason is None:
            good = result.returncode == 0 and not result.stderr
        else:
            good = result.returncode == 1 and reason in result.stderr
        counts["refused" if reason else "proven"] += 1
        if not good:
            failures += 1
            print(f"{layer} {optimizer} {extra} projected: {projected}")
            print(f"  wanted: {reason}\n  got: {result.returncode} {result.stderr}")
    print(f"{counts['proven']} proven, {counts['refused']} refused")
    sys.exit(failures != 0)


main(sys.argv[1])
