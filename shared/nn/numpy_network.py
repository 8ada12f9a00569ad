"""A trained network in NumPy: for play within a second, where Keras and TensorFlow would take three to import.

It computes what the Keras model of the same layers and weights does, to 1e-5. Training, and what has no entry in
`COMPUTED`, is Keras' business.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from shared.nn import numpy_layers as layers
from shared.nn.numpy_layers import ACTIVATIONS

DISTRIBUTION = "distribution"  # the layer of `shared.dqn.learners` from whose [B, N, A] the action values come

MAX_STEPS = 128  # that a layer goes through, one after the other


class Layer(Protocol):
    """A layer as `shared.model_files.architecture` describes it."""

    @property
    def kind(self) -> str:
        """The name of its class."""

    @property
    def name(self) -> str:
        """Its own name."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the layers that feed it."""

    @property
    def settings(self) -> dict[str, Any]:
        """All of them, defaults too."""


class NumpyNetwork:
    """A network with one input and one output, float32.

    Args:
        ordered: its layers, each after those that feed it; the first one is the input, the last one the output.
        weights: the arrays of each layer that has some, by its name, in Keras' order.

    Raises:
        ValueError: for layers that NumPy is not taught here, and weights that do not fit.
    """

    def __init__(self, ordered: Sequence[Layer], weights: Mapping[str, Sequence[np.ndarray]]) -> None:
        first, *rest = ordered
        unknown = next((layer.kind for layer in rest if layer.kind not in COMPUTED), None)
        if unknown is not None or first.kind != "InputLayer":
            raise ValueError(f"{unknown or first.kind}: not computed here")
        self._first, self._rest, self._weights = first.name, rest, weights
        self.work = 0  # multiplications for one observation, about; who makes the network knows
        self.observation_shape: tuple[int, ...] = first.settings["shape"]
        # Of no observation at all every layer makes an array of its shape, at no cost.
        empty = self._outputs(np.zeros((0, *self.observation_shape), np.float32))
        self.shapes = {name: made.shape[1:] for name, made in empty.items()}  # of the outputs, without the batch axis
        self.output_shape = self.shapes[ordered[-1].name]

    def count_params(self) -> int:
        """How many weights it has."""
        return sum(array.size for arrays in self._weights.values() for array in arrays)

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        """float32 [B, *observation_shape] -> float32 [B, *output_shape]."""
        *_, last = self._outputs(observations).values()
        return last

    def logits(self, observations: np.ndarray) -> np.ndarray:
        """The same before the activation of the last layer."""
        *_, last = self._outputs(observations, activated=False).values()
        return last

    def distribution(self, observations: np.ndarray) -> np.ndarray | None:
        """What the layer "distribution" says, float32 [B, N, A]; None where the network has none."""
        return self._outputs(observations).get(DISTRIBUTION)

    @property
    def ends(self) -> tuple[float, float] | None:
        """The first and the last of the returns whose logits the distribution is; None where it is of quantiles."""
        found = [layer.settings for layer in self._rest if layer.kind == "Expectation"]
        return (found[0]["lowest"], found[0]["highest"]) if found else None

    @property
    def activation(self) -> str:
        """That of the last layer, by name."""
        return self._rest[-1].settings.get("activation", "linear")

    def _outputs(self, observations, activated=True):
        """What each layer makes of observations, by its name, in order."""
        made = {self._first: np.asarray(observations, np.float32)}
        for layer in self._rest:
            inputs, weights = [made[name] for name in layer.inputs], self._weights.get(layer.name, ())
            made[layer.name] = COMPUTED[layer.kind](*inputs, weights, layer.settings)
            if activated or layer is not self._rest[-1]:
                made[layer.name] = _activated(layer.kind, made[layer.name], layer.settings)
        return made


def _activated(kind, x, settings):
    """What comes out of a layer, by the activation that its settings name; an LSTM has its own inside."""
    return x if kind == "LSTM" else ACTIVATIONS[settings.get("activation", "linear")](x)


def _conv(x, weights, settings):
    kernel, bias = [*weights, np.float32(0)][:2]
    return layers.conv(x, kernel, bias, settings["strides"], settings["padding"])


def _batch_normalize(x, weights, settings):
    axis = settings["axis"]
    x = layers.batch_normalize(np.moveaxis(x, axis, -1), *_centred(weights, settings))
    return np.moveaxis(x, -1, axis)


def _layer_normalize(x, weights, settings):
    if settings["axis"] not in ((-1,), (x.ndim - 1,)):
        raise ValueError("normalized along other axes")
    return layers.layer_normalize(x, *_centred(weights, settings))


