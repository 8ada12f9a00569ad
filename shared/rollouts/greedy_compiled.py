"""What `shared.rollouts.greedy` does with Keras models: compiled programs."""

import functools
from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from shared.games.contract import Game, State
from shared.nn.backend import compiled, once_for_each_model, program, uniform
from shared.nn.convolutions import with_matmul_convolutions
from shared.nn.copies import copy_weights
from shared.nn.layers import Expectation
from shared.nn.numpy_network import DISTRIBUTION
from shared.rollouts.action_values import Outlook, spread


def greedy_policy(model: keras.Model) -> Callable[[np.ndarray], int]:
    """A policy that takes the action of highest value: `policy(observation) -> int`, compiled for one observation."""
    values = _values(model, 1)

    def policy(observation):
        return int(np.argmax(values(observation[None])))

    return policy


def outlook(model: keras.Model) -> Outlook:
    """`shared.rollouts.action_values.outlook`."""
    values, distribution = _values(model, 1), _distribution(model)
    last = model.layers[-1]
    ends = (last.lowest, last.highest) if isinstance(last, Expectation) else None

    def say(observation):
        return spread(values(observation[None])[0], distribution and distribution(observation[None]), ends)

    return say


@once_for_each_model
def _distribution(model):
    """The program of the layer that the values are the means of; None where there is no such layer."""
    if DISTRIBUTION not in {layer.name for layer in model.layers}:
        return None
    below = keras.Model(model.inputs[0], model.get_layer(DISTRIBUTION).output)
    return program(lambda observation: below(observation), (1, *model.input_shape[1:]))


def greedy_choice(model: keras.Model, count: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The same for up to `count` observations at once: `choose(observations [B, ...], draws) -> actions [B]`."""
    values = _values(model, count)
    padded = np.zeros((count, *model.input_shape[1:]), np.float32)

    def choose(observations, draws):
        padded[: len(observations)] = observations
        return np.argmax(values(padded)[: len(observations)], axis=-1)

    return choose


@once_for_each_model
def _values(model, count):
    """The values of all actions, for `count` observations."""
    return program(lambda observation: model(observation), (count, *model.input_shape[1:]))


def greedy_by_state(model: keras.Model, game: Game) -> Callable[[State], np.ndarray]:
    """The action of highest value for each of N games, from their states: `choose(state) -> actions [N]`.

    What is observed is computed by the same compiled program as the values, and the model's convolutions in it are
    matrix products.
    """
    network, best = _best_by_state(model, game)
    copy_weights(model, network)

    def choose(state):
        return ops.convert_to_numpy(best(type(state)(*map(ops.convert_to_tensor, state))))

    return choose


@once_for_each_model
def _best_by_state(model, game):
    """A network that computes what `model` does, and the program that asks it: state -> actions [N]."""
    network = with_matmul_convolutions(model)
    return network, compiled(lambda state: ops.argmax(network(game.observe(ops, state)), axis=-1))


def play_greedy(
    game: Game, model: keras.Model, state: State, seed: int, time_limit: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """`shared.rollouts.greedy.play_greedy`, as one program."""
    limit = np.iinfo(np.int32).max if time_limit is None else time_limit
    start = type(state)(*map(ops.convert_to_tensor, state))
    play = _greedy_games(model, game)
    score, length = play(start, ops.convert_to_tensor(seed, "int64"), ops.convert_to_tensor(limit, "int32"))
    return ops.convert_to_numpy(score), ops.convert_to_numpy(length)


@once_for_each_model
def _greedy_games(model, game):
    """The program of `play_greedy`: (state, seed, limit) -> scores and lengths."""

    def step(seed, t, state, alive, score, length):
        games = alive.shape[0]
        draws = ops.reshape(uniform(seed, t, games * game.step_draws), (games, game.step_draws))
        action = ops.cast(ops.argmax(model(game.observe(ops, state)), axis=-1), "int32")
        state, reward, terminated = game.step(ops, state, action, draws)
        score = score + ops.where(alive, reward, 0.0)
        length = length + ops.cast(alive, "int32")
        return t + 1, state, ops.logical_and(alive, ops.logical_not(terminated)), score, length

    @compiled
    def play(state, seed, limit):
        games = state[0].shape[0]
        start = (0, state, ops.ones((games,), "bool"), ops.zeros((games,)), ops.zeros((games,), "int32"))
        *_, score, length = ops.while_loop(
            lambda t, state, alive, *_: ops.logical_and(t < limit, ops.any(alive)),
            functools.partial(step, seed),
            start,
        )
        return score, length

    return play
