"""A network as plain data: what its layers are and how they are connected.

A description from a file goes through here before Keras sees any of it. Only the classes in `KINDS` exist, each with
settings of known type and range, and the layers are built by us: Keras' own deserialisers, which look classes up by
name, are never given a foreign configuration.
"""

import itertools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import keras

from shared.errors import UserError
from shared.model_files import layer_rules
from shared.nn.activations import keras_1_hard_sigmoid
from shared.nn.layers import AGGREGATES, Dueling, Grid

KERAS_ACTIVATIONS = (
    *("linear", "relu", "elu", "selu", "tanh", "sigmoid", "hard_sigmoid", "softmax", "softplus", "softsign"),
)
OWN_ACTIVATIONS = {keras_1_hard_sigmoid.__name__: keras_1_hard_sigmoid}
ACTIVATIONS = (*KERAS_ACTIVATIONS, *OWN_ACTIVATIONS)
MAX_LAYERS = 1000  # each time step of a TimeDistributed counts as one
MAX_WEIGHTS = 1 << 26  # numbers in a network, 256 MiB; and in what one of its layers makes of a state
MAX_SIZE = 1 << 20  # of one axis
MAX_STEPS = 128  # that a layer goes through, one after the other
REQUIRED = object()


class Setting(NamedTuple):
    """One setting of a kind of layer: `check(value)` returns it normalised or raises `ValueError`."""

    check: Callable
    default: Any = REQUIRED


class Kind(NamedTuple):
    """A kind of layer: its class, its settings, the shapes of its weights, and what inputs it takes."""

    layer_class: Callable
    settings: dict[str, Setting] = {}
    weight_shapes: Callable = lambda settings, shape: []
    many_inputs: bool = False
    axes: Callable = lambda settings: None  # of its input, without the batch axis; None for any number
    steps: bool = False  # whether the first of them are time steps