def _centred(weights, settings):
    """Scale and offset, where Keras leaves out what is 1 or 0; the statistics; what keeps the variance from 0."""
    rest = list(weights)
    gamma = rest.pop(0) if settings["scale"] else np.float32(1)
    beta = rest.pop(0) if settings["center"] else np.float32(0)
    return gamma, beta, *rest, settings["epsilon"]


def _lstm(x, weights, settings):
    _refuse_steps(x)
    kernel, recurrent, bias = [*weights, np.zeros(4 * settings["units"], np.float32)][:3]
    split = (np.split(array, 4, axis=-1) for array in (kernel, recurrent, bias))
    gates = dict(zip("ifco", zip(*split, strict=True), strict=True))
    functions = (ACTIVATIONS[settings[name]] for name in ("activation", "recurrent_activation"))
    outputs = layers.lstm(x, gates, *functions)
    return outputs if settings["return_sequences"] else outputs[:, -1]


def _time_distributed(x, weights, settings):
    _refuse_steps(x)
    inner = settings["layer"]
    kind = inner["class"]
    return layers.each_step(lambda x_t: _activated(kind, COMPUTED[kind](x_t, weights, inner), inner), x)


def _refuse_steps(x):
    if x.shape[1] > MAX_STEPS:
        raise ValueError(f"{x.shape[1]:,} time steps")


def _reshape(x, weights, settings):
    sizes = list(settings["target_shape"])
    if -1 in sizes:
        known = -math.prod(sizes)
        sizes[sizes.index(-1)] = math.prod(x.shape[1:]) // known
    return x.reshape(len(x), *sizes)


def _pool(function):
    return lambda x, weights, settings: function(x, settings["pool_size"], settings["strides"], settings["padding"])


def _mean(*axes):
    return lambda x, weights, settings: x.mean(axis=axes, keepdims=settings["keepdims"])


def _merge(function):
    def merged(*arguments):
        first, *others = arguments[:-2]
        for other in others:
            first = function(first, other)
        return first

    return merged


def _average(*arguments):
    inputs = arguments[:-2]
    return sum(inputs) / np.float32(len(inputs))


# By kind: (inputs, weights, settings) -> what comes out, before an activation that the settings name.
COMPUTED: dict[str, Callable[..., np.ndarray]] = {
    "Dense": lambda x, weights, settings: layers.dense(x, *weights),
    "Conv2D": _conv,
    "MaxPooling2D": _pool(layers.max_pool),
    "AveragePooling2D": _pool(layers.average_pool),
    "GlobalAveragePooling2D": _mean(1, 2),
    "GlobalAveragePooling1D": _mean(1),
    "ZeroPadding2D": lambda x, weights, settings: layers.pad(x, *settings["padding"][0], *settings["padding"][1]),
    "BatchNormalization": _batch_normalize,
    "LayerNormalization": _layer_normalize,
    "LSTM": _lstm,
    "TimeDistributed": _time_distributed,
    "Rescaling": lambda x, weights, settings: x * np.float32(settings["scale"]) + np.float32(settings["offset"]),
    "LeakyReLU": lambda x, weights, settings: layers.leaky(x, settings["negative_slope"]),
    "ReLU": lambda x, weights, settings: layers.bent(
        x, settings["max_value"], settings["negative_slope"], settings["threshold"]
    ),
    "Reshape": _reshape,
    "Permute": lambda x, weights, settings: x.transpose(0, *settings["dims"]),
    "Flatten": lambda x, weights, settings: x.reshape(len(x), math.prod(x.shape[1:])),
    "Grid": lambda x, weights, settings: layers.grid_cell(x, settings["edges"]),
    "Embedding": lambda x, weights, settings: weights[0].take(x.astype(int), axis=0, mode="clip"),
    "Expectation": lambda x, weights, settings: layers.expectation(x, settings["lowest"], settings["highest"]),
    "Dueling": lambda value, advantage, weights, settings: layers.dueling(value, advantage, settings["aggregate"]),
    "Activation": lambda x, weights, settings: x,
    "Dropout": lambda x, weights, settings: x,
    "Add": _merge(np.add),
    "Subtract": _merge(np.subtract),
    "Multiply": _merge(np.multiply),
    "Average": _average,
    "Maximum": _merge(np.maximum),
    "Concatenate": lambda *arguments: np.concatenate(arguments[:-2], axis=arguments[-1]["axis"]),
}
