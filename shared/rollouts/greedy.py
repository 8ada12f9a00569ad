"""How good a network is: greedy games, played apart from training, with draws of their own.

A network is a Keras model, whose games are compiled, or a `shared.nn.numpy_network.NumpyNetwork`, which needs neither
Keras nor TensorFlow and plays the same games.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from shared.games.contract import Game, State
from shared.late import late
from shared.nn.numpy_network import NumpyNetwork
from shared.nn.philox import uniform

compiled = late("shared.rollouts.greedy_compiled")


def greedy_policy(network: Any) -> Callable[[np.ndarray], int]:
    """A policy that takes the action of highest value: `policy(observation) -> int`."""
    if not isinstance(network, NumpyNetwork):
        return compiled.greedy_policy(network)
    return lambda observation: int(np.argmax(network(observation[None])))


def greedy_choice(network: Any, count: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The same for up to `count` observations at once: `choose(observations [B, ...], draws) -> actions [B]`.

    For `shared.rollouts.collector.Collector`, whose draws are not needed.
    """
    if not isinstance(network, NumpyNetwork):
        return compiled.greedy_choice(network, count)
    return lambda observations, draws: np.argmax(network(observations), axis=-1)


def greedy_by_state(network: Any, game: Game) -> Callable[[State], np.ndarray]:
    """The action of highest value for each of N games, from their states: `choose(state) -> actions [N]`.

    What a Keras model observes is computed by the same compiled program as the values, and its convolutions in it are
    matrix products.
    """
    if not isinstance(network, NumpyNetwork):
        return compiled.greedy_by_state(network, game)
    return lambda state: np.argmax(network(game.observe(np, state)), axis=-1)


def play_greedy(
    game: Game, network: Any, state: State, seed: int, time_limit: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Play N games side by side to their ends, always taking the action of highest value.

    Args:
        game: the rules (`shared.games.contract.Game`).
        network: values every action of every observation.
        state: the state that the N games start from.
        seed: of the draws that the steps need.
        time_limit: steps after which a game is cut, or None for games that end by themselves.

    Returns the scores float32 [N] and the lengths in steps int32 [N], as NumPy arrays.
    """
    if not isinstance(network, NumpyNetwork):
        return compiled.play_greedy(game, network, state, seed, time_limit)
    games, t = len(state[0]), 0
    alive, score, length = np.ones(games, bool), np.zeros(games, np.float32), np.zeros(games, np.int32)
    while alive.any() and (time_limit is None or t < time_limit):
        draws = uniform(seed, t, games * game.step_draws).reshape(games, game.step_draws)
        action = np.argmax(network(game.observe(np, state)), axis=-1).astype(np.int32)
        state, reward, terminated = game.step(np, state, action, draws)
        score += np.where(alive, reward, np.float32(0))
        length += alive
        alive &= ~terminated
        t += 1
    return score, length


def random_starts(game: Game, games: int, seed: int | Sequence[int]) -> State:
    """The state of N freshly started games."""
    draws = np.random.default_rng(seed).random((games, game.reset_draws), dtype=np.float32)
    return game.reset(np, draws)
