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
from typing import Any, NamedTuple

import keras

from shared.errors import UserError
from shared.nn.layers import AGGREGATES, Dueling, Grid

ACTIVATIONS = ("linear", "relu", "elu", "selu", "tanh", "sigmoid", "softmax", "softplus", "softsign")
MAX_LAYERS = 1000
MAX_WEIGHTS = 1 << 26  # numbers in a network, 256 MiB
MAX_SIZE = 1 << 20  # of one axis
REQUIRED = object()


class Setting(NamedTuple):
    """One setting of a kind of layer: `check(value)` returns it normalised or raises `ValueError`."""

    check: Callable
    default: Any = REQUIRED


class Kind(NamedTuple):
    """A kind of layer: its class, its settings, the shapes of its weights, and how many inputs it takes."""

    layer_class: type
    settings: dict[str, Setting] = {}
    weight_shapes: Callable = lambda settings, shape: []
    many_inputs: bool = False


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


def _dense_shapes(settings, shape):
    return [(shape[-1], settings["units"]), (settings["units"],)][: 1 + settings["use_bias"]]


def _conv_shapes(settings, shape):
    kernel = (*settings["kernel_size"], shape[-1], settings["filters"])
    return [kernel, (settings["filters"],)][: 1 + settings["use_bias"]]


_ACTIVATION = Setting(_one_of(*ACTIVATIONS), "linear")
_BIAS = Setting(_yes_or_no, True)
_PADDING = Setting(_one_of("valid", "same"), "valid")

KINDS = {
    "InputLayer": Kind(keras.layers.InputLayer, {"shape": Setting(_sizes())}),
    "Dense": Kind(
        keras.layers.Dense,
        {"units": Setting(_whole(1, MAX_SIZE)), "activation": _ACTIVATION, "use_bias": _BIAS},
        _dense_shapes,
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
        _conv_shapes,
    ),
    "MaxPooling2D": Kind(
        keras.layers.MaxPooling2D,
        {
            "pool_size": Setting(_sizes(2, high=1024), (2, 2)),
            "strides": Setting(_sizes(2, high=1024)),
            "padding": _PADDING,
        },
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
    "Concatenate": Kind(keras.layers.Concatenate, {"axis": Setting(_whole(-8, 8), -1)}, many_inputs=True),
    "Dot": Kind(keras.layers.Dot, {"axes": Setting(_sizes(2, low=-8, high=8))}, many_inputs=True),
}


def make_layer(kind, name, inputs, settings, path):
    """A `Layer` with every setting checked and defaults filled in.

    Raises `UserError` naming `path` and the layer when its class is not supported or a setting is not possible.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.>-]{0,199}", name):
        raise UserError(f"{path}: layer name {name!r:.60}: give it a letter first, then letters, digits and _")
    where = f"{path}: layer {name}"
    if not isinstance(kind, str) or kind not in KINDS:
        raise UserError(f"{where}: {kind!s:.60} is not a supported layer; supported are {', '.join(KINDS)}")
    known = KINDS[kind].settings
    unknown = next((key for key in settings if key not in known), None)
    if unknown is not None:
        raise UserError(f"{where}: {kind} has no setting {unknown!s:.60}; it has {', '.join(known) or 'none'}")
    checked = {}
    for key, setting in known.items():
        value = settings.get(key, setting.default)
        if value is REQUIRED:
            raise UserError(f"{where}: {kind} needs {key}; add it")
        try:
            checked[key] = setting.check(value)
        except (ValueError, TypeError) as error:
            raise UserError(f"{where}: {key} {value!r:.60}: {error}") from None
    if kind == "InputLayer" and inputs:
        raise UserError(f"{where}: an InputLayer takes no input; remove it")
    if kind != "InputLayer" and (not inputs or (len(inputs) > 1) != KINDS[kind].many_inputs):
        wanted = "two or more inputs" if KINDS[kind].many_inputs else "one input"
        raise UserError(f"{where}: {kind} takes {wanted}, not {len(inputs)}")
    return Layer(kind, name, tuple(inputs), checked)
