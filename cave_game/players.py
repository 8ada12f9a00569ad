"""Who flies: scripted players and a trained network. `python -m cave_game.players` compares the scripted ones."""

from typing import Any

import numpy as np

from cave_game.flights import GAMES, TIME_LIMITS, AnyState, Player, describe, fly, parse_flights
from cave_game.game import CRAFT, CRAFT_COLUMN, FRAMES, QUARTERS, Cave, State
from cave_game.game2017 import Cave2017
from cave_game.planner import Planner
from cave_game.planner2017 import Planner2017
from shared.commands.parser import command
from shared.late import late

greedy = late("shared.rollouts.greedy")


class RandomPlayer:
    """Presses and releases the button at random."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def __call__(self, state: AnyState) -> np.ndarray:
        """A random action for each of N games."""
        return self._rng.integers(0, Cave.num_actions, len(state.ending), dtype=np.int32)


class Held:
    """Another player's actions, each held for some steps; N flights that begin together."""

    def __init__(self, player: Player, steps: int) -> None:
        self._player, self._steps, self._made = player, steps, 0
        self._action = np.zeros(0, np.int32)

    def __call__(self, state: AnyState) -> np.ndarray:
        """The action for each of N games, int32 [N]: a new one every so many steps."""
        if self._made % self._steps == 0:
            self._action = self._player(state)
        self._made += 1
        return self._action


def middle_player(state: State) -> np.ndarray:
    """Steers for the middle between ceiling and floor, and sees no block: int32 [N].

    The button is held while the craft would come to rest below the middle if it braked from now on.
    """
    column = FRAMES - 1 + CRAFT_COLUMN + CRAFT
    free = state.ceiling[:, column].astype(np.int32) + state.floor[:, column]
    middle = QUARTERS * (free - CRAFT) // 2
    braking = state.speed * np.abs(state.speed) // 2  # v^2 / 2a, with an acceleration of one quarter cell
    return (state.height + braking > middle).astype(np.int32)


def network_player(model: Any, rules: Cave | Cave2017) -> Player:
    """A player that takes the action to which a Keras Q-network gives the highest value, compiled."""
    choose = greedy.greedy_by_state(model, rules)

    def player(state):
        return choose(state).astype(np.int32)

    return player


def main(argv: list[str]) -> int:
    """Let the scripted players try the same caves; returns the exit status."""
    arguments = parse_flights(argv, "cave_game.players", "Let the scripted players fly the same caves.", 100)
    rules, limit = GAMES[arguments.game], TIME_LIMITS[arguments.game]
    chance = RandomPlayer(arguments.seed)
    players: dict[str, Player] = {"random": chance, "middle": middle_player, "planner": Planner()}
    if arguments.game == "cave2017":
        held = Held(RandomPlayer(arguments.seed), 3)
        players = {
            "random": chance,
            "random, held 3 steps": held,
            "planner": Planner2017(arguments.caves, arguments.seed, limit),
        }
    for name, player in players.items():
        flights = fly(player, arguments.caves, arguments.seed, limit, rules)
        print(f"{name:20s}  {describe(flights.summary(), rules)}", flush=True)
    return 0


if __name__ == "__main__":
    command(main)
