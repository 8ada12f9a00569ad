"""A Q-network with its loss inside (T3, "Tips 3")."""

from typing import Any

import keras

from shared.arrays import Array
from shared.nn.losses import masked_clipped_huber


@keras.saving.register_keras_serializable(package="shared")
class TakenActionLoss(keras.layers.Layer):
    """`masked_clipped_huber` as a layer: (q [B, A], action [B], y_true [B]) to the loss of each sample, [B].

    Args:
        delta: from which error on the loss is a straight line.
        **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, delta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.delta = delta

    def call(self, q: Array, action: Array, y_true: Array) -> Array:
        """The loss of each sample."""
        return masked_clipped_huber(q, action, y_true, self.delta)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make an equal layer."""
        return {**super().get_config(), "delta": self.delta}


@keras.saving.register_keras_serializable(package="shared")
class OutputAsLoss(keras.losses.Loss):
    """The loss is what the model puts out, summed over the batch; the labels count for nothing."""

    def __init__(self, reduction: str = "sum", name: str = "output_as_loss", dtype: str | None = None) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: Array, y_pred: Array) -> Array:
        """`y_pred`, the loss of each sample [B]."""
        return y_pred


def with_loss_inside(model: keras.Model, delta: float = 1.0) -> keras.Model:
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
