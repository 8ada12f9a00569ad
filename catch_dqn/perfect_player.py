"""A player of Catch-ball that never misses: the measure that a trained agent's score is held against."""

import numpy as np

from catch_dqn.ball_game import BAR, INTERVAL, LEFT, NO_BALL, RIGHT, STAY


def perfect_action(game, state):
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
