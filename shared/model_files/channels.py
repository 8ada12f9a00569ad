"""Networks whose images are (channels, rows, columns), turned into ones with the channels last.

The axes of every layer's output are followed through the old network: where the new one has them in another order, the
settings and the weights of the layers after it are changed so that the outputs are the same. What cannot be turned is
refused.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from shared.errors import UserError
from shared.model_files import architecture
from shared.model_files.architecture import Architecture, Layer, weight_shapes
from shared.model_files.assignment import Pair
from shared.model_files.building import in_order, output_shape
from shared.model_files.keras_config import plain_layer
from shared.model_files.keras_graph import Graph, KerasLayer

Convert = Callable[[np.ndarray], np.ndarray]
GATES = (0, 2, 1, 3)  # where Keras 2 and 3 have the gates that Keras 1 stores in the order i, c, f, o
IMAGE_LAYERS = ("Conv2D", "MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D", "ZeroPadding2D")
ELEMENTWISE = ("Activation", "Dropout", "LeakyReLU", "ReLU", "Rescaling")  # of one tensor
MERGING = ("Add", "Subtract", "Multiply", "Average", "Maximum")  # of several, element by element


def as_is(values: np.ndarray) -> np.ndarray:
    """No conversion."""
    return values


class Piece(NamedTuple):
    """Part of an axis: an array of these sizes that was flattened, and the order of its axes in the new network."""

    sizes: tuple[int, ...]
    order: tuple[int, ...]


class Layout(NamedTuple):
    """How a tensor of the new network lies against that of the old one, both without the batch axis.

    Axis i of the new one is axis `axes[i]` of the old one. Along it the numbers lie in the same order where `pieces[i]`
    is None, else in that of the pieces.
    """

    shape: tuple[int, ...]
    axes: tuple[int, ...]
    pieces: tuple[tuple[Piece, ...] | None, ...]

    @property
    def same(self) -> bool:
        """Whether both lie alike."""
        return self.axes == tuple(range(len(self.axes))) and not any(self.pieces)

    @property
    def old_shape(self) -> tuple[int, ...]:
        """The shape in the old network."""
        return tuple(self.shape[self.axes.index(axis)] for axis in range(len(self.shape)))


class Stored(NamedTuple):
    """Where an array of the file goes: the number of the layer's weight, and how it is brought into place."""

    weight: int
    convert: Convert = as_is
    shape: tuple[int, ...] | None = None  # in the file, where it is not the weight's
    columns: slice | None = None  # of the weight, where it is only a part


class Columns:
    """Some columns of a variable, to be assigned like a variable of their own."""

    def __init__(self, variable: keras.Variable, columns: slice) -> None:
        self.variable, self.columns = variable, columns
        self.dtype = variable.dtype
        self.shape = (*variable.shape[:-1], columns.stop - columns.start)

    def assign(self, values: np.ndarray) -> None:
        """Set these columns and leave the others."""
        whole = np.array(keras.ops.convert_to_numpy(self.variable))
        whole[..., self.columns] = values
        self.variable.assign(whole)


class Turned(NamedTuple):
    """A network with the channels last, and for each layer with weights where the arrays of the file go."""

    architecture: Architecture
    stored: dict[str, list[Stored]]


class _CannotTurn(Exception):
    """A layer does something to an image that depends on where the channels are."""


class _Step(NamedTuple):
    """A layer in the new network: its settings, how its output lies, and how its weights are to be converted."""

    settings: dict
    axes: tuple[int, ...] | None = None  # None: as in the old network
    pieces: tuple[tuple[Piece, ...] | None, ...] | None = None
    converts: dict[int, Convert] = {}
    shapes: dict[int, tuple[int, ...]] = {}


