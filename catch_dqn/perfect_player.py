"""Players that never miss: the measure that a trained agent's score, and each of its moves, is held against.

`python -m catch_dqn.perfect_player` lets that of Catch-ball play.
"""

import dataclasses

import numpy as np

from catch_dqn import game as catch
from catch_dqn.ball_game import BAR, INTERVAL, LEFT, NO_BALL, RIGHT, STAY, TIME_LIMIT, CatchBall, State
from shared.commands.parser import Parser, command, settings_from
from shared.options import check_limits, option
from shared.rollouts.action_values import Advice

PLAYER = "perfect player"
MOVES = {STAY: 0, LEFT: -1, RIGHT: 1}
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


def advise(game: CatchBall, state: State) -> Advice:
    """What `perfect_action` does in one game, and how many of the balls in view each action gives up."""
    rows = game.rows(np, state)[0] + 1  # after the step
    caught = [_catchable(game, int(np.clip(state.bar[0] + MOVES[action], 0, game.size - BAR)), rows, state.columns[0])
              for action in range(game.num_actions)]  # fmt: skip
    costs = tuple(float(max(caught) - one) for one in caught)
    return Advice(PLAYER, int(perfect_action(game, state)[0]), costs, "balls")


def _catchable(game, bar, rows, columns):
    """How many of the balls in view a bar can still catch before it has to miss one; the lowest ball comes first."""
    falling = [(game.size - 1 - row, column) for row, column in zip(rows, columns, strict=True)
               if column != NO_BALL and row < game.size]  # fmt: skip
    falling.sort()
    places, reached, now = range(bar, bar + 1), 0, 0  # where the bar may be, when the last ball has landed
    for lands, column in falling:
        first, last = places[0] - (lands - now), places[-1] + lands - now
        places = range(max(first, column - BAR + 1, 0), min(last, column, game.size - BAR) + 1)
        if not places:
            break
        reached, now = reached + 1, lands
    return reached


def advise_in_catch(state: catch.State) -> Advice:
    """What a player of Catch that never misses does in one game: the paddle goes under the object."""
    paddle, column, row = int(state.paddle[0]), int(state.column[0]), int(state.row[0])
    outcomes = []
    for move in (-1, 0, 1):
        place = min(max(paddle + move, catch.REACH), catch.COLUMNS - 1 - catch.REACH)
        outcomes.append(1.0 if abs(column - place) - catch.REACH <= catch.ROWS - 2 - row else -1.0)
    action = catch.STAY + int(np.sign(column - paddle)) if abs(column - paddle) > catch.REACH else catch.STAY
    return Advice(PLAYER, action, tuple(max(outcomes) - outcome for outcome in outcomes), "points")


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
