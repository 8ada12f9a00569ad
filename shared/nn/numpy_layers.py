"""What layers compute, written out in NumPy: for play without TensorFlow, and as the reference of the tests.

Images are [B, rows, columns, channels] and kernels (rows, columns, channels, filters), as Keras 2 and 3 have them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Pair = tuple[int, int]


def relu(x: np.ndarray) -> np.ndarray:
    """0 below 0."""
    return np.maximum(x, 0)


def elu(x: np.ndarray) -> np.ndarray:
    """exp(x) - 1 below 0 (Clevert et al. 2016)."""
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def selu(x: np.ndarray) -> np.ndarray:
    """A scaled `elu` (Klambauer et al. 2017)."""
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """From 0 to 1."""
    return 0.5 * np.tanh(0.5 * x) + 0.5  # 1 / (1 + exp(-x)), which would overflow


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Chances: exp(x), divided by their sum along an axis."""
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + exp(x))."""
    return np.logaddexp(x, np.zeros_like(x))


def hard_sigmoid_of_keras_1(x: np.ndarray) -> np.ndarray:
    """That of Keras 1 and 2."""
    return np.clip(0.2 * x + 0.5, 0, 1)


def hard_sigmoid_of_keras_3(x: np.ndarray) -> np.ndarray:
    """That of Keras 3."""
    return np.clip(x / 6 + 0.5, 0, 1)


# By the names that `shared.model_files.architecture` has for them.
ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda x: x,
    "relu": relu,
    "elu": elu,
    "selu": selu,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "hard_sigmoid": hard_sigmoid_of_keras_3,
    "keras_1_hard_sigmoid": hard_sigmoid_of_keras_1,
    "softmax": softmax,
    "softplus": softplus,
    "softsign": lambda x: x / (1 + np.abs(x)),
}
AGGREGATES: dict[str, Callable[..., Any]] = {"mean": np.mean, "max": np.max}


def dense(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray | float = 0) -> np.ndarray:
    """[..., I] -> [..., O]."""
    return x @ kernel + bias


def conv(
    x: np.ndarray, kernel: np.ndarray, bias: np.ndarray | float = 0, strides: Pair = (1, 1), padding: str = "valid"
) -> np.ndarray:
    """One matrix product of all patches with the kernel: [B, H, W, C] -> [B, H', W', F]."""
    size = kernel.shape[:2]
    patches = _windows(_padded(x, size, strides, padding, 0), size, strides)  # [B, H', W', C, rows, columns]
    return np.tensordot(patches, kernel, axes=([4, 5, 3], [0, 1, 2])) + bias


def pad(x: np.ndarray, above: int, below: int, left: int, right: int, value: float = 0) -> np.ndarray:
    """Images with so many more rows and columns of a value."""
    return np.pad(x, ((0, 0), (above, below), (left, right), (0, 0)), constant_values=value)


def max_pool(x: np.ndarray, size: Pair, strides: Pair, padding: str = "valid") -> np.ndarray:
    """The largest number of each window; what is padded never is."""
    return _windows(_padded(x, size, strides, padding, -np.inf), size, strides).max(axis=(-2, -1))


def average_pool(x: np.ndarray, size: Pair, strides: Pair, padding: str = "valid") -> np.ndarray:
    """The mean of each window; what is padded does not count."""
    sums = _windows(_padded(x, size, strides, padding, 0), size, strides).sum(axis=(-2, -1))
    if padding == "valid":
        return sums / np.float32(math.prod(size))
    rows, columns = (_counted(*axis) for axis in zip(x.shape[1:3], size, strides, strict=True))
    return sums / (rows[:, None, None] * columns[:, None])


def batch_normalize(x: np.ndarray, gamma: Any, beta: Any, mean: Any, variance: Any, epsilon: float) -> np.ndarray:
    """Along the last axis, by the statistics of the training (Ioffe and Szegedy 2015)."""
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


def layer_normalize(x: np.ndarray, gamma: Any, beta: Any, epsilon: float) -> np.ndarray:
    """Along the last axis (Ba et al. 2016)."""
    mean = x.mean(axis=-1, keepdims=True)
    return gamma * (x - mean) / np.sqrt(((x - mean) ** 2).mean(axis=-1, keepdims=True) + epsilon) + beta


def leaky(x: np.ndarray, slope: float) -> np.ndarray:
    """`slope` times as much below 0 (Maas et al. 2013)."""
    return np.where(x > 0, x, slope * x)


def bent(x: np.ndarray, highest: float | None, slope: float, threshold: float) -> np.ndarray:
    """Keras' `ReLU` with all its settings: straight from `threshold` to `highest`, of another slope below."""
    x = np.where(x >= threshold, x, slope * (x - threshold))
    return x if highest is None else np.minimum(x, highest)


