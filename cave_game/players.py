"""Who can fly, and how far: scripted players, a trained network, and `fly`, which lets them try the same caves.

A player is `player(state) -> int32 [N]`: it sees the state of N games and presses N buttons.
`python -m cave_game.players` compares the scripted ones.
"""

from typing import NamedTuple

import numpy as np

from cave_game.game import BLOCK, CEILING, CRAFT, CRAFT_COLUMN, FLOOR, FLYING, FRAMES, QUARTERS, TIME_LIMIT, Cave
from shared.intervals import mean_and_ci95

ENDINGS = {"flown": FLYING, "ceiling": CEILING, "floor": FLOOR, "block": BLOCK}


class Flights(NamedTuple):
    """What became of N flights."""

    scores: np.ndarray  # float32 [N], steps survived
    endings: np.ndarray  # int32 [N], what was hit: `CEILING`, `FLOOR` or `BLOCK`, or `FLYING` at the time limit

    def summary(self):
        """A dict: `mean_score` and its `ci95`, how many caves (`episodes`), and how many flights ended how."""
        mean, ci95 = mean_and_ci95(self.scores)
        counts = {name: int(np.sum(self.endings == ending)) for name, ending in ENDINGS.items()}
        return {"mean_score": mean, "ci95": ci95, "episodes": len(self.scores)} | counts


def describe(summary):
    """A `Flights.summary` as text."""
    return (
        f"{summary['mean_score']:.1f} ± {summary['ci95']:.1f} steps survived on average in {summary['episodes']} "
        f"caves, {summary['flown']} flown to the time limit; ended by the ceiling: {summary['ceiling']}, the floor: "
        f"{summary['floor']}, a block: {summary['block']}"
    )


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


def parse_flights(argv, module, description, caves):
    """The flags `--caves` and `--seed` of a command that flies; `caves` is the default."""
    from shared.cli import Parser, whole_number
    from shared.errors import UserError

    parser = Parser(module, description)
    parser.add_argument("--caves", type=whole_number, default=caves, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=whole_number, default=0, help="of the caves (default: %(default)s)")
    arguments = parser.parse_args(argv)
    for name, least in (("caves", 1), ("seed", 0)):
        if getattr(arguments, name) < least:
            raise UserError(f"--{name} {getattr(arguments, name)}: out of range; give a value of at least {least}")
    return arguments


def main(argv):
    """Let the scripted players try the same caves; returns the exit status."""
    import shared.backend  # noqa: F401  before Keras, to keep TensorFlow quiet
    from cave_game.planner import Planner

    arguments = parse_flights(argv, "cave_game.players", "Let the scripted players fly the same caves.", 100)
    players = {"random": RandomPlayer(arguments.seed), "middle": middle_player, "planner": Planner()}
    for name, player in players.items():
        print(f"{name:8s} {describe(fly(player, arguments.caves, arguments.seed).summary())}", flush=True)
    return 0


if __name__ == "__main__":
    from shared.cli import command

    command(main)
