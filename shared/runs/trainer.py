"""The contract between what trains and what keeps the run."""

from typing import Any, Protocol

import numpy as np

from shared.rollouts.trace import Trace


class State(Protocol):
    """How far a trainer has come. Whatever else is in it is the trainer's own."""

    @property
    def steps(self) -> Any:
        """Environment steps taken."""

    @property
    def episodes(self) -> Any:
        """Episodes ended, counted as what ends the training."""


class Trainer(Protocol):
    """What trains: `shared.dqn.engine.Engine`, `shared.dqn.loop.Loop`, `shared.dqn.env_loop.EnvLoop`, `lunar_pg`'s."""

    def start(self) -> Any:
        """The state before the first step."""

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

    def restore(self, arrays: dict[str, np.ndarray]) -> Any:
        """Go back to where `snapshot` was taken; returns the state."""
