"""The Q-network of CAVE, as a plain Keras model."""

import keras

FILTERS = ((16, 4, 2), (32, 2, 1), (32, 2, 1))  # filters, side of the kernel, stride


def three_convolutions(
    observation_shape: tuple[int, ...],
    outputs: int,
    hidden: tuple[int, ...],
    seed: int,
    first_value: float = 0.0,
    activation: str = "relu",
) -> keras.Model:
    """T3's network for its 16x16 screen: three convolutions and dense layers.

    Args:
        observation_shape: (rows, columns, channels).
        outputs: how many values come out, linear.
        hidden: units of each dense layer.
        seed: of the initial weights, uniform after Glorot and Bengio (2010, eq. 16); layer i takes `seed + i`.
        first_value: the bias of the output: about what an untrained network says of every action.
        activation: of the dense layers; the convolutions have relu.

    Returns a built `keras.Sequential` from float32 [B, *observation_shape] to float32 [B, outputs].
    """
    seeds = iter(range(seed, seed + len(FILTERS) + len(hidden) + 1))

    def options():
        return {"kernel_initializer": keras.initializers.GlorotUniform(next(seeds))}

    layers = [keras.Input(observation_shape)]
    for filters, side, stride in FILTERS:
        convolution = keras.layers.Conv2D(filters, side, stride, padding="same", activation="relu", **options())
        layers.append(convolution)
    layers.append(keras.layers.Flatten())
    layers += [keras.layers.Dense(units, activation=activation, **options()) for units in hidden]
    bias = keras.initializers.Constant(first_value)
    layers.append(keras.layers.Dense(outputs, bias_initializer=bias, **options()))
    return keras.Sequential(layers, name="q_network")
