"""Activation functions that Keras 3 does not have."""

import keras
from keras import ops

from shared.arrays import Array


@keras.saving.register_keras_serializable(package="shared")
def keras_1_hard_sigmoid(x: Array) -> Array:
    """The `hard_sigmoid` of Keras 1 and 2, 0.2 x + 0.5 kept between 0 and 1; that of Keras 3 has the slope 1/6."""
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)
