"""The Q-networks of CartPole, as plain Keras models."""

import keras

from cartpole_dqn.physics import CartPole
from shared.nn.layers import Grid, dueling_head


def dense(hidden, activation, dueling, seed):
    """Dense layers from the four numbers to the two action values.

    Args:
        hidden: units of each hidden layer.
        activation: of the hidden layers.
        dueling: `none`, or what two heads subtract (`shared.nn.layers.Dueling`): `max` or `mean`.
        seed: of the initial weights, uniform after Glorot and Bengio (2010, eq. 16); layer i takes `seed + i`.

    Returns a built Keras model from float32 [B, 4] to float32 [B, 2].
    """
    observation = features = keras.Input(CartPole.observation_shape)
    for i, units in enumerate(hidden):
        initial = keras.initializers.GlorotUniform(seed + i)
        features = keras.layers.Dense(units, activation=activation, kernel_initializer=initial)(features)
    seed = seed + len(hidden)
    if dueling == "none":
        initial = keras.initializers.GlorotUniform(seed)
        values = keras.layers.Dense(CartPole.num_actions, kernel_initializer=initial)(features)
    else:
        values = dueling_head(features, CartPole.num_actions, seed, dueling)
    return keras.Model(observation, values, name="q_network")


def table(edges):
    """A table as a network: the state's cell picks a row of weights, which are the action values.

    Gradient descent on the squared error of one value with step size alpha / 2 is the rule of tabular Q-learning with
    alpha: the derivative of e² is 2 e.

    Args:
        edges: for each of the four numbers, the ascending edges between its bins.

    Returns a built Keras model from float32 [B, 4] to float32 [B, 2], all zeros.
    """
    grid = Grid(edges, name="cell")
    observation = keras.Input(CartPole.observation_shape)
    values = keras.layers.Embedding(grid.cells, CartPole.num_actions, embeddings_initializer="zeros", name="table")
    return keras.Model(observation, values(grid(observation)), name="q_table")