def channels_last(graph: Graph, path: str | Path) -> Turned:
    """A graph of layers of any version of Keras with its images as (rows, columns, channels).

    A state of (rows, columns) that is only flattened becomes (rows, columns, 1).

    Raises `UserError` naming the layer when one is not supported, does not fit its input or cannot be turned.
    """
    described = Architecture(tuple(plain_layer(layer, path) for layer in graph.layers), graph.outputs, graph.sequential)
    first = _channels_first(graph, path)
    old = {layer.name: layer for layer in graph.layers}
    layers = {layer.name: layer for layer in described.layers}
    layouts: dict[str, Layout] = {}
    stored: dict[str, list[Stored]] = {}
    for layer in in_order(described, path):
        inputs = [layouts[name] for name in layer.inputs]
        if layer.kind == "InputLayer":
            step = _input(layer, [user for user in graph.layers if layer.name in user.inputs], first)
        else:
            try:
                step = _step(layer, old[layer.name], inputs, bool(first))
            except _CannotTurn as reason:
                raise UserError(f"{path}: layer {layer.name}: {reason}") from None
        layers[layer.name] = new = dataclasses.replace(layer, settings=step.settings)
        shapes = [layout.shape for layout in inputs]
        shape = output_shape(new, shapes, path)
        axes = tuple(range(len(shape))) if step.axes is None else step.axes
        layouts[layer.name] = Layout(shape, axes, step.pieces or (None,) * len(shape))
        if layer.kind != "InputLayer" and weight_shapes(new, shapes):
            stored[layer.name] = _stored(old[layer.name], weight_shapes(new, shapes), step)
    for name in graph.outputs:
        if name in layouts and not layouts[name].same:
            raise UserError(f"{path}: layer {name}: the output is channels-first data, which is not supported")
    return Turned(dataclasses.replace(described, layers=tuple(layers.values())), stored)


def _channels_first(graph, path):
    """Where the layers say that the channels are: True for the first axis, False for the last, None if none says it."""
    stated = {
        layer.channels_first: layer.name
        for layer in reversed(graph.layers)
        if (layer.each_step or layer).class_name not in ("Flatten", "InputLayer") and layer.channels_first is not None
    }
    if len(stated) > 1:
        raise UserError(f"{path}: layers {stated[True]} and {stated[False]} differ in where the channels are")
    return next(iter(stated), None)


def _image_axes(count):
    """How the axes of an image, or of images at several time steps, lie in the old network, in the new one's order."""
    return {3: (1, 2, 0), 4: (0, 2, 3, 1)}.get(count, tuple(range(count)))


def _input(layer, users, first):
    """The input of the new network."""
    shape = layer.settings["shape"]
    if len(shape) == 3 and users and all(_moves_channels_last(user) for user in users):
        first = True
    elif len(shape) == 3 and first is None:
        # Nothing says where the channels are; screens are square, so the odd one out is they.
        steps = any(
            architecture.KINDS[user.class_name].steps for user in users if user.class_name in architecture.KINDS
        )
        first = shape[0] != shape[1] == shape[2] and not steps
    if first and len(shape) in (3, 4):
        axes = _image_axes(len(shape))
        return _Step({"shape": tuple(shape[axis] for axis in axes)}, axes)
    flat = all(user.class_name == "Flatten" and user.channels_first is not True for user in users)
    if len(shape) == 2 and shape[0] > 1 and flat:
        return _Step({"shape": (*shape, 1)})
    return _Step({"shape": shape})


def _moves_channels_last(user):
    return user.class_name == "Permute" and tuple(user.config.get("dims") or ()) == (2, 3, 1)


