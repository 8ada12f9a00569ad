"""What a network from a file may ask of the machine that builds and runs it, worked out before anything is built.

The settings of a single layer have their own ranges (`architecture.KINDS`); a thousand layers of harmless settings can
still ask for hours.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.errors import UserError
from shared.model_files.architecture import MAX_LAYERS, Architecture, Layer, each_step, weight_shapes

Shape = tuple[int, ...]

MAX_DEPTH = 256  # layers one after the other; Keras walks along them by recursion
MAX_RECURRENT = 8  # LSTMs, each a loop within the program: compiling one takes up to half a second
MAX_LINKS = 2 * MAX_LAYERS  # inputs of all layers, and outputs
MAX_ACTIVATIONS = 1 << 22  # numbers that all layers together make of one state, 16 MiB
MAX_WORK = 1 << 32  # multiplications and additions for one state, some seconds on a laptop


def check_count(layers: Sequence[Any], outputs: Sequence[str], path: str | Path) -> None:
    """Raise `UserError` when there are more layers, or links between them, than anybody needs.

    Args:
        layers: things with the names of their `inputs`, not looked into any further.
        outputs: the names of those that give the outputs.
        path: the file, for messages.
    """
    if len(layers) > MAX_LAYERS:
        raise UserError(f"{path}: {len(layers):,} layers are more than {MAX_LAYERS}; choose another file")
    links = len(outputs) + sum(len(layer.inputs) for layer in layers)
    if links > MAX_LINKS:
        raise UserError(f"{path}: {links:,} links between layers are more than {MAX_LINKS:,}; choose another file")


def check(architecture: Architecture, shapes: dict[str, Shape], path: str | Path) -> int:
    """Multiplications and additions for one state, at most, in order of magnitude.

    Args:
        architecture: the network.
        shapes: the output shape of each layer by name, without the batch axis, each layer after those that feed it
            (`building.output_shapes`).
        path: the file, for messages.

    Raises `UserError` naming the layer at which a network becomes too much.
    """
    by_name = {layer.name: layer for layer in architecture.layers}
    depths: dict[str, int] = {}
    activations = work = recurrent = 0
    for name, shape in shapes.items():
        layer, where = by_name[name], f"{path}: layer {name}"
        depths[name] = 1 + max((depths[fed_by] for fed_by in layer.inputs), default=0)
        if depths[name] > MAX_DEPTH:
            raise UserError(f"{where}: more than {MAX_DEPTH} layers one after the other; make it shallower")
        recurrent += layer.kind == "LSTM"
        if recurrent > MAX_RECURRENT:
            raise UserError(f"{where}: more than {MAX_RECURRENT} LSTMs; choose another file")
        activations += math.prod(shape)
        if activations > MAX_ACTIVATIONS:
            raise UserError(
                f"{where}: the layers up to here make more than {MAX_ACTIVATIONS:,} numbers of one state; make them "
                "smaller"
            )
        work += _work(layer, [shapes[fed_by] for fed_by in layer.inputs], shape)
        if work > MAX_WORK:
            raise UserError(
                f"{where}: the layers up to here take more than {MAX_WORK:,} multiplications for one state; make them "
                "smaller"
            )
    return work


def _work(layer: Layer, inputs: list[Shape], output: Shape) -> int:
    """Multiplications and additions of a layer for one state, at most, in order of magnitude."""
    work = math.prod(output) + sum(map(math.prod, inputs))
    if layer.kind == "TimeDistributed":
        steps = inputs[0][0]
        return steps * _work(each_step(layer), [inputs[0][1:]], output[1:])
    if "pool_size" in layer.settings:
        work += math.prod(output) * math.prod(layer.settings["pool_size"])
    if layer.kind == "Dot":
        work += math.prod(output) * max(max(shape) for shape in inputs)
    if inputs:
        weights = weight_shapes(layer, inputs)
        # Each weight is applied at each place of the input or the output: all of its axes but the last.
        places = max(math.prod(shape[:-1]) for shape in (*inputs, output))
        work += places * sum(map(math.prod, weights))
    return work
