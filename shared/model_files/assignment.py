"""The arrays of a file, checked against a model and put into it: all of them, or none."""

import itertools
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from shared.errors import UserError
from shared.model_files.hdf5 import StoredArray, StoredLayer, WeightsFile
from shared.nn.copies import all_layers


class Target:
    """Where a stored array goes: a variable, the shape that the file should have, and how to bring it into place."""

    def __init__(
        self,
        variable: keras.Variable,
        shape: tuple[int, ...] | None = None,
        convert: Callable[[np.ndarray], np.ndarray] = lambda values: values,
    ) -> None:
        self.variable = variable
        self.shape = tuple(variable.shape) if shape is None else shape
        self.convert = convert


class Pair(NamedTuple):
    """A layer of a model and the same of a file; `targets` or `stored` is None where one side has no such layer."""

    name: str
    targets: list[Target] | None
    stored: StoredLayer | None


Staged = list[tuple[keras.Variable, np.ndarray]]


def pair_layers(model: keras.Model, stored: WeightsFile) -> list[Pair]:
    """Match a model's layers with those of a file as Keras does it: in order; in the v3 layout by kind and number."""
    layers = [layer for layer in model.layers if layer.weights]
    found: list[StoredLayer | None] = [*stored.layers[: len(layers)]]
    unknown = list(stored.layers[len(layers) :])
    if stored.layout == "v3":
        by_name = {layer.name: layer for layer in stored.layers}
        names = v3_names([(type(layer).__name__, layer.name) for layer in model.layers])
        found = [by_name.pop(names[layer.name], None) for layer in layers]
        unknown = list(by_name.values())
    pairs = [
        Pair(layer.name, [Target(variable) for variable in layer.weights], other)
        for layer, other in itertools.zip_longest(layers, found)
    ]
    return pairs + [Pair(layer.name, None, layer) for layer in unknown]


def v3_names(layers: list[tuple[str, str]]) -> dict[str, str]:
    """The group that Keras 3 gives each layer: its class in snake case, numbered from the second of that class on.

    Args:
        layers: class and name of each layer, in the model's order.

    Returns the group's name by the layer's.
    """
    names: dict[str, str] = {}
    used: dict[str, int] = {}
    for class_name, name in layers:
        kind = re.sub("(?<=.)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "_", class_name).lower()
        names[name] = f"{kind}_{used[kind]}" if kind in used else kind
        used[kind] = used.get(kind, 0) + 1
    return names


def stage(pairs: list[Pair], path: str | Path) -> Staged:
    """Check everything that a file holds against a model before anything is changed.

    Args:
        pairs: the layers of both.
        path: the file, for messages.

    Returns the variables and their values. Raises `UserError` at the first layer that differs, naming both shapes.
    """
    for name, targets, layer in pairs:
        wanted = None if targets is None else tuple(target.shape for target in targets)
        shapes = None if layer is None else layer.shapes
        if shapes != wanted:
            raise UserError(
                f"{path}: layer {name}: the file has {_shown(shapes)}, the network has {_shown(wanted)}; "
                "choose weights that were saved from this network"
            )
    return [
        (target.variable, target.convert(_values(path, name, array, target.variable)))
        for name, targets, layer in pairs
        if targets is not None and layer is not None
        for target, array in zip(targets, layer.arrays, strict=True)
    ]


def stage_optimizer(optimizer: keras.optimizers.Optimizer, stored: WeightsFile, path: str | Path) -> Staged:
    """The same for the saved state of an optimizer. The learning rate is the document's to say."""
    if stored.layout == "v3" and len(stored.optimizer) <= 2 < len(optimizer.variables):
        return []  # it had made no step: Keras 3 then saves its counter and its learning rate only
    made, found = type(optimizer).__name__, [array.shape for array in stored.optimizer]
    saved = made if stored.layout == "v3" else stored.attributes.get("optimizer_class")
    if saved != made or found != [tuple(variable.shape) for variable in optimizer.variables]:
        raise UserError(
            f"{path}: holds the state of another optimizer ({saved}); undo the change to the optimizer in the YAML, or "
            "write state: false there"
        )
    return [
        (variable, _values(path, "optimizer", array, variable))
        for variable, array in zip(optimizer.variables, stored.optimizer, strict=True)
        if variable is not optimizer._learning_rate
    ]


def assign(staged: Staged) -> None:
    """Set the variables to the values that were staged."""
    for variable, values in staged:
        variable.assign(values)


def refuse_theano(model: keras.Model, backends: frozenset[str], path: str | Path) -> None:
    """Raise `UserError` where weights trained under Theano would compute something else here.

    Theano turns the kernels of a convolution round before it applies them, and pads a `same` pooling on both sides
    where TensorFlow pads at the end.

    Args:
        model: what the weights are for.
        backends: what the files say that they were made under.
        path: the file, for messages.
    """
    if "theano" not in backends:
        return
    for layer in all_layers(model):
        kernel, pool = (getattr(layer, size, None) or () for size in ("kernel_size", "pool_size"))
        if max(kernel, default=1) > 1 or (max(pool, default=1) > 1 and layer.padding == "same"):
            raise UserError(
                f"{path}: layer {layer.name}: written under Theano, which flips kernels and pads otherwise; not "
                "supported, save it again under TensorFlow"
            )


def _shown(shapes):
    return "no such layer" if shapes is None else " and ".join(map(str, shapes))


def _values(path: str | Path, layer: str, array: StoredArray, variable: keras.Variable) -> np.ndarray:
    """An array's values in the variable's type, finite."""
    where = f"{path}: layer {layer}: {array.name}"
    kind = "f" if np.issubdtype(variable.dtype, np.floating) else "iu"
    if np.dtype(array.dtype).kind not in kind:
        wanted = "floating-point" if kind == "f" else "whole"
        raise UserError(f"{where} holds {array.dtype}, not {wanted} numbers; choose another file")
    if array.values is None:
        raise UserError(
            f"{where} of {math.prod(array.shape):,} numbers is more than the file holds; choose another file"
        )
    with np.errstate(over="ignore"):
        values = array.values.astype(variable.dtype)
    if not np.isfinite(values).all():
        raise UserError(f"{where} holds NaN, infinity or numbers too large for {variable.dtype}; choose another file")
    return values