@dataclass(frozen=True)
class Layer:
    """One layer: a key of `KINDS`, its name, the names of the layers that feed it, its settings."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    settings: dict[str, Any]


@dataclass(frozen=True)
class Architecture:
    """A network of `Layer`s. `sequential` asks for a `keras.Sequential`; the layers are then a chain."""

    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]
    sequential: bool = False


def _whole(low, high):
    def check(value):
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high:,}")
        return value

    return check


def _fraction(value):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise ValueError("must be a number from 0 to below 1")
    return float(value)


def _yes_or_no(value):
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _one_of(*choices):
    def check(value):
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return value

    return check


def _sizes(count=None, low=1, high=MAX_SIZE):
    """Several whole numbers; one number stands for all of them where their count is known."""
    each = _whole(low, high)

    def check(value):
        value = [value] * count if count and isinstance(value, int) else value
        if not isinstance(value, (list, tuple)) or not 0 < len(value) <= 8 or len(value) != (count or len(value)):
            raise ValueError(f"must be a list of {count or 'some'} whole numbers")
        return tuple(each(size) for size in value)

    return check


def _edges(value):
    """A list of lists of ascending numbers, as `shared.nn.layers.Grid` has them."""
    axes = value if isinstance(value, (list, tuple)) else ()
    if not 0 < len(axes) <= 8 or not all(isinstance(axis, (list, tuple)) and len(axis) < 1024 for axis in axes):
        raise ValueError("must be a list of up to 8 lists of numbers")
    for axis in axes:
        numbers = all(isinstance(edge, (int, float)) and not isinstance(edge, bool) for edge in axis)
        if not numbers or not all(map(math.isfinite, axis)) or any(a >= b for a, b in itertools.pairwise(axis)):
            raise ValueError("must hold ascending numbers")
    if math.prod(len(axis) + 1 for axis in axes) > MAX_SIZE:
        raise ValueError(f"makes more than {MAX_SIZE:,} cells")
    return tuple(tuple(map(float, axis)) for axis in axes)


_ACTIVATION = Setting(_one_of(*ACTIVATIONS), "linear")
_BIAS = Setting(_yes_or_no, True)
_PADDING = Setting(_one_of("valid", "same"), "valid")
_SLOPE = Setting(layer_rules.number(0.0, 1e6), 0.0)
_CENTERED = {"center": Setting(_yes_or_no, True), "scale": Setting(_yes_or_no, True)}
_POOLING = {
    "pool_size": Setting(_sizes(2, high=1024), (2, 2)),
    "strides": Setting(_sizes(2, high=1024)),
    "padding": _PADDING,
}


def _image(settings):
    """Rows, columns, channels."""
    return 3


def _lstm(**settings):
    """The weights come from a file, so Keras need not make orthogonal ones first: 80 s at 4000 units."""
    return keras.layers.LSTM(recurrent_initializer="glorot_uniform", **settings)


def _time_distributed(name, layer):
    return keras.layers.TimeDistributed(_keras_layer(*_split(layer), f"{name}_each"), name=name)


def _each_step(value):
    """The layer of a TimeDistributed: a dict of its class and its settings."""
    if not isinstance(value, dict):
        raise ValueError("must be a layer, with class and settings")
    if value.get("class") not in EACH_STEP:
        known = ", ".join(EACH_STEP)
        raise ValueError(f"{value.get('class')!s:.60} cannot be done at each time step; what can be is {known}")
    kind, settings = _split(value)
    return {"class": kind, **_checked(kind, settings)}


def _split(layer):
    return layer["class"], {key: value for key, value in layer.items() if key != "class"}


KINDS = {
    "InputLayer": Kind(keras.layers.InputLayer, {"shape": Setting(_sizes())}),
    "Dense": Kind(
        keras.layers.Dense,
        {"units": Setting(_whole(1, MAX_SIZE)), "activation": _ACTIVATION, "use_bias": _BIAS},
        layer_rules.dense_weights,
    ),
    "Conv2D": Kind(
        keras.layers.Conv2D,
        {
            "filters": Setting(_whole(1, MAX_SIZE)),
            "kernel_size": Setting(_sizes(2, high=1024)),
            "strides": Setting(_sizes(2, high=1024), (1, 1)),
            "padding": _PADDING,
            "activation": _ACTIVATION,
            "use_bias": _BIAS,
        },
        layer_rules.conv_weights,
        axes=_image,
    ),
    "MaxPooling2D": Kind(keras.layers.MaxPooling2D, _POOLING, axes=_image),
    "AveragePooling2D": Kind(keras.layers.AveragePooling2D, _POOLING, axes=_image),
    "GlobalAveragePooling2D": Kind(
        keras.layers.GlobalAveragePooling2D, {"keepdims": Setting(_yes_or_no, False)}, axes=_image
    ),
    "ZeroPadding2D": Kind(
        keras.layers.ZeroPadding2D, {"padding": Setting(layer_rules.edge_widths, (1, 1))}, axes=_image
    ),
    "BatchNormalization": Kind(
        keras.layers.BatchNormalization,
        {
            "axis": Setting(layer_rules.axis, -1),
            "momentum": Setting(layer_rules.number(0.0, 1.0), 0.99),
            "epsilon": Setting(layer_rules.number(0.0, 1.0), 1e-3),
            **_CENTERED,
        },
        layer_rules.batch_normalization_weights,
    ),
    "LayerNormalization": Kind(
        keras.layers.LayerNormalization,
        {
            "axis": Setting(layer_rules.axes, -1),
            "epsilon": Setting(layer_rules.number(0.0, 1.0), 1e-3),
            **_CENTERED,
        },
        layer_rules.layer_normalization_weights,
    ),
    "LSTM": Kind(
        _lstm,
        {
            "units": Setting(_whole(1, MAX_SIZE)),
            "activation": Setting(_one_of(*ACTIVATIONS), "tanh"),
            "recurrent_activation": Setting(_one_of(*ACTIVATIONS), "sigmoid"),
            "use_bias": _BIAS,
            "return_sequences": Setting(_yes_or_no, False),
            "dropout": Setting(_fraction, 0.0),
            "recurrent_dropout": Setting(_fraction, 0.0),
        },
        layer_rules.lstm_weights,
        axes=lambda settings: 2,
        steps=True,
    ),
    "TimeDistributed": Kind(_time_distributed, {"layer": Setting(_each_step)}, steps=True),
    "Rescaling": Kind(
        keras.layers.Rescaling, {"scale": Setting(layer_rules.number()), "offset": Setting(layer_rules.number(), 0.0)}
    ),
    "LeakyReLU": Kind(keras.layers.LeakyReLU, {"negative_slope": _SLOPE._replace(default=0.3)}),
    "ReLU": Kind(
        keras.layers.ReLU,
        {
            "max_value": Setting(layer_rules.number_or_none(0.0, 1e6), None),
            "negative_slope": _SLOPE,
            "threshold": Setting(layer_rules.number(0.0, 1e6), 0.0),
        },
    ),
    "Reshape": Kind(keras.layers.Reshape, {"target_shape": Setting(layer_rules.target_shape(MAX_SIZE))}),
    "Permute": Kind(
        keras.layers.Permute,
        {"dims": Setting(layer_rules.order_of_axes)},
        axes=lambda settings: len(settings["dims"]),
    ),
    "Flatten": Kind(keras.layers.Flatten),
    "Grid": Kind(Grid, {"edges": Setting(_edges)}),
    "Embedding": Kind(
        keras.layers.Embedding,
        {"input_dim": Setting(_whole(1, MAX_SIZE)), "output_dim": Setting(_whole(1, MAX_SIZE))},
        lambda settings, shape: [(settings["input_dim"], settings["output_dim"])],
    ),
    "Dueling": Kind(Dueling, {"aggregate": Setting(_one_of(*AGGREGATES))}, many_inputs=True),
    "Activation": Kind(keras.layers.Activation, {"activation": Setting(_one_of(*ACTIVATIONS))}),
    "Dropout": Kind(keras.layers.Dropout, {"rate": Setting(_fraction)}),
    "Add": Kind(keras.layers.Add, many_inputs=True),
    "Subtract": Kind(keras.layers.Subtract, many_inputs=True),
    "Multiply": Kind(keras.layers.Multiply, many_inputs=True),
    "Average": Kind(keras.layers.Average, many_inputs=True),
    "Maximum": Kind(keras.layers.Maximum, many_inputs=True),
    "Concatenate": Kind(keras.layers.Concatenate, {"axis": Setting(layer_rules.axis, -1)}, many_inputs=True),
    "Dot": Kind(keras.layers.Dot, {"axes": Setting(_sizes(2, low=-8, high=8))}, many_inputs=True),
}
# What a TimeDistributed may do at each time step.
EACH_STEP = (
    *("Dense", "Conv2D", "MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D", "ZeroPadding2D", "Flatten"),
    *("LayerNormalization", "Activation", "LeakyReLU", "ReLU", "Rescaling", "Dropout", "Reshape", "Permute"),
)


def make_layer(kind, name, inputs, settings, path):
    """A `Layer` with every setting checked and defaults filled in.

    Raises `UserError` naming `path` and the layer when its class is not supported or a setting is not possible.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.>-]{0,199}", name):
        raise UserError(f"{path}: layer name {name!r:.60}: give it a letter first, then letters, digits and _")
    where = f"{path}: layer {name}"
    if kind not in KINDS:
        raise UserError(f"{where}: {kind!s:.60} is not a supported layer; supported are {', '.join(KINDS)}")
    try:
        checked = _checked(kind, settings)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None
    if kind == "InputLayer" and inputs:
        raise UserError(f"{where}: an InputLayer takes no input; remove it")
    if kind != "InputLayer" and (not inputs or (len(inputs) > 1) != KINDS[kind].many_inputs):
        wanted = "two or more inputs" if KINDS[kind].many_inputs else "one input"
        raise UserError(f"{where}: {kind} takes {wanted}, not {len(inputs)}")
    return Layer(kind, name, tuple(inputs), checked)


