"""The Q-networks of CAVE, as plain Keras models."""

import keras

# Of each convolution: filters, side of the kernel, stride.
CONVOLUTIONS = {
    "published": ((16, 4, 2), (32, 2, 1), (32, 2, 1)),  # T3's
    "strided": ((16, 4, 2), (32, 3, 2), (64, 3, 2)),
}


def three_convolutions(
    observation_shape: tuple[int, ...],
    outputs: int,
    hidden: tuple[int, ...],
    seed: int,
    first_value: float = 0.0,
    activation: str = "relu",
    convolutions: str = "published",
    layer_norm: bool = False,
) -> keras.Model:
    """T3's network for its 16x16 screen: three convolutions and dense layers.

    Args:
        observation_shape: (rows, columns, channels).
        outputs: how many values come out, linear.
        hidden: units of each dense layer.
        seed: of the initial weights, uniform after Glorot and Bengio (2010, eq. 16); layer i takes `seed + i`.
        first_value: the bias of the output: about what an untrained network says of every action.
        activation: of the dense layers; the convolutions have relu.
        convolutions: which of `CONVOLUTIONS`; "strided" takes half the multiplications of T3's.
        layer_norm: normalise what each of these layers puts out, before its activation (Ba et al. 2016).

    Returns a built `keras.Sequential` from float32 [B, *observation_shape] to float32 [B, outputs].
    """
    filters_of = CONVOLUTIONS[convolutions]
    seeds = iter(range(seed, seed + len(filters_of) + len(hidden) + 1))
    layers = [keras.Input(observation_shape)]
    for filters, side, stride in filters_of:
        settings = {"padding": "same", "activation": "relu", "kernel_initializer": _initial(seeds)}
        layers += _activated(keras.layers.Conv2D, layer_norm, filters, side, stride, **settings)
    layers.append(keras.layers.Flatten())
    layers += _dense(hidden, outputs, seeds, first_value, activation, layer_norm)
    return keras.Sequential(layers, name="q_network")


def recurrent(
    observation_shape: tuple[int, ...],
    outputs: int,
    hidden: tuple[int, ...],
    seed: int,
    first_value: float = 0.0,
    convolutions: str = "published",
) -> keras.Model:
    """Screens one after the other: three convolutions over each, then an LSTM (DRQN: Hausknecht and Stone 2015).

    The LSTM reads the screens of one observation, oldest first, and begins anew with each, as the author's does.

    Args:
        observation_shape: of `cave_game.game2017.Cave2017`: (screens, rows, columns), or (rows, columns, screens).
        outputs: how many values come out, linear.
        hidden: units of the LSTM, then of dense layers after it.
        seed, first_value, convolutions: as of `three_convolutions`.

    Returns a built `keras.Sequential` from float32 [B, *observation_shape] to float32 [B, outputs].
    """
    filters_of = CONVOLUTIONS[convolutions]
    seeds = iter(range(seed, seed + len(filters_of) + len(hidden) + 2))

    layers, (first, *_, last) = [keras.Input(observation_shape)], observation_shape
    if first > last:
        layers.append(keras.layers.Permute((3, 1, 2)))
        observation_shape = (last, *observation_shape[:-1])
    layers.append(keras.layers.Reshape((*observation_shape, 1)))
    for filters, side, stride in filters_of:
        convolution = keras.layers.Conv2D(
            filters, side, stride, padding="same", activation="relu", kernel_initializer=_initial(seeds)
        )
        layers.append(keras.layers.TimeDistributed(convolution))
    layers.append(keras.layers.Reshape((observation_shape[0], -1)))
    units, *others = hidden
    initial = {"recurrent_initializer": keras.initializers.Orthogonal(seed=next(seeds))}
    initial["kernel_initializer"] = _initial(seeds)
    layers.append(keras.layers.LSTM(units, unroll=True, **initial))
    layers += _dense(others, outputs, seeds, first_value, "relu", layer_norm=False)
    return keras.Sequential(layers, name="q_network")


def _dense(hidden, outputs, seeds, first_value, activation, layer_norm):
    """Dense layers, and the values."""
    layers = []
    for units in hidden:
        settings = {"activation": activation, "kernel_initializer": _initial(seeds)}
        layers += _activated(keras.layers.Dense, layer_norm, units, **settings)
    bias = keras.initializers.Constant(first_value)
    return [*layers, keras.layers.Dense(outputs, kernel_initializer=_initial(seeds), bias_initializer=bias)]


def _activated(kind, layer_norm, *arguments, activation, **options):
    """A layer of some kind, normalised before its activation if wanted: a list of layers."""
    if not layer_norm:
        return [kind(*arguments, activation=activation, **options)]
    return [kind(*arguments, **options), keras.layers.LayerNormalization(), keras.layers.Activation(activation)]


def _initial(seeds):
    return keras.initializers.GlorotUniform(next(seeds))
