"""The Q-networks of the falling-ball games, as plain Keras models."""

import math

import keras

from catch_dqn.presets import CatchSettings
from shared.nn.networks import dense


def network(tutorial: str, observation_shape: tuple[int, ...], outputs: int, settings: CatchSettings) -> keras.Model:
    """The network that the settings name; `tutorial` says which one the tutorial has for the game."""
    chosen = tutorial if settings.network == "tutorial" else settings.network
    build = {"dense": dense, "convolutional": convolutional}[chosen]
    return build(observation_shape, outputs, settings.hidden, settings.seed)


def convolutional(observation_shape: tuple[int, ...], outputs: int, hidden: tuple[int, ...], seed: int) -> keras.Model:
    """Three convolutions before the dense layers: T3's network for 16x16 at `hidden=(128,)`.

    16 filters of 4x4 at stride 2, then twice 32 filters of 2x2; `same` padding and relu. Arguments and result as for
    `shared.nn.networks.dense`; the convolutions take the seeds after the dense layers'. Cells that are observed in a
    row, as T1's, are laid out as the square that they are.
    """
    seeds = iter(range(seed + len(hidden) + 1, seed + len(hidden) + 4))

    def convolution(filters, size, stride):
        initial = keras.initializers.GlorotUniform(next(seeds))
        return keras.layers.Conv2D(filters, size, stride, "same", activation="relu", kernel_initializer=initial)

    features = [convolution(16, 4, 2), convolution(32, 2, 1), convolution(32, 2, 1)]
    units = (*hidden, outputs)
    denses = [
        keras.layers.Dense(
            n,
            activation="relu" if i < len(hidden) else None,
            kernel_initializer=keras.initializers.GlorotUniform(seed + i),
        )
        for i, n in enumerate(units)
    ]
    side = math.isqrt(observation_shape[0])
    square = [keras.layers.Reshape((side, side, 1))] if len(observation_shape) == 1 else []
    layers = [*square, *features, keras.layers.Flatten(), *denses]
    return keras.Sequential([keras.Input(observation_shape), *layers], name="q_network")
