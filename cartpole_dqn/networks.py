"""A table of CartPole's action values, as a plain Keras model."""

from collections.abc import Sequence

import keras

from cartpole_dqn.physics import CartPole
from shared.nn.layers import Grid


def table(edges: Sequence[Sequence[float]], outputs: int) -> keras.Model:
    """A table as a network: the state's cell picks a row of weights, which are the action values.

    Gradient descent on the squared error of one value with step size alpha / 2 is the rule of tabular Q-learning with
    alpha: the derivative of e² is 2 e.

    Args:
        edges: for each of the four numbers, the ascending edges between its bins.
        outputs: numbers in each row.

    Returns a built Keras model from float32 [B, 4] to float32 [B, outputs], all zeros.
    """
    grid = Grid(edges, name="cell")
    observation = keras.Input(CartPole.observation_shape)
    values = keras.layers.Embedding(grid.cells, outputs, embeddings_initializer="zeros", name="table")
    return keras.Model(observation, values(grid(observation)), name="q_table")
