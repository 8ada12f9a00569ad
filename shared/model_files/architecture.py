"""A network as plain data: what its layers are and how they are connected.

A description from a file goes through here before Keras sees any of it. Only the classes in `KINDS` exist, each with
settings of known type and range, and the layers are built by us: Keras' own deserialisers, which look classes up by
name, are never given a foreign configuration.
"""

import itertools
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from shared.errors import UserError
from shared.late import late, named
from shared.model_files import layer_rules
from shared.nn.numpy_layers import ACTIVATIONS, AGGREGATES

keras = late("keras")

OWN_ACTIVATIONS = {"keras_1_hard_sigmoid": "shared.nn.activations:keras_1_hard_sigmoid"}
MAX_LAYERS = 1000  # each time step of a TimeDistributed counts as one
MAX_WEIGHTS = 1 << 26  # numbers in a network, 256 MiB; and in what one of its layers makes of a state
MAX_SIZE = 1 << 20  # of one axis
REQUIRED = object()


class Setting(NamedTuple):
    """One setting of a kind of layer: `check(value)` returns it normalised or raises `ValueError`."""

    check: Callable
    default: Any = REQUIRED


class Kind(NamedTuple):
    """A kind of layer: its class, its settings, the shapes of its weights, and what inputs it takes."""

    layer_class: str | Callable  # that, or "module:attribute", imported when the layer is built
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
    kind, settings = _split(layer)
    return keras.layers.TimeDistributed(keras_layer(kind, settings, f"{name}_each"), name=name)


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
    "InputLayer": Kind("keras.layers:InputLayer", {"shape": Setting(_sizes())}),
    "Dense": Kind(
        "keras.layers:Dense",
        {"units": Setting(_whole(1, MAX_SIZE)), "activation": _ACTIVATION, "use_bias": _BIAS},
        layer_rules.dense_weights,
    ),
    "Conv2D": Kind(
        "keras.layers:Conv2D",
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
    "MaxPooling2D": Kind("keras.layers:MaxPooling2D", _POOLING, axes=_image),
    "AveragePooling2D": Kind("keras.layers:AveragePooling2D", _POOLING, axes=_image),
    "GlobalAveragePooling2D": Kind(
        "keras.layers:GlobalAveragePooling2D", {"keepdims": Setting(_yes_or_no, False)}, axes=_image
    ),
    "GlobalAveragePooling1D": Kind(
        "keras.layers:GlobalAveragePooling1D", {"keepdims": Setting(_yes_or_no, False)}, axes=lambda settings: 2
    ),
    "ZeroPadding2D": Kind(
        "keras.layers:ZeroPadding2D", {"padding": Setting(layer_rules.edge_widths, (1, 1))}, axes=_image
    ),
    "BatchNormalization": Kind(
        "keras.layers:BatchNormalization",
        {
            "axis": Setting(layer_rules.axis, -1),
            "momentum": Setting(layer_rules.number(0.0, 1.0), 0.99),
            "epsilon": Setting(layer_rules.number(0.0, 1.0), 1e-3),
            **_CENTERED,
        },
        layer_rules.batch_normalization_weights,
    ),
    "LayerNormalization": Kind(
        "keras.layers:LayerNormalization",
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
        "keras.layers:Rescaling", {"scale": Setting(layer_rules.number()), "offset": Setting(layer_rules.number(), 0.0)}
    ),
    "LeakyReLU": Kind("keras.layers:LeakyReLU", {"negative_slope": _SLOPE._replace(default=0.3)}),
    "ReLU": Kind(
        "keras.layers:ReLU",
        {
            "max_value": Setting(layer_rules.number_or_none(0.0, 1e6), None),
            "negative_slope": _SLOPE,
            "threshold": Setting(layer_rules.number(0.0, 1e6), 0.0),
        },
    ),
    "Reshape": Kind("keras.layers:Reshape", {"target_shape": Setting(layer_rules.target_shape(MAX_SIZE))}),
    "Permute": Kind(
        "keras.layers:Permute",
        {"dims": Setting(layer_rules.order_of_axes)},
        axes=lambda settings: len(settings["dims"]),
    ),
    "Flatten": Kind("keras.layers:Flatten"),
    "Grid": Kind("shared.nn.layers:Grid", {"edges": Setting(_edges)}),
    "Embedding": Kind(
        "keras.layers:Embedding",
        {"input_dim": Setting(_whole(1, MAX_SIZE)), "output_dim": Setting(_whole(1, MAX_SIZE))},
        lambda settings, shape: [(settings["input_dim"], settings["output_dim"])],
    ),
    "Expectation": Kind(
        "shared.nn.layers:Expectation",
        {"lowest": Setting(layer_rules.number()), "highest": Setting(layer_rules.number())},
        axes=lambda settings: 2,
    ),
    "Dueling": Kind("shared.nn.layers:Dueling", {"aggregate": Setting(_one_of(*AGGREGATES))}, many_inputs=True),
    "Activation": Kind("keras.layers:Activation", {"activation": Setting(_one_of(*ACTIVATIONS))}),
    "Dropout": Kind("keras.layers:Dropout", {"rate": Setting(_fraction)}),
    "Add": Kind("keras.layers:Add", many_inputs=True),
    "Subtract": Kind("keras.layers:Subtract", many_inputs=True),
    "Multiply": Kind("keras.layers:Multiply", many_inputs=True),
    "Average": Kind("keras.layers:Average", many_inputs=True),
    "Maximum": Kind("keras.layers:Maximum", many_inputs=True),
    "Concatenate": Kind("keras.layers:Concatenate", {"axis": Setting(layer_rules.axis, -1)}, many_inputs=True),
    "Dot": Kind("keras.layers:Dot", {"axes": Setting(_sizes(2, low=-8, high=8))}, many_inputs=True),
}
# What a TimeDistributed may do at each time step.
EACH_STEP = (
    *("Dense", "Conv2D", "MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D", "ZeroPadding2D", "Flatten"),
    *("LayerNormalization", "Activation", "LeakyReLU", "ReLU", "Rescaling", "Dropout", "Reshape", "Permute"),
)


def make_layer(kind: Any, name: Any, inputs: Sequence[str], settings: dict[str, Any], path: str | Path) -> Layer:
    """A `Layer` with every setting checked and defaults filled in.

    Raises `UserError` naming `path` and the layer when its class is not supported or a setting is not possible.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.>-]{0,199}", name):
        raise UserError(f"{path}: layer name {name!r:.60}: give it a letter first, then letters, digits and _")
    where = f"{path}: layer {name}"
    if not isinstance(kind, str) or kind not in KINDS:
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


def each_step(layer: Layer) -> Layer:
    """What a TimeDistributed does at each time step, as a layer of the same name."""
    kind, settings = _split(layer.settings["layer"])
    return Layer(kind, layer.name, layer.inputs, settings)


def keras_layer(kind: str, settings: dict[str, Any], name: str) -> Any:
    """The Keras layer that a key of `KINDS` and checked settings describe."""
    settings = {
        key: named(OWN_ACTIVATIONS[value]) if "activation" in key and value in OWN_ACTIVATIONS else value
        for key, value in settings.items()
    }
    return named(KINDS[kind].layer_class)(name=name, **settings)


def weight_shapes(layer: Layer, inputs: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """The shapes of a layer's weights, in Keras' order, for inputs of these shapes (without the batch axis)."""
    if layer.kind == "TimeDistributed":
        return weight_shapes(each_step(layer), [inputs[0][1:]])
    batched = [(None, *shape) for shape in inputs]
    return KINDS[layer.kind].weight_shapes(layer.settings, batched[0] if len(batched) == 1 else batched)
