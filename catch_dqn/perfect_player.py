"""A player of Catch-ball that never misses: the measure that a trained agent's score is held against.

`python -m catch_dqn.perfect_player` lets it play.
"""

import dataclasses

import numpy as np

from catch_dqn.ball_game import BAR, INTERVAL, LEFT, NO_BALL, RIGHT, STAY, TIME_LIMIT, CatchBall, State
from shared.commands.parser import Parser, command, settings_from
from shared.options import check_limits, option

SIZES = {"ball8": 8, "ball16": 16}  # of the screen, by the game's name


@dataclasses.dataclass(frozen=True, kw_only=True)
class PerfectConfig:
    """What the player plays."""

    games: int = option(1000, "how many of each kind", low=1, high=100_000)
    seed: int = option(0, "every random number of the games comes from it", low=0, high=2**31 - 1)

    def __post_init__(self):
        check_limits(self)


def perfect_action(game: CatchBall, state: State) -> np.ndarray:
    """The action that catches every ball.

    Backwards from the newest ball it works out where the bar may stand when each ball lands so that it can still be in
    time for those behind it, and steps towards the nearest such place for the ball that lands first.
    (Going for that ball alone is not enough on 16x16: of balls in columns 3, 9 and 15 the bar must catch the first with
    its left cell, the second with its middle and the third with its right cell, since they lie six columns and only
    five steps apart.)

    Args:
        game: a `CatchBall`.
        state: its state of N games, NumPy.

    Returns int32 [N].
    """
    rightmost = game.size - BAR
    low, high = np.zeros_like(state.bar), np.full_like(state.bar, rightmost)  # places for the bar, [N]
    rows = game.rows(np, state)  # [N, K]
    for k, column in enumerate(state.columns.T):
        falling = (column != NO_BALL) & (rows[:, k] < game.size - 1)
        catches = np.maximum(column - BAR + 1, 0), np.minimum(column, rightmost)
        low = np.where(falling, np.maximum(catches[0], low - INTERVAL), low)
        high = np.where(falling, np.minimum(catches[1], high + INTERVAL), high)
    goal = np.clip(state.bar, low, high)
    return np.select([goal < state.bar, goal > state.bar], [LEFT, RIGHT], STAY).astype(np.int32)


def perfect_scores(game: CatchBall, games: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Play `games` games of at most 500 steps; returns their scores, float32 [N], and which missed a ball, bool [N]."""
    rng = np.random.default_rng(seed)
    state = game.reset(np, rng.random((games, game.reset_draws), dtype=np.float32))
    scores, missed = np.zeros(games, np.float32), np.zeros(games, bool)
    for _ in range(TIME_LIMIT):
        draws = rng.random((games, game.step_draws), dtype=np.float32)
        state, reward, terminated = game.step(np, state, perfect_action(game, state), draws)
        scores += np.where(missed, 0, reward)
        missed |= terminated
    return scores, missed


def main(argv: list[str]) -> int:
    """Let it play and say what it scored; returns the exit status, 1 if it missed a ball."""
    parser = Parser("catch_dqn.perfect_player", "Let the player that never misses play Catch-ball.")
    parser.add_settings(PerfectConfig())
    config = settings_from(parser.parse_args(argv), PerfectConfig)
    misses = 0
    for name, size in SIZES.items():
        scores, missed = perfect_scores(CatchBall(size, "all"), config.games, config.seed)
        misses += missed.sum()
        print(
            f"{name}: {config.games} games of {TIME_LIMIT} steps, scores {scores.min():.0f} to {scores.max():.0f}; "
            f"a ball was missed in {missed.sum()}"
        )
    return 1 if misses else 0


if __name__ == "__main__":
    command(main)
