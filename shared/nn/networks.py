"""Q-networks as plain Keras models."""

import keras

from shared.nn.layers import dueling_head


def dense(observation_shape, outputs, hidden, seed, activation="relu", dueling="none"):
    """Dense layers from an observation to action values: T1's network at `hidden=(100, 100)`.

    Args:
        observation_shape: shape of one observation; flattened when it has several axes.
        outputs: how many numbers come out, linear: a value for each action.
        hidden: units of each hidden layer.
        seed: of the initial weights, uniform after Glorot and Bengio (2010, eq. 16); layer i takes `seed + i`.
        activation: of the hidden layers.
        dueling: `none`, or what two heads subtract (`shared.nn.layers.Dueling`): `max` or `mean`.

    Returns a built Keras model from float32 [B, *observation_shape] to float32 [B, outputs].
    """
    observation = features = keras.Input(observation_shape)
    if len(observation_shape) > 1:
        features = keras.layers.Flatten()(features)
    for i, units in enumerate(hidden):
        initial = keras.initializers.GlorotUniform(seed + i)
        features = keras.layers.Dense(units, activation=activation, kernel_initializer=initial)(features)
    seed = seed + len(hidden)
    if dueling == "none":
        values = keras.layers.Dense(outputs, kernel_initializer=keras.initializers.GlorotUniform(seed))(features)
    else:
        values = dueling_head(features, outputs, seed, dueling)
    return keras.Model(observation, values, name="q_network")
