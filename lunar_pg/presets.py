"""The settings of policy gradients: as published (`tutorial`) and as we would choose them (`tuned`)."""

import dataclasses

from lunar_pg.policies import ACTIVATIONS, HEADS
from shared.config import check_limits, option
from shared.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class PolicySettings:
    """A policy gradient. The defaults are REINFORCE; everything after `normalize` adds to it and can be switched off."""

    seed: int = option(0, "every random number of the run comes from it", low=0, high=2**31 - 1)
    iterations: int = option(200, "updates of the policy, each from fresh episodes", low=1)
    batch_episodes: int = option(16, "episodes per iteration, played side by side", low=1, high=4096)
    time_limit: int | None = option(
        None, "environment steps after which an episode is cut (default: the task's own)", low=1
    )
    head: str = option(
        "softmax", "the policy's outputs: each action's probability, or that of the first of two", choices=HEADS
    )
    hidden: tuple[int, ...] = option((32, 32), "units of each hidden Dense layer", low=1, high=65536)
    activation: str = option("relu", "of the hidden layers", choices=tuple(ACTIVATIONS))
    optimizer: str = option("nadam", "gradient descent rule", choices=("sgd", "rmsprop", "adam", "nadam"))
    learning_rate: float = option(0.005, "step size at the start", low=0.0)
    learning_rate_end: float = option(0.005, "step size in the end", low=0.0)
    discount: float = option(0.99, "value of a reward one step later, gamma", low=0.0, high=1.0)
    normalize: bool = option(
        True, "shift and scale the returns, or advantages, of an iteration to mean 0 and deviation 1"
    )
    baseline: bool = option(False, "learn the value of each observation and judge actions by what they add to it")
    value_learning_rate: float = option(
        0.001, "step size of the baseline at the start; it falls as the other does", low=0.0
    )
    gae_lambda: float = option(
        1.0, "with a baseline: 1 waits for the whole return, 0 trusts the next value", low=0.0, high=1.0
    )
    entropy: float = option(0.0, "reward for undecidedness, per nat", low=0.0)
    clip_gradient: float = option(0.0, "largest norm of a gradient, 0: no limit", low=0.0)
    epochs: int = option(1, "passes over the steps of an iteration", low=1)
    minibatch: int = option(0, "steps in one update, 0: all of the iteration's", low=0)
    clip_ratio: float = option(0.0, "PPO: how far a probability may move in one iteration, 0: no limit", low=0.0)

    def __post_init__(self):
        check_limits(self)
        if self.gae_lambda < 1 and not self.baseline:
            raise UserError(
                f"--gae-lambda {self.gae_lambda}: needs a baseline; give --baseline as well, or --gae-lambda 1"
            )

    def learning_rate_share(self, iteration):
        """What is left of the step sizes: falls evenly from 1 to `learning_rate_end / learning_rate`."""
        last = self.learning_rate_end / self.learning_rate if self.learning_rate else 1.0
        return 1.0 + (last - 1.0) * iteration / max(1, self.iterations - 1)
