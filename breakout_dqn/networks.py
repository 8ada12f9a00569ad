"""The network for an Atari picture: small enough for two cores."""

from collections.abc import Sequence

import keras

from shared.nn.layers import Dueling

# Filters, size, stride. On Breakout's 40 x 36 x 3 the network makes 1.9 million multiplications with 0.4 million
# weights; that of Mnih et al. (2015) on 84 x 84 x 4 makes 9.4 with 1.7.
CONVOLUTIONS = ((16, 4, 2), (32, 4, 2), (64, 3, 2))


def atari_network(
    shape: tuple[int, int, int], outputs: int, hidden: Sequence[int], seed: int, layer_norm: bool = False
) -> keras.Model:
    """Three convolutions, dense layers, dueling heads (Wang et al. 2016, eq. 9).

    Args:
        shape: of an observation, bytes.
        outputs: actions.
        hidden: units of each dense layer.
        seed: of the initial weights, uniform after Glorot and Bengio (2010); those of the heads are 0.
        layer_norm: normalise what each layer puts out before its activation (Ba et al. 2016).

    Returns a built Keras model from float32 [B, *shape], 0 to 255, to float32 [B, outputs].
    """
    seeds = iter(range(seed, seed + 100))

    def activated(features):
        if layer_norm:
            features = keras.layers.LayerNormalization()(features)
        return keras.layers.Activation("relu")(features)

    def initial():
        return keras.initializers.GlorotUniform(next(seeds))

    observation = keras.Input(shape)
    features = keras.layers.Rescaling(1 / 255)(observation)
    for filters, size, stride in CONVOLUTIONS:
        layer = keras.layers.Conv2D(filters, size, stride, "same", kernel_initializer=initial())
        features = activated(layer(features))
    features = keras.layers.Flatten()(features)
    for units in hidden:
        features = activated(keras.layers.Dense(units, kernel_initializer=initial())(features))
    # All values begin at 0. Random ones would begin too high where the best of them counts, and unlearn that slowly.
    value = keras.layers.Dense(1, name="value", kernel_initializer="zeros")(features)
    advantage = keras.layers.Dense(outputs, name="advantage", kernel_initializer="zeros")(features)
    return keras.Model(observation, Dueling("mean", name="q_values")([value, advantage]), name="q_network")