def lstm(
    x: np.ndarray,
    gates: Mapping[str, Sequence[np.ndarray]],
    activation: Callable[[np.ndarray], np.ndarray],
    inner: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """All outputs [B, T, U] of an LSTM with forget gates (Gers et al. 2000) for [B, T, I].

    `gates` is a dict of (kernel [I, U], recurrent kernel [U, U], bias [U]) by the gate: i, f, c, o.
    """
    h = c = np.zeros((len(x), gates["i"][2].shape[0]), x.dtype)
    outputs = []
    for x_t in x.transpose(1, 0, 2):
        z = {gate: x_t @ kernel + h @ recurrent + bias for gate, (kernel, recurrent, bias) in gates.items()}
        c = inner(z["f"]) * c + inner(z["i"]) * activation(z["c"])
        h = inner(z["o"]) * activation(c)
        outputs.append(h)
    return np.stack(outputs, axis=1)


def each_step(layer: Callable[..., np.ndarray], x: np.ndarray, *arguments: Any) -> np.ndarray:
    """`layer` of every time step of [B, T, ...]."""
    return np.stack([layer(x_t, *arguments) for x_t in x.swapaxes(0, 1)], axis=1)


def dueling(value: np.ndarray, advantage: np.ndarray, aggregate: str) -> np.ndarray:
    """`shared.nn.layers.Dueling`: [B, 1] and [B, A] -> [B, A]. Raises `ValueError` for other shapes."""
    if value.shape[1:] != (1,) or advantage.ndim != 2:
        raise ValueError(f"a value and advantages, not inputs of shape {value.shape} and {advantage.shape}")
    return value + advantage - AGGREGATES[aggregate](advantage, axis=-1, keepdims=True)


def expectation(logits: np.ndarray, lowest: float, highest: float) -> np.ndarray:
    """`shared.nn.layers.Expectation`: [B, N, A] -> [B, A]."""
    numbers = np.linspace(lowest, highest, logits.shape[1], dtype=logits.dtype)
    return (softmax(logits, axis=1) * numbers[:, None]).sum(axis=1)


def grid_cell(points: np.ndarray, edges: Sequence[Sequence[float]]) -> np.ndarray:
    """`shared.nn.layers.Grid`: [B, D] -> int [B]."""
    cell = np.zeros(len(points), int)
    for coordinate, axis in zip(points.T, edges, strict=True):
        passed = coordinate[:, None] >= np.asarray(axis, points.dtype)
        cell = cell * (len(axis) + 1) + passed.sum(axis=-1)
    return cell


def _windows(x, size, strides):
    """Every window of images, [B, H', W', C, rows, columns]; a view."""
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis=(1, 2))
    return windows[:, :: strides[0], :: strides[1]]


def _padded(x, size, strides, padding, value):
    if padding == "valid":
        return x
    above, below = _border(x.shape[1], size[0], strides[0])
    left, right = _border(x.shape[2], size[1], strides[1])
    return pad(x, above, below, left, right, value)


def _counted(size, kernel, stride):
    """How many cells of an axis each window of `same` covers, float32."""
    here = np.pad(np.ones(size, np.float32), _border(size, kernel, stride))
    return np.lib.stride_tricks.sliding_window_view(here, kernel)[::stride].sum(axis=-1)


def _border(size: int, kernel: int, stride: int) -> Pair:
    """What `same` adds before and after an axis, so that it has as many outputs as strides."""
    missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return missing // 2, missing - missing // 2
