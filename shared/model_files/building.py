"""A network that a file describes, put together: the order of its layers, the shapes of their outputs, the model."""

import math

import keras

from shared.errors import UserError
from shared.model_files import bounds
from shared.model_files.architecture import KINDS, MAX_SIZE, MAX_WEIGHTS


def in_order(architecture, path):
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


def output_shapes(architecture, path):
    """The output shape of each layer by name, without the batch axis.

    Raises `UserError` naming the layer that does not fit its input, or when the network as a whole is too large.
    """
    shapes, total = {}, 0
    for layer in in_order(architecture, path):
        kind = KINDS[layer.kind]
        if layer.kind == "InputLayer":
            shapes[layer.name] = layer.settings["shape"]
            continue
        inputs = _one_or_list([(None, *shapes[name]) for name in layer.inputs])
        try:
            shape = kind.layer_class(name=layer.name, **layer.settings).compute_output_shape(inputs)[1:]
            fits = all(isinstance(size, int) and 0 < size <= MAX_SIZE * 64 for size in shape)
        except (ValueError, TypeError, IndexError):
            fits = False
        if not fits:
            shown = " and ".join(str(shapes[name]) for name in layer.inputs)
            raise UserError(f"{path}: layer {layer.name}: {layer.kind} does not fit its input {shown}; change one")
        shapes[layer.name] = tuple(shape)
        total += sum(math.prod(weights) for weights in kind.weight_shapes(layer.settings, inputs))
        if total > MAX_WEIGHTS:
            raise UserError(
                f"{path}: layer {layer.name}: more than {MAX_WEIGHTS:,} weights up to here; make it smaller"
            )
    return shapes


def build(architecture, path):
    """A Keras model with fresh weights. Raises `UserError` when the description does not make sense."""
    bounds.check(architecture, output_shapes(architecture, path), path)
    ordered = in_order(architecture, path)
    made = {layer.name: KINDS[layer.kind].layer_class(name=layer.name, **layer.settings) for layer in ordered}
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
