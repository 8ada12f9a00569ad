"""The settings of policy gradients: as published (`tutorial`) and as we would choose them (`tuned`)."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from shared.errors import UserError
from shared.names import OPTIMIZERS
from shared.options import check_limits, option


@dataclasses.dataclass(frozen=True, kw_only=True)
class PolicySettings:
    """A policy gradient. The defaults are REINFORCE; what follows `normalize` adds to it and can be switched off."""

    seed: int = option(0, "every random number of the run comes from it", low=0, high=2**31 - 1)
    iterations: int = option(200, "batches of episodes to learn from", low=1)
    num_envs: int = option(
        16, "episodes in a batch, played side by side", low=1, high=4096, search=(4, 64), was="games"
    )
    time_limit: int | None = option(
        None, "environment steps after which an episode is cut (default: the task's own)", low=1
    )
    head: str = option(
        "softmax",
        "what the policy puts out: the probability of each action, or of the first of two actions",
        choices=("softmax", "sigmoid"),
    )
    hidden: tuple[int, ...] = option(
        (32, 32), "units of each hidden Dense layer", low=1, high=65536, most=20, search=(16, 256)
    )
    activation: str = option("relu", "activation of the hidden layers", choices=("relu", "tanh"))
    optimizer: str = option("nadam", "gradient descent rule", choices=OPTIMIZERS)
    learning_rate: float = option(0.005, "step size of the optimizer at the start", low=0.0, search=(1e-5, 3e-2))
    learning_rate_end: float = option(0.005, "step size at the end", low=0.0)
    discount: float = option(0.99, "value of a reward one step later, gamma", low=0.0, high=1.0)
    normalize: bool = option(True, "scale what the actions of a batch brought to mean 0 and standard deviation 1")
    baseline: bool = option(False, "learn the value of each state too, and judge an action by what it adds to that")
    value_learning_rate: float = option(
        0.001, "step size of the baseline's optimizer; it falls as the other one does", low=0.0
    )
    gae_lambda: float = option(
        1.0, "with --baseline: 1 waits for the whole return, 0 trusts the value of the next state", low=0.0, high=1.0
    )
    horizon: int = option(
        0, "environment steps after which training cuts an episode, though the task goes on; 0: never", low=0
    )
    entropy: float = option(0.0, "bonus for a policy that is undecided, per nat of entropy", low=0.0)
    clip_gradient: float = option(0.0, "largest norm of a gradient; 0: no limit", low=0.0)
    epochs: int = option(1, "times that a batch is learned from", low=1, high=1000)
    minibatch: int = option(0, "environment steps in one update; 0: the whole batch", low=0)
    clip_ratio: float = option(0.0, "how far an action's probability may move in one batch (PPO); 0: no limit", low=0.0)

    def __post_init__(self):
        check_limits(self)
        if not self.baseline and self.gae_lambda < 1:
            raise UserError(f"--gae-lambda {self.gae_lambda}: needs a baseline; give --baseline too, or --gae-lambda 1")
        if not self.baseline and self.horizon:
            raise UserError(
                f"--horizon {self.horizon}: without a baseline nobody knows what a cut episode would still "
                "have brought; give --baseline too, or --horizon 0"
            )

    def learning_rate_share(self, iteration: int) -> float:
        """What is left of the step sizes: falls evenly from 1 to `learning_rate_end / learning_rate`."""
        last = self.learning_rate_end / self.learning_rate if self.learning_rate else 1.0
        return 1.0 + (last - 1.0) * iteration / max(1, self.iterations - 1)

    def where_it_ended(self, rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
        """As `shared.dqn.settings.Settings.where_it_ended`: the step sizes of the last iteration."""
        share = self.learning_rate_share(self.iterations - 1)
        rates = {name: getattr(self, name) * share for name in ("learning_rate", "value_learning_rate")}
        return {**rates, "learning_rate_end": self.learning_rate * share}


LUNAR_TUTORIAL = PolicySettings()

CARTPOLE_TUTORIAL = PolicySettings(
    iterations=150,
    num_envs=10,
    time_limit=200,
    head="sigmoid",
    hidden=(5,),
    learning_rate=0.01,
    learning_rate_end=0.01,
    discount=0.95,
)

# The discount: with 0.995 two of ten seeds learned to hover. A landing's 100 points are worth little there after the
# hundreds of steps that careful flying takes; a crash is near.
LUNAR_TUNED = PolicySettings(
    iterations=150,
    hidden=(64, 64),
    activation="tanh",
    optimizer="adam",
    learning_rate=1e-3,
    learning_rate_end=0.0,
    discount=0.999,
    baseline=True,
    value_learning_rate=3e-3,
    gae_lambda=0.95,
    horizon=400,
    entropy=0.01,
    clip_gradient=0.5,
    epochs=6,
    minibatch=128,
    clip_ratio=0.2,
)

CARTPOLE_TUNED = dataclasses.replace(
    LUNAR_TUNED, iterations=40, num_envs=10, time_limit=200, head="sigmoid", discount=0.99, horizon=0
)