def _checked(kind, settings):
    """Every setting of a kind of layer, checked, defaults filled in. Raises `ValueError` naming the setting."""
    known = KINDS[kind].settings
    unknown = next((key for key in settings if key not in known), None)
    if unknown is not None:
        raise ValueError(f"{kind} has no setting {unknown!s:.60}; it has {', '.join(known) or 'none'}")
    checked = {}
    for key, setting in known.items():
        value = settings.get(key, setting.default)
        if value is REQUIRED:
            raise ValueError(f"{kind} needs {key}; add it")
        try:
            checked[key] = setting.check(value)
        except (ValueError, TypeError) as error:
            shown = key if isinstance(value, dict) else f"{key} {value!r:.60}"
            raise ValueError(f"{shown}: {error}") from None
    return checked


def in_order(architecture, path):
    """The layers, each after those that feed it. Raises `UserError` on a missing input, a circle or a double name."""
    if len(architecture.layers) > MAX_LAYERS:
        raise UserError(f"{path}: {len(architecture.layers):,} layers are more than {MAX_LAYERS}; choose another file")
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
    shapes, total, parts = {}, 0, len(architecture.layers)
    for layer in in_order(architecture, path):
        where, inputs = f"{path}: layer {layer.name}", [shapes[name] for name in layer.inputs]
        shapes[layer.name] = output_shape(layer, inputs, path)
        total += sum(map(math.prod, weight_shapes(layer, inputs)))
        if total > MAX_WEIGHTS:
            raise UserError(f"{where}: more than {MAX_WEIGHTS:,} weights up to here; make it smaller")
        if math.prod(shapes[layer.name]) > MAX_WEIGHTS:
            raise UserError(f"{where}: makes more than {MAX_WEIGHTS:,} numbers of one state; make it smaller")
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