def _step(layer: Layer, old: KerasLayer, inputs: list[Layout], first: bool) -> _Step:
    """What becomes of a layer whose inputs lie like this.

    Args:
        layer: with the settings that it has in the old network.
        old: what Keras wrote about it.
        inputs: how its inputs lie.
        first: whether the old network's images are (channels, rows, columns).

    Raises `_CannotTurn`.
    """
    settings, layout, kind = layer.settings, inputs[0], layer.kind
    last, count = len(layout.shape) - 1, len(layout.shape)
    if kind == "TimeDistributed" and count > 1:
        return _each_step(layer, old, layout, first)
    if kind in IMAGE_LAYERS:
        return _image(layer, old, layout)
    if kind == "Flatten":
        moved = old.channels_first is True and count > 1  # Keras 2 then flattens as if channels came last
        return _flattened(settings, layout, (*range(1, count), 0) if moved else tuple(range(count)), kind)
    if kind == "Reshape":
        return _reshaped(settings, layout, first)
    if kind == "Permute" and len(settings["dims"]) == count:
        wanted = [settings["dims"][axis] - 1 for axis in (_image_axes(count) if first else range(count))]
        places = [layout.axes.index(axis) for axis in wanted]
        axes = _image_axes(count) if first else None
        return _Step({"dims": tuple(place + 1 for place in places)}, axes, tuple(layout.pieces[i] for i in places))
    if kind == "Dot" and old.class_name == "Merge" and {len(one.shape) for one in inputs} not in ({1}, {2}):
        raise _CannotTurn("a Merge of mode dot is supported for two vectors or two matrices only")
    if kind == "Concatenate":
        return _concatenated(settings, inputs)
    if all(one.same for one in inputs):
        return _Step(settings)
    if kind in ELEMENTWISE and (settings.get("activation") != "softmax" or layout.axes[last] == last):
        return _Step(settings, layout.axes, layout.pieces)
    if kind in MERGING and len({one[1:] for one in inputs}) == 1:
        return _Step(settings, layout.axes, layout.pieces)
    if kind in ("BatchNormalization", "LayerNormalization"):
        return _normalized(settings, layout, kind)
    if kind == "Dense" and layout.axes[last] == last:
        return _Step(settings, layout.axes, (*layout.pieces[:last], None), _rows(layout.pieces[last]))
    if kind == "LSTM" and layout.axes == (0, 1) and layout.pieces[0] is None:
        return _Step(settings, converts=_rows(layout.pieces[1]))
    raise _CannotTurn(f"{kind} on channels-first data is not supported")


def _each_step(layer, old, layout, first):
    """A TimeDistributed: the first axis are the time steps, the rest is for its layer."""
    if layout.axes[:1] != (0,) or layout.pieces[0] is not None:
        raise _CannotTurn("TimeDistributed on channels-first data is not supported")
    inner = Layout(layout.shape[1:], tuple(axis - 1 for axis in layout.axes[1:]), layout.pieces[1:])
    each = architecture.each_step(layer)
    step = _step(each, old.each_step, [inner], first)
    return step._replace(
        settings={"layer": {"class": each.kind, **step.settings}},
        axes=step.axes and (0, *(axis + 1 for axis in step.axes)),
        pieces=step.pieces and (None, *step.pieces),
    )


def _image(layer, old, layout):
    """A convolution, a pooling or a padding, which must find the channels where it looks for them."""
    turned = layout.axes == (1, 2, 0) and not any(layout.pieces)
    wanted = turned if old.channels_first is None else old.channels_first
    if wanted and layout.same:
        raise _CannotTurn(f"{layer.kind} with the channels first, on data that cannot be turned, is not supported")
    if wanted != turned or not (turned or layout.same) or (turned and layer.settings.get("activation") == "softmax"):
        raise _CannotTurn(f"{layer.kind} on channels-first data is not supported")
    converts, shapes = {}, {}
    if turned and layer.kind == "Conv2D" and old.is_keras_1:
        converts[0] = lambda kernel: kernel.transpose(2, 3, 1, 0)
        shapes[0] = (layer.settings["filters"], layout.shape[2], *layer.settings["kernel_size"])
    flat = layer.kind == "GlobalAveragePooling2D" and not layer.settings["keepdims"]
    return _Step(layer.settings, layout.axes if turned and not flat else None, None, converts, shapes)


def _flattened(settings, layout, old_order, kind):
    """All axes as one, which the old network takes in `old_order`."""
    if len(layout.shape) == 1:
        return _Step(settings, layout.axes, layout.pieces)
    if any(layout.pieces):
        raise _CannotTurn(f"{kind} on channels-first data is not supported")
    sizes = tuple(layout.old_shape[axis] for axis in old_order)
    order = tuple(old_order.index(axis) for axis in layout.axes)
    long = [place for place in order if sizes[place] > 1]
    return _Step(settings, None, None if long == sorted(long) else ((Piece(sizes, order),),))


