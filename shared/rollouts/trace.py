"""What is told of episodes: one that was played, and what happened in a stretch of training."""

from typing import Any, NamedTuple

import numpy as np

from shared.arrays import Array


class Episode(NamedTuple):
    """One finished episode."""

    score: float  # sum of its rewards
    length: int  # environment steps
    loss: float = 0.0  # of the last update in it, 0 if there was none
    time: Any = None  # where something was learned: how far training had come after it (`shared.dqn.clock.Time`)


class Trace(NamedTuple):
    """What happened in one call of a trainer's `run`, a row for each step of G games side by side."""

    ended: Array  # bool [n, G], an episode ended at this step
    score: Array  # float32 [n, G], its return; meaningless where none ended
    length: Array  # int32 [n, G], its length in steps
    loss: Array  # float32 [n], of the last update by then; 0 where none was made
    largest_target: Array = None  # float32 [n], max |y| in the batch of that update; None where targets cannot run away

    def episodes(self, before: int, taken: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The episodes that ended, in their order.

        Args:
            before: environment steps before the first row.
            taken: environment steps in all rows.

        Returns three arrays [E]: the environment steps taken when each had ended (all games together), its return, its
        length in steps. Where a row is not a step but a whole episode, they count as played one after the other.
        """
        rows, games = self.ended.shape
        score, length = self.score[self.ended], self.length[self.ended]
        steps = games * (1 + np.nonzero(self.ended)[0]) if rows * games == taken else np.cumsum(length)
        return before + steps, score, length


class Goal(NamedTuple):
    """What ends a training: so many environment steps, or so many episodes."""

    total: int
    by_steps: bool
