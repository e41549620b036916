#!/usr/bin/env python3
"""Checks every layer with every optimizer, with and without projection, and
compares the verdict with what the rules of docs/model-file.md say: a proof, or
an error that gives the reason."""

import concurrent.futures
import itertools
import os
import subprocess
import sys

# Layer -> whether it has parameters with a sign contract; "h0" if one of them
# takes additive steps with every optimizer.
LAYERS = {
    "ei_dense { excitatory: 3 inhibitory: 2 }": True,
    "ei_dense { excitatory: 3 inhibitory: 2 inhibition: SUBTRACTIVE }": True,
    "dense { units: 3 }": False,
    "dense { units: 3 weight_sign: NONNEGATIVE }": True,
    "dense { units: 3 weight_sign: NONPOSITIVE }": True,
    "dense { units: 3 weight_sign: FROZEN }": True,
    "dense { units: 3 inhibitory_inputs: 1 }": True,
    "dense { units: 3 normalization: LAYER }": False,
    "dense { units: 3 normalization: BATCH }": False,
    "column_ei { units: 3 pixel_mean: 0.5 }": True,
    "ei_conv2d { excitatory: 3 inhibitory: 1 kernel: 2 }": True,
    "conv2d { channels: 3 kernel: 2 }": False,
    "ei_recurrent { excitatory: 3 inhibitory: 2 activation: RELU dropconnect: 0.5 }": True,
    "ei_recurrent { excitatory: 3 inhibitory: 2 activation: RELU inhibition: DIVISIVE }": True,
    # Initial states take additive steps, which only a projection keeps positive.
    "ei_recurrent { excitatory: 3 inhibitory: 2 activation: RELU learned_initial_state: true }": "h0",
    "recurrent { units: 3 activation: RELU learned_initial_state: true }": False,
    "column_ei_recurrent { units: 4 ratio: 3 activation: RELU ablate_ii: true }": True,
}
# Optimizer -> whether its steps keep signs by construction.
OPTIMIZERS = {
    "sgd {}": False,
    "sgd { momentum: 0.9 nesterov: true weight_decay: 0.1 }": False,
    "adam { weight_decay: 0.1 decoupled: true }": False,
    "adam { amsgrad: true }": False,
    "exponentiated_gradient { momentum: 0.9 weight_decay: 0.1 }": True,
    "exponentiated_gradient { biases: ADDITIVE }": True,
    "adam_exponentiated_gradient { amsgrad: true }": True,
    "mirror_descent { potential: ENTROPY }": True,
    "mirror_descent { potential: P_NORM p: 3 }": False,
    "natural_gradient {}": False,
}
# Those that stand for all with the layers from `dense { ... FROZEN }` on: the
# others differ in their settings alone.
REPRESENTATIVES = [
    "sgd {}",
    "adam { amsgrad: true }",
    "exponentiated_gradient { momentum: 0.9 weight_decay: 0.1 }",
    "adam_exponentiated_gradient { amsgrad: true }",
    "mirror_descent { potential: ENTROPY }",
    "mirror_descent { potential: P_NORM p: 3 }",
    "natural_gradient {}",
]
NUM_WITH_ALL = 5  # layers
EXTRAS = {
    "": lambda optimizer, projected: None,
    "correct_inhibition: true": lambda optimizer, projected: (
        "'correct_inhibition' and the optimizer scaled diagonal natural gradient "
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


def get_reason(layer, optimizer, extra, projected):
    """Why the combination is refused; None if it is proven."""
    if reason := EXTRAS[extra](optimizer, projected):
        return reason
    if optimizer.startswith("natural") and ("conv2d" in layer or "recurrent" in layer):
        return "cannot square the gradients of single samples"
    if optimizer.startswith("natural") and "BATCH" in layer:
        return "it mixes samples"
    is_kept = OPTIMIZERS[optimizer] and LAYERS[layer] != "h0"
    if LAYERS[layer] and not projected and not is_kept:
        return "breaks Dale's law: result"
    return None


def check_model(path, layer, optimizer, extra, projected):
    shape, last = "shape: 4", ""
    if "recurrent" in layer:
        shape = "shape: 2 shape: 4"
    if "conv2d" in layer:
        shape, last = "shape: 1 shape: 3 shape: 3", "layer { dense { units: 3 } }"
    with open(path, "w") as file:
        file.write(
            f"""name: "combination"
input {{ {shape} minimum: 0 maximum: 1 }}
layer {{ {layer} }}
{last}
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


def list_combinations():
    first = list(LAYERS)[:NUM_WITH_ALL]
    for layer, optimizer, extra, projected in itertools.product(
        LAYERS, OPTIMIZERS, EXTRAS, (True, False)
    ):
        # The layer decides nothing of what a setting excludes, and the projection
        # only what has no angle without it.
        if extra and layer != first[0]:
            continue
        if extra and not projected and not extra.startswith("cosine_angle"):
            continue
        if layer in first or optimizer in REPRESENTATIVES:
            yield layer, optimizer, extra, projected


def check(path, number, combination):
    """What is wrong, if something is."""
    reason = get_reason(*combination)
    result = check_model(f"{path}.{number}.txtpb", *combination)
    if reason is None:
        good = result.returncode == 0 and not result.stderr
    else:
        good = result.returncode == 1 and reason in result.stderr
    return None if good else (
        f"{combination}\n  wanted: {reason}\n"
        f"  got: {result.returncode} {result.stderr}"
    )


def main(path):
    combinations = list(list_combinations())
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        wrong = [
            fault
            for fault in threads.map(
                check, itertools.repeat(path), itertools.count(), combinations
            )
            if fault
        ]
    print(*wrong, sep="\n", end="")
    refused = sum(get_reason(*combination) is not None for combination in combinations)
    print(f"{len(combinations) - refused} proven, {refused} refused")
    sys.exit(bool(wrong))


main(sys.argv[1])
