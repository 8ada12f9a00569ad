"""Who flies: scripted players and a trained network. `python -m cave_game.players` compares the scripted ones."""

from typing import Any

import numpy as np

from cave_game.flights import Player, describe, fly, parse_flights
from cave_game.game import CRAFT, CRAFT_COLUMN, FRAMES, QUARTERS, Cave, State
from cave_game.planner import Planner
from shared.commands.parser import command
from shared.late import late

greedy = late("shared.rollouts.greedy")


class RandomPlayer:
    """Presses and releases the button at random."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def __call__(self, state: State) -> np.ndarray:
        """A random action for each of N games."""
        return self._rng.integers(0, Cave.num_actions, len(state.height), dtype=np.int32)


def middle_player(state: State) -> np.ndarray:
    """Steers for the middle between ceiling and floor, and sees no block: int32 [N].

    The button is held while the craft would come to rest below the middle if it braked from now on.
    """
    column = FRAMES - 1 + CRAFT_COLUMN + CRAFT
    free = state.ceiling[:, column].astype(np.int32) + state.floor[:, column]
    middle = QUARTERS * (free - CRAFT) // 2
    braking = state.speed * np.abs(state.speed) // 2  # v^2 / 2a, with an acceleration of one quarter cell
    return (state.height + braking > middle).astype(np.int32)


def network_player(model: Any) -> Player:
    """A player that takes the action to which a Keras Q-network gives the highest value, compiled."""
    game = Cave()

    def player(state):
        observation = game.observe(np, state)
        choose = greedy.greedy_choice(model, len(observation))
        return choose(observation, None).astype(np.int32)

    return player


def main(argv: list[str]) -> int:
    """Let the scripted players try the same caves; returns the exit status."""
    arguments = parse_flights(argv, "cave_game.players", "Let the scripted players fly the same caves.", 100)
    players: dict[str, Player] = {"random": RandomPlayer(arguments.seed), "middle": middle_player, "planner": Planner()}
    for name, player in players.items():
        print(f"{name:8s} {describe(fly(player, arguments.caves, arguments.seed).summary())}", flush=True)
    return 0


if __name__ == "__main__":
    command(main)
