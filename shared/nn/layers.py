"""Layers that Keras does not have: a grid of cells, for tables, and dueling heads (Wang et al. 2016)."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from shared.arrays import Array

Shape = tuple[int | None, ...]  # with the batch axis, which may be None


@keras.saving.register_keras_serializable(package="shared")
class Grid(keras.layers.Layer):
    """Which cell of a grid a point lies in: float32 [B, D] to int32 [B], from 0 to `cells - 1`.

    Args:
        edges: for each of the D numbers, the ascending edges between its bins; k edges make k + 1 bins, and an edge
            belongs to the bin above it.
        **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, edges: Sequence[Sequence[float]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.edges = tuple(tuple(float(edge) for edge in axis) for axis in edges)
        if not self.edges or any(list(axis) != sorted(set(axis)) for axis in self.edges):
            raise ValueError("edges must be ascending numbers for each axis")
        self.cells = math.prod(len(axis) + 1 for axis in self.edges)

    def call(self, points: Array) -> Array:
        """The cells."""
        cell = 0
        for i, axis in enumerate(self.edges):
            passed = ops.cast(points[:, i, None] >= ops.convert_to_tensor(axis, points.dtype), "int32")
            cell = cell * (len(axis) + 1) + ops.sum(passed, axis=-1)
        return cell

    def compute_output_shape(self, shape: Shape) -> Shape:
        """(B,) for points of shape (B, D)."""
        if len(shape) != 2 or shape[1] != len(self.edges):
            raise ValueError(f"a grid of {len(self.edges)} axes has no place for points of shape {shape}")
        return shape[:1]

    def compute_output_spec(self, points: keras.KerasTensor) -> keras.KerasTensor:
        """A whole number for each point."""
        return keras.KerasTensor(self.compute_output_shape(points.shape), dtype="int32")

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make an equal layer."""
        return {**super().get_config(), "edges": [list(axis) for axis in self.edges]}


AGGREGATES = {"mean": ops.mean, "max": ops.max}


@keras.saving.register_keras_serializable(package="shared")
class Dueling(keras.layers.Layer):
    """Action values from a state's value and its actions' advantages (Wang et al. 2016, eq. 8 and 9).

    The list [value [B, 1], advantage [B, A]] becomes value + advantage - max advantage, or - mean advantage: [B, A].

    Args:
        aggregate: `"max"` (eq. 8; the value is that of the best action) or `"mean"` (eq. 9, which the paper uses).
        **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, aggregate: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if aggregate not in AGGREGATES:
            raise ValueError(f"aggregate={aggregate!r}: choose one of {sorted(AGGREGATES)}")
        self.aggregate = aggregate

    def compute_output_shape(self, shapes: Sequence[Shape]) -> Shape:
        """(B, A) for the shapes of both inputs."""
        if len(shapes) != 2 or any(len(shape) != 2 for shape in shapes) or shapes[0][1] != 1:
            raise ValueError(f"a value and advantages, not inputs of shape {shapes}")
        return shapes[1]

    def call(self, inputs: Sequence[Array]) -> Array:
        """The action values."""
        value, advantage = inputs
        return value + advantage - AGGREGATES[self.aggregate](advantage, axis=-1, keepdims=True)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make an equal layer."""
        return {**super().get_config(), "aggregate": self.aggregate}


def dueling_head(features: keras.KerasTensor, num_actions: int, seed: int, aggregate: str = "max") -> keras.KerasTensor:
    """Two linear heads over `features`, put together as action values.

    Args:
        features: Keras tensor [B, F].
        num_actions: A.
        seed: of the initial weights; the value head takes `seed`, the advantage head `seed + 1`.
        aggregate: see `Dueling`.

    Returns a Keras tensor [B, A].
    """

    def head(units, name, seed):
        initializer = keras.initializers.GlorotUniform(seed)
        return keras.layers.Dense(units, name=name, kernel_initializer=initializer)(features)

    value, advantage = head(1, "value", seed), head(num_actions, "advantage", seed + 1)
    return Dueling(aggregate, name="q_values")([value, advantage])


@keras.saving.register_keras_serializable(package="shared")
class Expectation(keras.layers.Layer):
    """The mean of a distribution over evenly spaced numbers, given by logits (Bellemare et al. 2017).

    float32 [B, N, A], the logits of N numbers for each of A actions, becomes float32 [B, A].

    Args:
        lowest, highest: the first and the last of the N numbers.
        **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, lowest: float, highest: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lowest, self.highest = float(lowest), float(highest)

    def compute_output_shape(self, shape: Shape) -> Shape:
        """(B, A) for logits of shape (B, N, A)."""
        if len(shape) != 3:
            raise ValueError(f"logits of shape (B, N, A), not {shape}")
        return shape[0], shape[2]

    def call(self, logits: Array) -> Array:
        """The means."""
        numbers = ops.linspace(self.lowest, self.highest, logits.shape[1], dtype=logits.dtype)
        return ops.sum(ops.softmax(logits, axis=1) * numbers[:, None], axis=1)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make an equal layer."""
        return {**super().get_config(), "lowest": self.lowest, "highest": self.highest}
