"""Who can fly, and how far: scripted players, a trained network, and `fly`, which lets them try the same caves.

A player is `player(state) -> int32 [N]`: it sees the state of N games and presses N buttons.
"""

from typing import NamedTuple

import numpy as np

from cave_game.game import CRAFT, CRAFT_COLUMN, FRAMES, QUARTERS, TIME_LIMIT, Cave


class Flights(NamedTuple):
    """What became of N flights."""

    scores: np.ndarray  # float32 [N], steps survived
    endings: np.ndarray  # int32 [N], what was hit: `CEILING`, `FLOOR` or `BLOCK`, or `FLYING` at the time limit


def fly(player, caves, seed, steps=TIME_LIMIT):
    """Fly caves side by side until each has crashed or survived `steps`; returns `Flights`.

    Args:
        player: see above.
        caves: how many (N).
        seed: of the caves: the same seed gives the same caves to every player.
        steps: the time limit.
    """
    game, rng = Cave(), np.random.default_rng(seed)
    state = game.reset(np, np.zeros((caves, 0), np.float32))
    scores = np.zeros(caves, np.float32)
    for _ in range(steps):
        action = player(state)
        state, reward, terminated = game.step(np, state, action, rng.random((caves, 1), dtype=np.float32))
        scores += reward
        if terminated.all():
            break
    return Flights(scores, state.ending)


class RandomPlayer:
    """Presses and releases the button at random."""

    def __init__(self, seed):
        self._rng = np.random.default_rng(seed)

    def __call__(self, state):
        """A random action for each of N games."""
        return self._rng.integers(0, Cave.num_actions, len(state.height), dtype=np.int32)


def middle_player(state):
    """Steers for the middle between ceiling and floor, and sees no block: int32 [N].

    The button is held while the craft would come to rest below the middle if it braked from now on.
    """
    column = FRAMES - 1 + CRAFT_COLUMN + CRAFT
    free = state.ceiling[:, column].astype(np.int32) + state.floor[:, column]
    middle = QUARTERS * (free - CRAFT) // 2
    braking = state.speed * np.abs(state.speed) // 2  # v^2 / 2a, with an acceleration of one quarter cell
    return (state.height + braking > middle).astype(np.int32)


def network_player(model):
    """A player that takes the action to which a Keras Q-network gives the highest value, compiled."""
    from keras import ops

    from shared.backend import compiled

    game = Cave()
    best = compiled(lambda observation: ops.argmax(model(observation), axis=-1))

    def player(state):
        observation = ops.convert_to_tensor(game.observe(np, state))
        return ops.convert_to_numpy(best(observation)).astype(np.int32)

    return player
