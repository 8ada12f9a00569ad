"""Keras models: copies of them, moving weights between them, and two shapes that a Q-network can take."""

import math

import keras
from keras import ops

from shared.losses import masked_clipped_huber


def clone_model(model):
    """A model of the same architecture with equal weights that shares nothing with `model`.

    (`copy.copy` of a model shares its weights: a target network made so follows the online network at every update.)
    Custom layers are cloned through their `get_config`. A compiled model's clone is compiled likewise, with an
    optimizer of its own in the same state; its custom losses and optimizers must be registered with
    `keras.saving.register_keras_serializable`.

    Args:
        model: a Sequential or Functional Keras model, built.
    """
    clone = keras.models.clone_model(model)
    copy_weights(model, clone)
    if model.compiled:
        clone.compile_from_config(model.get_compile_config())
        if model.optimizer.built:
            clone.optimizer.build(clone.trainable_variables)
            for ours, theirs in zip(clone.optimizer.variables, model.optimizer.variables, strict=True):
                ours.assign(theirs)
    return clone


def copy_weights(source, target, tau=1.0):
    """Move the weights of `target` towards those of `source`, a model of the same architecture.

    target ← (1 - tau) target + tau source (Lillicrap et al. 2015, algorithm 1). At tau = 1 it is a copy, to the bit.
    """
    for ours, theirs in zip(target.weights, source.weights, strict=True):
        ours.assign(theirs if tau == 1.0 else (1.0 - tau) * ours + tau * theirs)


# -- a model with the loss inside (T3, "Tips 3") ------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="shared")
class TakenActionLoss(keras.layers.Layer):
    """`masked_clipped_huber` as a layer: (q [B, A], action [B], y_true [B]) to the loss of each sample, [B].

    Args:
        delta: from which error on the loss is a straight line.
        **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, delta=1.0, **kwargs):
        super().__init__(**kwargs)
        self.delta = delta

    def call(self, q, action, y_true):
        """The loss of each sample."""
        return masked_clipped_huber(q, action, y_true, self.delta)

    def get_config(self):
        """What `from_config` needs to make an equal layer."""
        return {**super().get_config(), "delta": self.delta}


@keras.saving.register_keras_serializable(package="shared")
class OutputAsLoss(keras.losses.Loss):
    """The loss is what the model puts out, summed over the batch; the labels count for nothing."""

    def __init__(self, reduction="sum", name="output_as_loss", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        """`y_pred`, the loss of each sample [B]."""
        return y_pred


def with_loss_inside(model, delta=1.0):
    """A Q-network that also computes its own loss, and shares its weights with `model`.

    Keras hands a loss function two arrays, the labels and the output; the loss of a DQN also wants to know the action.
    Here all three go in as inputs and the loss comes out, to be trained by a loss that passes it on:

        trainer = with_loss_inside(model)
        trainer.compile(optimizer, loss={"loss": OutputAsLoss()})
        trainer.train_on_batch({"state": ..., "action": ..., "y_true": ...}, {"loss": zeros})

    Args:
        model: a Keras model from float32 [B, *shape] to action values [B, A].
        delta: of the clipped Huber loss.

    Returns a model with inputs `state` float32 [B, *shape], `action` int32 [B] (the action taken) and `y_true`
    float32 [B] (its target), and outputs `loss` float32 [B] and `main_output` float32 [B, A] (the action values).
    """
    state = keras.Input(model.input_shape[1:], name="state")
    action = keras.Input((), dtype="int32", name="action")
    y_true = keras.Input((), name="y_true")
    q = model(state)
    loss = TakenActionLoss(delta, name="loss")(q, action, y_true)
    inputs = {"state": state, "action": action, "y_true": y_true}
    return keras.Model(inputs, {"loss": loss, "main_output": q})


# -- a grid of cells, for tables ----------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="shared")
class Grid(keras.layers.Layer):
    """Which cell of a grid a point lies in: float32 [B, D] to int32 [B], from 0 to `cells - 1`.

    Args:
        edges: for each of the D numbers, the ascending edges between its bins; k edges make k + 1 bins, and an edge
            belongs to the bin above it.
        **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, edges, **kwargs):
        super().__init__(**kwargs)
        self.edges = tuple(tuple(float(edge) for edge in axis) for axis in edges)
        if not self.edges or any(list(axis) != sorted(set(axis)) for axis in self.edges):
            raise ValueError("edges must be ascending numbers for each axis")
        self.cells = math.prod(len(axis) + 1 for axis in self.edges)

    def call(self, points):
        """The cells."""
        cell = 0
        for i, axis in enumerate(self.edges):
            passed = ops.cast(points[:, i, None] >= ops.convert_to_tensor(axis, points.dtype), "int32")
            cell = cell * (len(axis) + 1) + ops.sum(passed, axis=-1)
        return cell

    def compute_output_shape(self, shape):
        """(B,) for points of shape (B, D)."""
        if len(shape) != 2 or shape[1] != len(self.edges):
            raise ValueError(f"a grid of {len(self.edges)} axes has no place for points of shape {shape}")
        return shape[:1]

    def compute_output_spec(self, points):
        """A whole number for each point."""
        return keras.KerasTensor(self.compute_output_shape(points.shape), dtype="int32")

    def get_config(self):
        """What `from_config` needs to make an equal layer."""
        return {**super().get_config(), "edges": [list(axis) for axis in self.edges]}


# -- dueling heads (Wang et al. 2016) -----------------------------------------------------------------------------

AGGREGATES = {"mean": ops.mean, "max": ops.max}


@keras.saving.register_keras_serializable(package="shared")
class Dueling(keras.layers.Layer):
    """Action values from a state's value and its actions' advantages (Wang et al. 2016, eq. 8 and 9).

    The list [value [B, 1], advantage [B, A]] becomes value + advantage - max advantage, or - mean advantage: [B, A].

    Args:
        aggregate: `"max"` (eq. 8; the value is that of the best action) or `"mean"` (eq. 9, which the paper uses).
        **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, aggregate, **kwargs):
        super().__init__(**kwargs)
        if aggregate not in AGGREGATES:
            raise ValueError(f"aggregate={aggregate!r}: choose one of {sorted(AGGREGATES)}")
        self.aggregate = aggregate

    def compute_output_shape(self, shapes):
        """(B, A) for the shapes of both inputs."""
        if len(shapes) != 2 or any(len(shape) != 2 for shape in shapes) or shapes[0][1] != 1:
            raise ValueError(f"a value and advantages, not inputs of shape {shapes}")
        return shapes[1]

    def call(self, inputs):
        """The action values."""
        value, advantage = inputs
        return value + advantage - AGGREGATES[self.aggregate](advantage, axis=-1, keepdims=True)

    def get_config(self):
        """What `from_config` needs to make an equal layer."""
        return {**super().get_config(), "aggregate": self.aggregate}


def dueling_head(features, num_actions, seed, aggregate="max"):
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
