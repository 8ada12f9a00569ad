"""A network that a file describes, put together: the order of its layers, the shapes of their outputs, the model."""

import math
from pathlib import Path
from typing import Any

from shared.errors import UserError
from shared.late import late
from shared.model_files import bounds
from shared.model_files.architecture import (
    KINDS,
    MAX_LAYERS,
    MAX_SIZE,
    MAX_WEIGHTS,
    Architecture,
    Layer,
    each_step,
    keras_layer,
    weight_shapes,
)
from shared.nn.numpy_network import MAX_STEPS

keras = late("keras")


def in_order(architecture: Architecture, path: str | Path) -> list[Layer]:
    """The layers, each after those that feed it. Raises `UserError` on a missing input, a circle or a double name."""
    by_name = {layer.name: layer for layer in architecture.layers}
    if len(by_name) < len(architecture.layers):
        names = [layer.name for layer in architecture.layers]
        raise UserError(f"{path}: two layers are called {max(names, key=names.count)}; rename one")
    for name, user in [(name, layer.name) for layer in architecture.layers for name in layer.inputs] + [
        (name, "the output") for name in architecture.outputs
    ]:
        if name not in by_name:
            raise UserError(f"{path}: layer {name!s:.60}, which feeds {user}, is missing; add it")
    ordered, waiting = {}, dict(by_name)
    while waiting:
        ready = [layer for layer in waiting.values() if all(name in ordered for name in layer.inputs)]
        if not ready:
            raise UserError(f"{path}: layer {next(iter(waiting))} feeds itself by a circle; break it")
        for layer in ready:
            ordered[layer.name] = waiting.pop(layer.name)
    return list(ordered.values())


def output_shapes(architecture: Architecture, path: str | Path) -> dict[str, tuple[int, ...]]:
    """The output shape of each layer by name, without the batch axis.

    Raises `UserError` naming the layer that does not fit its input, or when the network as a whole is too large.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    total, parts = 0, len(architecture.layers)
    for layer in in_order(architecture, path):
        where, inputs = f"{path}: layer {layer.name}", [shapes[name] for name in layer.inputs]
        shapes[layer.name] = output_shape(layer, inputs, path)
        total += sum(map(math.prod, weight_shapes(layer, inputs)))
        if total > MAX_WEIGHTS:
            raise UserError(f"{where}: more than {MAX_WEIGHTS:,} weights up to here; make it smaller")
        parts += inputs[0][0] - 1 if layer.kind == "TimeDistributed" else 0
        if parts > MAX_LAYERS:
            raise UserError(f"{where}: more than {MAX_LAYERS} layers and time steps of layers; make it smaller")
    return shapes


def output_shape(layer: Layer, inputs: list[tuple[int, ...]], path: str | Path) -> tuple[int, ...]:
    """The shape of what a layer makes of inputs of these shapes, all without the batch axis.

    Raises `UserError` naming the layer when it does not fit its input.
    """
    kind, where = KINDS[layer.kind], f"{path}: layer {layer.name}"
    if layer.kind == "InputLayer":
        return layer.settings["shape"]
    if kind.steps and inputs[0] and inputs[0][0] > MAX_STEPS:
        raise UserError(f"{where}: {inputs[0][0]:,} time steps are more than {MAX_STEPS}; choose another file")
    if layer.kind == "TimeDistributed" and len(inputs[0]) > 1:
        return (inputs[0][0], *output_shape(each_step(layer), [inputs[0][1:]], path))
    batched = [(None, *shape) for shape in inputs]
    try:
        shape = _made(layer).compute_output_shape(_one_or_list(batched))[1:]
        weight_shapes(layer, inputs)
        fits = kind.axes(layer.settings) in (None, len(inputs[0])) and not _crosses_the_batch(layer, len(batched[0]))
        fits = fits and all(isinstance(size, int) and 0 < size <= MAX_SIZE * 64 for size in shape)
    except (ValueError, TypeError, IndexError):
        fits = False
    if not fits:
        shown = " and ".join(map(str, inputs))
        raise UserError(f"{where}: {layer.kind} does not fit its input {shown}; change one")
    return tuple(shape)


def _crosses_the_batch(layer, axes):
    """Whether an axis that a layer works along is that of the batch, counted from the end."""
    axis = layer.settings.get("axis", ())
    return any(one % axes == 0 for one in (axis if isinstance(axis, tuple) else (axis,)))


def _made(layer):
    return keras_layer(layer.kind, layer.settings, layer.name)


def build(architecture: Architecture, path: str | Path) -> Any:
    """A Keras model with fresh weights. Raises `UserError` when the description does not make sense."""
    bounds.check(architecture, output_shapes(architecture, path), path)
    ordered = in_order(architecture, path)
    made = {layer.name: _made(layer) for layer in ordered}
    if architecture.sequential:
        return keras.Sequential(list(made.values()))
    tensors = {}
    for layer in ordered:
        if layer.kind == "InputLayer":
            tensors[layer.name] = made[layer.name].output
            continue
        try:
            tensors[layer.name] = made[layer.name](_one_or_list([tensors[name] for name in layer.inputs]))
        except (ValueError, TypeError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{path}: layer {layer.name}: {layer.kind} does not fit its input ({reason})") from None
    inputs = [tensors[layer.name] for layer in architecture.layers if layer.kind == "InputLayer"]
    return keras.Model(_one_or_list(inputs), _one_or_list([tensors[name] for name in architecture.outputs]))


def _one_or_list(items):
    return items[0] if len(items) == 1 else items
