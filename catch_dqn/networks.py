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
    layers = [keras.Input(observation_shape)]
    if len(observation_shape) > 1:
        layers.append(keras.layers.Flatten())
    for i, units in enumerate((*hidden, num_actions)):
        layers.append(
            keras.layers.Dense(
                units,
                activation="relu" if i < len(hidden) else None,
                kernel_initializer=keras.initializers.GlorotUniform(seed + i),
            )
        )
    return keras.Sequential(layers, name="q_network")