def _reshaped(settings, layout, first):
    target = settings["target_shape"]
    if len(target) == 1:
        return _flattened(settings, layout, tuple(range(len(layout.shape))), "Reshape")
    if layout.same and first and len(target) in (3, 4) and target[-3] == 1:  # one channel, which can as well stand last
        return _Step({"target_shape": (*target[:-3], *target[-2:], 1)}, _image_axes(len(target)))
    if layout.same:
        return _Step(settings)
    long = [piece for size, piece in zip(layout.shape, layout.pieces, strict=True) if size > 1]
    if layout.axes != tuple(range(len(layout.axes))) or [size for size in target if size > 1] != [
        size for size in layout.shape if size > 1
    ]:
        raise _CannotTurn("Reshape on channels-first data is not supported")
    return _Step(settings, None, tuple(long.pop(0) if size > 1 else None for size in target))


def _normalized(settings, layout, kind):
    """A normalisation along one axis, wherever that is in the new network."""
    listed = settings["axis"] if kind == "LayerNormalization" else (settings["axis"],)
    count = len(layout.shape)
    axis = listed[0] % (count + 1) - 1
    if len(listed) > 1 or not -count <= listed[0] <= count:
        raise _CannotTurn(f"{kind} on channels-first data is not supported")
    place = layout.axes.index(axis)
    converts = {number: convert for number in range(4) for convert in _rows(layout.pieces[place]).values()}
    axis = place + 1
    return _Step(
        {**settings, "axis": (axis,) if kind == "LayerNormalization" else axis}, layout.axes, layout.pieces, converts
    )


def _concatenated(settings, inputs):
    """Several tensors that lie alike, but for the axis along which they are put together."""
    layout, count = inputs[0], len(inputs[0].shape)
    axis = settings["axis"] % (count + 1) - 1
    if all(one.same for one in inputs) or not -count <= settings["axis"] <= count:
        return _Step(settings)
    place = layout.axes.index(axis)
    others = {(one.axes, one.pieces[:place], one.pieces[place + 1 :]) for one in inputs}
    if len(others) > 1:
        raise _CannotTurn("Concatenate of channels-first data and other data is not supported")
    pieces = tuple(piece for one in inputs for piece in one.pieces[place] or (Piece((one.shape[place],), (0,)),))
    joined = pieces if any(one.pieces[place] for one in inputs) else None
    return _Step({"axis": place + 1}, layout.axes, (*layout.pieces[:place], joined, *layout.pieces[place + 1 :]))


def _rows(pieces):
    """For the first weight of a layer: how its rows are brought into the new order."""
    return {} if pieces is None else {0: lambda values: _reordered(values, pieces)}


def _reordered(values, pieces):
    parts, start = [], 0
    for sizes, order in pieces:
        end, rest = start + math.prod(sizes), values.shape[1:]
        part = values[start:end].reshape(*sizes, *rest)
        part = part.transpose(*order, *range(len(sizes), part.ndim))
        parts.append(part.reshape(end - start, *rest))
        start = end
    return np.concatenate(parts)


def _stored(old, shapes, step):
    """Where the arrays of a layer go."""
    if old.class_name == "LSTM" and old.is_keras_1 and old.config.get("consume_less") != "gpu":
        units = shapes[0][-1] // 4
        return [
            Stored(
                weight, step.converts.get(weight, as_is), (*shape[:-1], units), slice(gate * units, (gate + 1) * units)
            )
            for gate in GATES
            for weight, shape in enumerate(shapes)
        ]
    weights = range(len(shapes))
    return [Stored(weight, step.converts.get(weight, as_is), step.shapes.get(weight)) for weight in weights]


def check_statistics(graph: Graph, pairs: Sequence[Pair], path: str | Path) -> None:
    """Refuse what nobody can tell: the statistics of a BatchNormalization that Keras 1 wrote under Theano.

    Some of its versions stored variances there and some standard deviations, both as `running_std`; under TensorFlow
    they were variances. Under Theano the names of arrays have no `:0` at their ends.
    """
    sure = {layer.name for layer in graph.layers if layer.class_name != "BatchNormalization" or not layer.is_keras_1}
    for name, _, layer in pairs:
        if name not in sure and layer is not None and not all(array.name.endswith(":0") for array in layer.arrays):
            raise UserError(
                f"{path}: layer {name}: a BatchNormalization of Keras 1 under Theano, which may hold variances or "
                "standard deviations; not supported"
            )
