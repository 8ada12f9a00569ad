"""The settings of PQN (`shared/dqn/pqn.py`)."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shared.dqn.schedules import linear
from shared.dqn.settings import EXPLORING, LEARNING, PLAYING
from shared.errors import UserError
from shared.names import OPTIMIZERS
from shared.options import check_limits, option

MOST_STEPS = 2**20  # environment steps in a rollout of all games


@dataclasses.dataclass(frozen=True, kw_only=True)
class PQNSettings:
    """Q-learning on rollouts. The defaults suit small environments with a vector to observe."""

    seed: int = option(0, "every random number of the run comes from it", low=0, high=2**31 - 1)

    steps: int = option(300_000, "environment steps after which training ends", low=1, group=PLAYING)
    num_envs: int = option(8, "games played side by side", low=1, high=4096, search=(8, 64), group=PLAYING)
    time_limit: int | None = option(None, "environment steps after which a game is cut", low=1, group=PLAYING)
    rollout: int = option(
        16, "steps of every game from one round of learning to the next", low=1, high=4096, group=PLAYING
    )

    epsilon: float = option(1.0, "chance of a random action at the start", low=0.0, high=1.0, group=EXPLORING)
    epsilon_end: float = option(0.02, "chance of a random action at the end", low=0.0, high=1.0, group=EXPLORING)
    epsilon_decay: int = option(
        60_000, "environment steps in which epsilon falls from its first to its last value", low=0, group=EXPLORING
    )

    hidden: tuple[int, ...] = option(
        (128, 128),
        "units of each hidden Dense layer",
        low=1,
        high=65536,
        most=20,
        search=(16, 256),
        group=LEARNING,
    )
    activation: str = option("relu", "of the dense layers", choices=("relu", "elu", "tanh"), group=LEARNING)
    layer_norm: bool = option(
        True, "normalise what each layer puts out: it stands in for a target network", group=LEARNING
    )
    discount: float = option(0.99, "value of a reward one step later, gamma", low=0.0, high=1.0, group=LEARNING)
    return_lambda: float = option(
        0.9,
        "0: a target trusts the value of the next step; 1: it waits for all rewards of the rollout",
        low=0.0,
        high=1.0,
        search=(0.3, 0.95),
        group=LEARNING,
    )
    clip_rewards: bool = option(False, "learn from rewards cut to -1 ... 1", group=LEARNING)
    epochs: int = option(4, "times that a rollout is learned from", low=1, high=100, group=LEARNING)
    batch_size: int = option(64, "environment steps in one update", low=1, search=(32, 512), group=LEARNING)
    optimizer: str = option("adam", "gradient descent rule", choices=OPTIMIZERS, group=LEARNING)
    learning_rate: float = option(
        1e-3, "step size of the optimizer at the start", low=0.0, search=(1e-5, 1e-2), group=LEARNING
    )
    learning_rate_end: float = option(0.0, "step size at the end, where it falls", low=0.0, group=LEARNING)
    learning_rate_decay: int = option(
        300_000, "environment steps in which the step size falls in a straight line; 0: it does not", low=0,
        group=LEARNING,
    )  # fmt: skip
    clip_gradient: float = option(10.0, "largest norm of a gradient; 0: no limit", low=0.0, group=LEARNING)
    weight_average: float = option(
        0.0,
        "the agent ends with a running mean of its weights, of which every update keeps this share; 0: with the last "
        "weights",
        low=0.0,
        high=0.999999,
        group=LEARNING,
    )

    def __post_init__(self) -> None:
        check_limits(self)
        played = self.rollout * self.num_envs
        if played > MOST_STEPS:
            raise UserError(
                f"--rollout {self.rollout}: {played} steps with --num-envs {self.num_envs}; give at most "
                f"{MOST_STEPS // self.num_envs}"
            )
        if self.batch_size > played:
            raise UserError(
                f"--batch-size {self.batch_size}: larger than a rollout; give at most {played}, --rollout times "
                "--num-envs"
            )

    def learning_rate_at(self, steps: int) -> float:
        """The step size after so many environment steps."""
        if not self.learning_rate_decay:
            return self.learning_rate
        return float(linear(np, self.learning_rate, self.learning_rate_end, self.learning_rate_decay, steps))

    def where_it_ended(self, rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
        """As `shared.dqn.settings.Settings.where_it_ended`."""
        last = rows[-1] if rows else {}
        epsilon = last.get("epsilon", self.epsilon_end)
        return {
            "epsilon": epsilon,
            "epsilon_end": epsilon,
            "epsilon_decay": 0,
            "learning_rate": self.learning_rate_at(int(last.get("steps", self.steps))),
            "learning_rate_decay": 0,
        }
