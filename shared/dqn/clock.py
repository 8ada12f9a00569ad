"""When what is due: random actions, updates, syncs of the target network, the end. One clock for both loops.

The methods take Python numbers (the readable loop) or tensors (the compiled one, with `xp=keras.ops`) alike.
"""

from typing import Any, NamedTuple

import numpy as np

from shared.arrays import Array
from shared.dqn import quirks
from shared.dqn.schedules import linear
from shared.dqn.settings import Settings
from shared.rollouts.trace import Goal


class Time(NamedTuple):
    """How far training has come. G games are played side by side."""

    steps: Array  # int32, environment steps taken, over all games
    episodes: Array  # int32, episodes that ended once learning had begun
    growth: Array  # int32, what `quirks.growth` counts, 0 where nothing asks for it


START = Time(0, 0, 0)


class Clock:
    """Reads the times in a `shared.dqn.settings.Settings`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.by_steps = settings.train_by == "steps"
        # Environment steps in which nothing is learned, where that is known before.
        self.steps_before_learning = settings.learning_starts if self.by_steps else 0
        # A step of the games is followed by this many updates, or (None) it depends on the time.
        regular = self.by_steps and settings.num_envs % settings.train_every == 0 and not settings.final_update
        self.updates_every_step = settings.num_envs // settings.train_every if regular else None
        self.most_updates = max(1, settings.num_envs // settings.train_every) + settings.final_update  # after a step

    def epsilon(self, time: Time, xp: Any = np) -> Array:
        """The chance of a random action in the step that follows."""
        settings = self.settings
        elapsed = {
            "steps": time.steps - self.steps_before_learning,
            "episodes": time.episodes,
            "growing-steps": time.growth,
        }[settings.epsilon_by]
        return linear(xp, settings.epsilon, settings.epsilon_end, settings.epsilon_decay, elapsed)

    def after_step(self, time: Time, ended: Array, xp: Any = np) -> Time:
        """The time after one more step of all games, of which `ended` (int32) ended an episode."""
        steps = time.steps + self.settings.num_envs
        counts = xp.where(steps > self.steps_before_learning, 1, 0)
        growth = quirks.growth(self.settings, time, xp) * counts if self.settings.epsilon_by == "growing-steps" else 0
        return Time(steps, time.episodes + ended * counts, time.growth + growth)

    def updates_due(self, before: Time, after: Time, ended: Array, xp: Any = np) -> Array:
        """How many updates follow the step between two times in which `ended` episodes ended, int32."""
        due = self._ticks(after, xp) - self._ticks(before, xp)
        if self.settings.final_update:
            due = due + xp.where(after.steps > self.steps_before_learning, ended, 0)
        return due

    def sync_is_due(self, before: Time, after: Time) -> bool:
        """Whether the target network moves after the step between two times."""
        sync, now = self.settings.target_sync, self.of(after)
        return bool(sync) and now > self.settings.learning_starts and self.next_sync(before) <= now

    def next_sync(self, time: Time) -> Array:
        """When the target network moves next, in the unit of `of`."""
        first = 0 if self.by_steps else 1  # T4 counts its episodes from 0: the one with number 100 is the 101st
        return ((self.of(time) - first) // self.settings.target_sync + 1) * self.settings.target_sync + first

    def is_over(self, time: Time) -> bool:
        """Whether training ends."""
        settings = self.settings
        limits = (time.episodes, settings.episodes), (time.steps, settings.steps)
        return any(limit is not None and now >= limit for now, limit in limits)

    @property
    def goal(self) -> Goal:
        """What ends the training: steps, where they are limited, or episodes."""
        steps, episodes = self.settings.steps, self.settings.episodes
        return Goal(episodes or 0, by_steps=False) if steps is None else Goal(steps, by_steps=True)

    def of(self, time: Time) -> Array:
        """The time in the unit of `train_by`: environment steps or episodes."""
        return time.steps if self.by_steps else time.episodes

    def _ticks(self, time, xp):
        """Times at which an update was due, so far."""
        return xp.maximum(self.of(time) - self.settings.learning_starts, 0) // self.settings.train_every
