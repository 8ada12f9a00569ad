"""The settings of a DQN, the same for the compiled and the readable loop."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from shared.errors import UserError
from shared.names import LEARNERS, LOSSES, OPTIMIZERS
from shared.options import check_limits, flag, option

# A uniform float32 takes 2^23 values: in a larger memory some transitions would be drawn noticeably more often.
MOST_TRANSITIONS = 2**20
PLAYING, EXPLORING, REMEMBERING, LEARNING = "playing", "exploring", "remembering", "learning"  # headings of --help
QUIRKS = "quirks of the tutorials"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """A DQN. The defaults are its plainest form; an experiment's presets say what differs."""

    seed: int = option(0, "every random number of the run comes from it", low=0, high=2**31 - 1)

    episodes: int | None = option(
        1000,
        "games after which training ends; where --learning-starts is in steps, only the games after it count "
        "(none: --steps ends it)",
        low=1,
        group=PLAYING,
    )
    steps: int | None = option(
        None, "environment steps after which training ends, if it has not ended before", low=1, group=PLAYING
    )
    num_envs: int = option(1, "games played side by side", low=1, high=65536, was="games", group=PLAYING)
    time_limit: int | None = option(None, "environment steps after which a game is cut", low=1, group=PLAYING)

    epsilon: float = option(1.0, "chance of a random action at the start", low=0.0, high=1.0, group=EXPLORING)
    epsilon_end: float = option(0.1, "chance of a random action at the end", low=0.0, high=1.0, group=EXPLORING)
    epsilon_decay: int = option(
        0,
        "time in which epsilon falls from its first to its last value, in the unit of --epsilon-by",
        low=0,
        group=EXPLORING,
    )
    epsilon_by: str = option(
        "steps",
        "epsilon falls with environment steps, with episodes, or (a quirk of T3) with steps, by decrements that grow "
        "with the number of the episode",
        choices=("steps", "episodes", "growing-steps"),
        group=EXPLORING,
    )

    replay_capacity: int = option(
        10_000, "transitions that replay memory holds", low=1, high=MOST_TRANSITIONS, group=REMEMBERING
    )
    replay_states: bool = option(
        False,
        "store the game's states, and make observations of them when they are drawn: takes less memory, more time",
        group=REMEMBERING,
    )
    n_step: int = option(
        1,
        "rewards that a target adds up before it asks for a value, n",
        low=1,
        high=1000,
        search=(1, 8),
        group=REMEMBERING,
    )
    prioritized: bool = option(
        False, "draw a transition the more often the larger its error was (its priority)", group=REMEMBERING
    )
    priority_exponent: float = option(
        0.6,
        "with --prioritized: how much the error counts, alpha; 0: all are drawn alike",
        low=0.0,
        high=1.0,
        group=REMEMBERING,
    )
    importance: float = option(
        0.4,
        "with --prioritized: how far weights correct the bias of the draws, beta; it rises from here to 1",
        low=0.0,
        high=1.0,
        group=REMEMBERING,
    )
    batch_size: int = option(32, "transitions in one update", low=1, search=(16, 256), group=REMEMBERING)

    learner: str = option(
        "dqn",
        "what the network learns: action values (dqn), or the distribution of returns (quantile; categorical: C51)",
        choices=LEARNERS,
        group=LEARNING,
    )
    atoms: int = option(51, "numbers that describe a distribution of returns, N", low=2, high=1000, group=LEARNING)
    lowest_return: float = option(-10.0, "lowest return that the categorical learner can tell", group=LEARNING)
    highest_return: float = option(10.0, "highest return that the categorical learner can tell", group=LEARNING)
    hidden: tuple[int, ...] = option(
        (100, 100),
        "units of each hidden Dense layer",
        low=1,
        high=65536,
        most=20,
        search=(16, 256),
        group=LEARNING,
    )
    optimizer: str = option("adam", "gradient descent rule", choices=OPTIMIZERS, group=LEARNING)
    learning_rate: float = option(
        1e-3, "step size of the optimizer at the start", low=0.0, search=(1e-5, 3e-2), group=LEARNING
    )
    learning_rate_end: float = option(0.0, "step size at the end, where it falls", low=0.0, group=LEARNING)
    learning_rate_decay: int = option(
        0, "time in which the step size falls, in the unit of --train-by; 0: it does not fall", low=0, group=LEARNING
    )
    learning_rate_by: str = option(
        "differences",
        "the step size falls by equal differences (in a straight line) or by equal factors",
        choices=("differences", "factors"),
        group=LEARNING,
    )
    weight_average: float = option(
        0.0,
        "the agent ends with a running mean of its weights, of which every update keeps this share; 0: with the last "
        "weights",
        low=0.0,
        high=0.999999,
        group=LEARNING,
    )
    loss: str = option(
        "mse",
        "squared error, as a mean over all actions (mse) or of the taken one alone; or Huber's loss, summed",
        choices=LOSSES,
        group=LEARNING,
    )
    discount: float = option(0.99, "value of a reward one step later, gamma", low=0.0, high=1.0, group=LEARNING)
    train_by: str = option(
        "steps",
        "unit of the next three: environment steps, or episodes (T4 makes one update when an episode ends)",
        choices=("steps", "episodes"),
        group=LEARNING,
    )
    learning_starts: int = option(0, "time before the first update", low=0, group=LEARNING)
    train_every: int = option(1, "time from one update to the next", low=1, group=LEARNING)
    target_sync: int = option(
        0, "time from one sync of the target network to the next; 0: there is no target network", low=0, group=LEARNING
    )
    target_tau: float = option(
        1.0,
        "how far a sync moves the target network towards the online one; 1: it becomes a copy",
        low=0.0,
        high=1.0,
        group=LEARNING,
    )
    double: bool = option(
        False, "Double DQN: the online network picks the next action, the target network values it", group=LEARNING
    )

    truncation: str = option(
        "bootstrap",
        "where the time limit cuts an episode, the world goes on, or (a quirk of T3 and T5) has ended",
        choices=("bootstrap", "terminal"),
        group=QUIRKS,
    )
    final_update: bool = option(False, "make one more update when an episode ends (a quirk of T3)", group=QUIRKS)
    first_target: str = option(
        "copied",
        "until the first sync the target network is a copy of the online one, or (a quirk of T3) that one itself",
        choices=("copied", "shared"),
        group=QUIRKS,
    )
    double_rule: str = option(
        "published",
        "with --double: the next action is the online network's, or (a quirk of T3) the one taken the step before",
        choices=("published", "tutorial"),
        group=QUIRKS,
    )
    restore_best: bool = option(
        False,
        "end with the weights that played the best episode (a quirk of T4), not with the last ones",
        group=QUIRKS,
    )

    def __post_init__(self) -> None:
        check_limits(self)
        if self.episodes is None and self.steps is None:
            raise UserError("--steps: nothing ends the training; give --steps, or --episodes")
        if self.batch_size > self.replay_capacity:
            raise UserError(
                f"--batch-size {self.batch_size}: larger than the replay memory; give at most "
                f"--replay-capacity {self.replay_capacity}"
            )
        if self.replay_capacity % self.num_envs:
            raise UserError(
                f"--replay-capacity {self.replay_capacity}: not a multiple of --num-envs {self.num_envs}; "
                f"give {self.replay_capacity // self.num_envs * self.num_envs or self.num_envs}"
            )
        if self.n_step * self.num_envs > self.replay_capacity:
            raise UserError(
                f"--n-step {self.n_step}: the last {self.n_step} steps of {self.num_envs} games do not fit into replay "
                f"memory; give a --replay-capacity of at least {self.n_step * self.num_envs}"
            )
        if self.train_every % self.num_envs and self.num_envs % self.train_every:
            raise UserError(
                f"--train-every {self.train_every}: neither a multiple nor a divisor of --num-envs {self.num_envs}; "
                f"give {self.num_envs}"
            )
        if self.train_by == "episodes":
            for name, needed in (("num_envs", 1), ("first_target", "copied")):
                if getattr(self, name) != needed:
                    raise UserError(
                        f"--train-by episodes: not with {flag(name)} {getattr(self, name)}; give {flag(name)} {needed}"
                    )
        if self.final_update and (self.num_envs != 1 or self.train_by != "steps"):
            raise UserError("--final-update: only with --num-envs 1 and --train-by steps; give --no-final-update")
        if self.train_by == "steps" and self.restore_best:
            raise UserError(
                "--restore-best: weights that change at every step have not played an episode; give --train-by "
                "episodes, or --no-restore-best"
            )
        if self.weight_average and self.restore_best:
            raise UserError("--weight-average: not with --restore-best, which ends with other weights; leave one out")
        if self.learning_rate_by == "factors":
            for name in ("learning_rate", "learning_rate_end"):
                if not getattr(self, name) > 0:
                    raise UserError(f"{flag(name)} 0: --learning-rate-by factors never gets there; give more than 0")
        if not self.lowest_return < self.highest_return:
            raise UserError(
                f"--lowest-return {self.lowest_return}: not below --highest-return {self.highest_return}; "
                "give a lower one"
            )
        if self.double and not self.target_sync:
            raise UserError("--double: needs a target network; give --target-sync as well, or --no-double")

    def where_it_ended(self, rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
        """The settings of a training that goes on as this one ended: what had fallen stays where it had come to.

        Args:
            rows: of its metrics.

        Returns a dict of settings by name.
        """
        last = rows[-1] if rows else {}
        epsilon = last.get("epsilon", self.epsilon_end)
        rate = self._step_size(last.get(self.train_by, math.inf) - self.learning_starts)
        return {
            "epsilon": epsilon,
            "epsilon_end": epsilon,
            "epsilon_decay": 0,
            "learning_rate": rate,
            "learning_rate_decay": 0,
        }

    def _step_size(self, elapsed):
        """What the step size has come to after a time of learning, in the unit of `train_by`."""
        first, end, decay = self.learning_rate, self.learning_rate_end, self.learning_rate_decay
        share = min(1.0, max(0.0, elapsed / decay)) if decay else 0.0
        return first * (end / first) ** share if self.learning_rate_by == "factors" else first + (end - first) * share


def what_stays(preset: Any, settings: Any) -> str | None:
    """A line for a training that is shorter than its preset's, about what falls no faster for that; None: nothing.

    Nothing is scaled unasked: a flag means what it says.
    """
    for name in ("episodes", "steps"):
        before, now = getattr(preset, name, None), getattr(settings, name, None)
        if before is None or now is None or now >= before:
            continue
        decays = {decay: getattr(preset, decay) for decay in ("epsilon_decay", "learning_rate_decay")}
        stay = {decay: value for decay, value in decays.items() if value and getattr(settings, decay) == value}
        if stay:
            as_they_are = " and ".join(f"{flag(decay)} {value}" for decay, value in stay.items())
            scaled = " ".join(f"{flag(decay)} {max(1, value * now // before)}" for decay, value in stay.items())
            return (
                f"{flag(name)} {now}: the preset has {before}, and what falls meanwhile falls no faster for that "
                f"({as_they_are}); to have it fall as far, give {scaled}"
            )
    return None