def weight_shapes(layer: Layer, inputs: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """The shapes of a layer's weights, in Keras' order, for inputs of these shapes (without the batch axis)."""
    if layer.kind == "TimeDistributed":
        return weight_shapes(each_step(layer), [inputs[0][1:]])
    return KINDS[layer.kind].weight_shapes(layer.settings, _one_or_list([(None, *shape) for shape in inputs]))


def each_step(layer: Layer) -> Layer:
    """What a TimeDistributed does at each time step, as a layer of the same name."""
    kind, settings = _split(layer.settings["layer"])
    return Layer(kind, layer.name, layer.inputs, settings)


def _crosses_the_batch(layer, axes):
    """Whether an axis that a layer works along is that of the batch, counted from the end."""
    axis = layer.settings.get("axis", ())
    return any(one % axes == 0 for one in (axis if isinstance(axis, tuple) else (axis,)))


def _made(layer):
    return _keras_layer(layer.kind, layer.settings, layer.name)


def _keras_layer(kind, settings, name):
    settings = {
        key: OWN_ACTIVATIONS.get(value, value) if "activation" in key else value for key, value in settings.items()
    }
    return KINDS[kind].layer_class(name=name, **settings)


def build(architecture, path):
    """A Keras model with fresh weights. Raises `UserError` when the description does not make sense."""
    output_shapes(architecture, path)
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


def to_plain(architecture):
    """The description as plain data for a file; `from_plain` reads it back. What can be left out is left out."""
    layers, before = [], None
    for layer in architecture.layers:
        plain = {"name": layer.name, "class": layer.kind}
        if layer.inputs not in ((), (before,)):
            plain["inputs"] = list(layer.inputs)
        layers.append(plain | _plain(layer.settings))
        before = layer.name
    plain = {"model": "Sequential" if architecture.sequential else "Functional", "layers": layers}
    return plain if architecture.outputs == (before,) else plain | {"outputs": list(architecture.outputs)}


def _plain(value):
    """Settings with lists for tuples."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def from_plain(document, path):
    """Read what `to_plain` wrote and a person may have edited. Raises `UserError` naming what is wrong with it."""
    layers, before = [], ()
    listed = document.get("layers")
    if not isinstance(listed, list) or not listed or not all(isinstance(item, dict) for item in listed):
        raise UserError(f"{path}: layers must be a list of layers, each with name and class")
    for item in listed:
        kind = item.get("class")
        inputs = _list_of_names(item.get("inputs", () if kind == "InputLayer" else before), path, "inputs")
        settings = {key: value for key, value in item.items() if key not in ("name", "class", "inputs")}
        layers.append(make_layer(kind, item.get("name"), inputs, settings, path))
        before = (layers[-1].name,)
    model = document.get("model", "Functional")
    if model not in ("Sequential", "Functional"):
        raise UserError(f"{path}: model {model!r:.60}: must be Sequential or Functional")
    outputs = _list_of_names(document.get("outputs", before), path, "outputs")
    architecture = Architecture(tuple(layers), outputs, model == "Sequential")
    if not outputs or layers[0].kind != "InputLayer":
        raise UserError(f"{path}: a network begins with an InputLayer and has an output; add it")
    if architecture.sequential and not _is_chain(architecture):
        raise UserError(f"{path}: a Sequential model is one chain of layers; write model: Functional")
    return architecture


def _list_of_names(value, path, key):
    if not isinstance(value, (list, tuple)) or not all(isinstance(name, str) for name in value):
        raise UserError(f"{path}: {key} {value!r:.60}: must be a list of layer names")
    return tuple(value)


def _is_chain(architecture):
    names = [layer.name for layer in architecture.layers]
    feeds = [layer.inputs for layer in architecture.layers]
    return feeds == [(), *((name,) for name in names[:-1])] and architecture.outputs == (names[-1],)
