"""The Q-networks of the falling-ball games, as plain Keras models."""

import keras


def dense(observation_shape, num_actions, hidden, seed):
    """Dense layers from an observation to action values: T1's network at `hidden=(100, 100)`.

    Args:
        observation_shape: shape of one observation; flattened when it has several axes.
        num_actions: how many values come out, linear.
        hidden: units of each hidden layer, relu.
        seed: of the initial weights, uniform after Glorot and Bengio (2010, eq. 16); layer i takes `seed + i`.

    Returns a built `keras.Sequential` from float32 [B, *observation_shape] to float32 [B, num_actions].
    """
    return keras.Sequential(
        [keras.Input(observation_shape), *_dense_layers(num_actions, hidden, seed)], name="q_network"
    )


def convolutional(observation_shape, num_actions, hidden, seed):
    """Three convolutions before the dense layers: T3's network for 16x16 at `hidden=(128,)`.

    16 filters of 4x4 at stride 2, then twice 32 filters of 2x2; `same` padding and relu. Arguments and result as for
    `dense`; the convolutions take the seeds after the dense layers'.
    """
    seeds = iter(range(seed + len(hidden) + 1, seed + len(hidden) + 4))

    def convolution(filters, size, stride):
        initial = keras.initializers.GlorotUniform(next(seeds))
        return keras.layers.Conv2D(filters, size, stride, "same", activation="relu", kernel_initializer=initial)

    features = [convolution(16, 4, 2), convolution(32, 2, 1), convolution(32, 2, 1)]
    return keras.Sequential(
        [keras.Input(observation_shape), *features, *_dense_layers(num_actions, hidden, seed)], name="q_network"
    )


def _dense_layers(num_actions, hidden, seed):
    units = (*hidden, num_actions)
    return [
        keras.layers.Flatten(),
        *(
            keras.layers.Dense(
                n,
                activation="relu" if i < len(hidden) else None,
                kernel_initializer=keras.initializers.GlorotUniform(seed + i),
            )
            for i, n in enumerate(units)
        ),
    ]
