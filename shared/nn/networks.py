"""Q-networks as plain Keras models."""

from collections.abc import Sequence

import keras

from shared.nn.layers import dueling_head


def dense(
    observation_shape: tuple[int, ...],
    outputs: int,
    hidden: Sequence[int],
    seed: int,
    activation: str = "relu",
    dueling: str = "none",
    layer_norm: bool = False,
    first_value: float = 0.0,
) -> keras.Model:
    """Dense layers from an observation to action values: T1's network at `hidden=(100, 100)`.

    Args:
        observation_shape: shape of one observation; flattened when it has several axes.
        outputs: how many numbers come out, linear: a value for each action.
        hidden: units of each hidden layer.
        seed: of the initial weights, uniform after Glorot and Bengio (2010, eq. 16); layer i takes `seed + i`.
        activation: of the hidden layers.
        dueling: `none`, or what two heads subtract (`shared.nn.layers.Dueling`): `max` or `mean`.
        layer_norm: normalise what each hidden layer puts out, before its activation (Ba et al. 2016).
        first_value: the bias of the output without heads: about what an untrained network says of every action.

    Returns a built Keras model from float32 [B, *observation_shape] to float32 [B, outputs].
    """
    observation = features = keras.Input(observation_shape)
    if len(observation_shape) > 1:
        features = keras.layers.Flatten()(features)
    for i, units in enumerate(hidden):
        initial = keras.initializers.GlorotUniform(seed + i)
        features = _activated(keras.layers.Dense, features, activation, layer_norm, units, kernel_initializer=initial)
    seed = seed + len(hidden)
    if dueling == "none":
        initial, bias = keras.initializers.GlorotUniform(seed), keras.initializers.Constant(first_value)
        values = keras.layers.Dense(outputs, kernel_initializer=initial, bias_initializer=bias)(features)
    else:
        values = dueling_head(features, outputs, seed, dueling)
    return keras.Model(observation, values, name="q_network")


def fitting(
    observation_shape: tuple[int, ...],
    outputs: int,
    hidden: Sequence[int],
    seed: int,
    activation: str = "relu",
    of_bytes: bool = False,
    layer_norm: bool = False,
) -> keras.Model:
    """A network for whatever is observed: dense layers for a vector; for a picture, convolutions before them.

    Args:
        observation_shape, outputs, hidden, seed, activation, layer_norm: as for `dense`. A picture is (rows,
            columns) or (rows, columns, channels) of at least 8 x 8; smaller ones are flattened.
        of_bytes: the numbers are bytes, 0 to 255, and are divided by 255 first.
    """
    if len(observation_shape) < 2 or min(observation_shape[:2]) < 8:
        return dense(observation_shape, outputs, hidden, seed, activation, layer_norm=layer_norm)
    observation = features = keras.Input(observation_shape)
    if of_bytes:
        features = keras.layers.Rescaling(1 / 255)(features)
    if len(observation_shape) == 2:
        features = keras.layers.Reshape((*observation_shape, 1))(features)
    seeds = iter(range(seed, seed + 100))
    large = min(observation_shape[:2]) >= 32  # such screens are halved once more
    for filters, size, stride in ((16, 4, 2), (32, 4, 2) if large else (32, 2, 1), (32, 2, 1)):
        features = _activated(
            keras.layers.Conv2D, features, "relu", layer_norm, filters, size, stride, "same",
            kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
        )  # fmt: skip
    features = keras.layers.Flatten()(features)
    for units in hidden:
        initial = keras.initializers.GlorotUniform(next(seeds))
        features = _activated(keras.layers.Dense, features, activation, layer_norm, units, kernel_initializer=initial)
    values = keras.layers.Dense(outputs, kernel_initializer=keras.initializers.GlorotUniform(next(seeds)))(features)
    return keras.Model(observation, values, name="q_network")


def _activated(kind, features, activation, layer_norm, *arguments, **options):
    """The outputs of a new layer of some kind, normalised before the activation if wanted."""
    if not layer_norm:
        return kind(*arguments, activation=activation, **options)(features)
    features = keras.layers.LayerNormalization()(kind(*arguments, **options)(features))
    return keras.layers.Activation(activation)(features)
