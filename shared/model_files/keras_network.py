"""A graph of Keras layers as a network of this project, channels last, and where each array of its file goes."""

from pathlib import Path

import keras

from shared.errors import UserError
from shared.model_files import keras_config
from shared.model_files.architecture import Architecture
from shared.model_files.assignment import Pair, Target, v3_names
from shared.model_files.building import in_order, output_shapes
from shared.model_files.hdf5 import WeightsFile
from shared.model_files.keras_graph import Graph

IMAGE_LAYERS = ("Convolution2D", "Conv2D", "MaxPooling2D", "Flatten", "Add", "Subtract", "Multiply")


def channels_last(graph, path):
    """The architecture of a graph with its images as (rows, columns, channels).

    Returns an `architecture.Architecture` and whether the images were (channels, rows, columns).
    """
    layers = [keras_config.plain_layer(layer, path) for layer in graph.layers]
    stated = {
        layer.channels_first: layer.name
        for layer in reversed(graph.layers)
        if layer.class_name not in ("Flatten", "InputLayer") and layer.channels_first is not None
    }
    if len(stated) > 1:
        raise UserError(f"{path}: layers {stated[True]} and {stated[False]} differ in where the channels are")
    shapes = [layer.settings["shape"] for layer in layers if layer.kind == "InputLayer"]
    # Without a convolution nothing says where the channels are; screens are square, so the odd one out is they.
    first = next(iter(stated), any(len(shape) == 3 and shape[0] != shape[1] == shape[2] for shape in shapes))
    for layer in layers:
        shape = layer.settings.get("shape", ())
        users = [user for user in layers if layer.name in user.inputs]
        if len(shape) == 3 and first:
            layer.settings["shape"] = (*shape[1:], shape[0])
        elif len(shape) == 2 and all(user.kind == "Flatten" for user in users):
            layer.settings["shape"] = (*shape, 1)
    return Architecture(tuple(layers), graph.outputs, graph.sequential), first


def pair(
    graph: Graph,
    kept: Graph,
    network: Architecture,
    first: bool,
    path: str | Path,
    model: keras.Model,
    stored: WeightsFile,
) -> list[Pair]:
    """Match the layers of a model with those of a file: by name; where no name is the same, in order, as Keras does.

    Args:
        graph: the whole of what the document describes.
        kept: what of it the network is made of.
        network, first: what `channels_last` returned.
        path: of the document, for messages.
        model: built from the network.
        stored: the file's arrays.

    Raises `UserError` naming a layer that we cannot turn.
    """
    targets = _targets(model, kept, network, first, path)
    if stored.layout == "v3":
        names = v3_names([(layer.class_name, layer.name) for layer in graph.layers])
    else:
        names = {layer.name: layer.name for layer in graph.layers}
    wanted = [layer.name for layer in graph.layers if layer.name in targets]
    found = {layer.name: layer for layer in stored.layers}
    if stored.layout == "legacy" and not found.keys() & targets.keys() and len(found) == len(wanted):
        return [Pair(name, targets[name], layer) for name, layer in zip(wanted, stored.layers, strict=True)]
    pairs = [Pair(name, targets[name], found.get(names[name])) for name in wanted]
    return pairs + [Pair(name, None, layer) for name, layer in found.items() if name not in names.values()]


def _targets(model, graph, described, first, path):
    """Where each stored array goes, by layer: kernels of Keras 1 turned, rows after a channels-first Flatten reordered.

    Args:
        model: the new model.
        graph: the layers of the old one that it is made of.
        described: those of the new one.
        first: whether the old one's images were (channels, rows, columns).
        path: for messages.

    Returns a dict of lists of `assignment.Target`. Raises `UserError` naming a layer that we cannot turn.
    """
    targets = {}
    orders = {}  # layer whose output is a flattened (channels, rows, columns) -> that shape
    shapes = output_shapes(described, path)
    by_name = {layer.name: layer for layer in graph.layers}
    for layer in (by_name[new.name] for new in in_order(described, path) if new.inputs):
        made, shape = model.get_layer(layer.name), shapes[layer.inputs[0]]
        weights = [Target(variable) for variable in made.weights]
        turned = first and len(shape) == 3  # the input was (channels, rows, columns)
        order = next((orders[name] for name in layer.inputs if name in orders), None)
        elementwise = layer.class_name in ("Activation", "Dropout") and layer.config.get("activation") != "softmax"
        # Keras 1 flattens an array as it lies; Keras 2, where Flatten says channels_first, as if channels came last.
        if turned and layer.class_name == "Flatten" and layer.channels_first is not True:
            orders[layer.name] = (shape[2], shape[0], shape[1])
        elif order and elementwise:
            orders[layer.name] = order
        elif order and layer.class_name == "Dense":
            weights[0] = Target(made.kernel, convert=_reordered(order))
        elif order or (turned and not elementwise and layer.class_name not in IMAGE_LAYERS):
            raise UserError(f"{path}: layer {layer.name}: {layer.class_name} on channels-first data is not supported")
        if layer.is_keras_1 and first:
            rows, columns, channels, filters = made.kernel.shape
            weights[0] = Target(made.kernel, (filters, channels, rows, columns), _turned)
        if weights:
            targets[layer.name] = weights
    for name in graph.outputs:
        if name in orders or (first and len(shapes[name]) == 3):
            raise UserError(f"{path}: layer {name}: the output is channels-first data, which is not supported")
    return targets


def _turned(kernel):
    """A kernel of Keras 1, (filters, channels, rows, columns), as (rows, columns, channels, filters)."""
    return kernel.transpose(2, 3, 1, 0)


def _reordered(order):
    """Rows of a Dense kernel from (channels, rows, columns) to (rows, columns, channels)."""
    return lambda kernel: kernel.reshape(*order, -1).transpose(1, 2, 0, 3).reshape(kernel.shape)
