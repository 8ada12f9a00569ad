"""The Q-network of Catch-ball on 16x16, as a plain Keras model."""

import keras


def convolutional(observation_shape: tuple[int, ...], outputs: int, hidden: tuple[int, ...], seed: int) -> keras.Model:
    """Three convolutions before the dense layers: T3's network for 16x16 at `hidden=(128,)`.

    16 filters of 4x4 at stride 2, then twice 32 filters of 2x2; `same` padding and relu. Arguments and result as for
    `shared.nn.networks.dense`; the convolutions take the seeds after the dense layers'.
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
    return keras.Sequential(
        [keras.Input(observation_shape), *features, keras.layers.Flatten(), *denses], name="q_network"
    )
