"""The contract between what trains and what keeps the run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from shared.rollouts.trace import Goal, Trace


class State(Protocol):
    """How far a trainer has come. Whatever else is in it is the trainer's own."""

    @property
    def steps(self) -> Any:
        """Environment steps taken."""

    @property
    def episodes(self) -> Any:
        """Episodes ended, counted as what ends the training."""


class Trainer(Protocol):
    """What trains: `shared.dqn`'s `engine.Engine`, `loop.Loop`, `env_loop.EnvLoop` and `pqn.PQN`, and `lunar_pg`'s."""

    @property
    def goal(self) -> Goal:
        """What ends the training."""

    def start(self) -> Any:
        """The state before the first step."""

    def again(self, settings: Any, model: Any) -> None:
        """Become what a new trainer for these settings and this model would be, without compiling anything.

        What was trained before is lost, also in the model that `export` returned. What a seed decides has to be in
        the model's variables or to come with the draws: a game or a learner that reads `settings.seed` keeps the first.

        Args:
            settings: those that there were, but for `seed`.
            model: like the one that there was, with fresh weights; they are copied.

        Raises:
            UserError: if anything else is not as it was.
        """

    def run(self, state: Any) -> tuple[Any, Trace]:
        """Train on for a moment, seconds at most; returns the next state and what happened."""

    def finished(self, state: Any) -> bool:
        """Whether training is over."""

    def figures(self, state: Any, trace: Any) -> dict[str, float]:
        """What to report of training beside score and loss, by name."""

    def export(self) -> Any:
        """The trained Keras model."""

    def snapshot(self, state: Any) -> dict[str, np.ndarray]:
        """The whole of training as arrays by name."""

    def restore(self, arrays: Mapping[str, np.ndarray]) -> Any:
        """Go back to where `snapshot` was taken; returns the state."""


class Record(Protocol):
    """What keeps a run while it is trained: `shared.runs.folder.Run` on disk, `shared.runs.notes.Notes` in memory."""

    @property
    def path(self) -> Path | None:
        """The folder of the run, or None."""

    def add_metrics(self, row: Mapping[str, Any]) -> None:
        """Keep one row of metrics: numbers by name."""

    def add_episodes(self, first: int, steps: np.ndarray, scores: np.ndarray, lengths: np.ndarray) -> None:
        """Keep what is known of episodes that ended (`shared.runs.folder.Run.add_episodes`)."""

    def sync(self, name: str) -> int:
        """Wait until the disk has a file of rows; returns its size in bytes."""

    def save(self, number: int, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
        """Keep a checkpoint (`shared.runs.checkpoint.save`)."""
