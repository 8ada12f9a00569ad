"""The readable loop: one agent plays one Gymnasium environment and learns, step by step.

`play_and_learn` is the loop to read. `Loop` gives it the same handles as the compiled `Engine`, so that a run folder,
progress bar and checkpoint serve both.
"""

import json
from collections.abc import Iterator
from typing import Protocol, cast

import gymnasium
import keras
import numpy as np

from shared.dqn.clock import START, Clock, Time
from shared.dqn.settings import Settings
from shared.options import refuse_all_but_another_seed
from shared.rollouts.trace import Episode, Goal, Trace


class Agent(Protocol):
    """What `Loop` trains: `shared.dqn.agent.Agent`, `cartpole_dqn.agent.Agent`."""

    explore: float  # chance of a random action; the loop changes it
    rng: np.random.Generator  # whose state belongs to a checkpoint

    def choose_action(self, observation: np.ndarray, /) -> int:
        """The action to take."""

    def remember(
        self,
        observation: np.ndarray,
        action: int,
        reward: float,
        terminated: bool,
        next_observation: np.ndarray,
        /,
    ) -> None:
        """Take note of one transition."""

    def replay(self) -> float:
        """Learn from what was remembered; returns the loss."""

    def trained(self) -> keras.Model:
        """The model, trained so far."""

    def again(self, model: keras.Model, seed: int, /) -> None:
        """Become what a new agent with this model and this seed would be, without compiling anything."""

    def snapshot(self) -> dict[str, np.ndarray]:
        """What has been learned as arrays by name."""

    def restore(self, arrays: dict[str, np.ndarray], /) -> None:
        """Take back what `snapshot` gave."""


class DeepAgent(Agent, Protocol):
    """An agent that also knows what some settings ask for."""

    def sync_target(self, share: float, /) -> None:
        """Move the target network towards the online one; asked for by `target_sync`."""

    def keep_best(self, score: float, /) -> None:
        """Keep the weights if no episode was better; asked for by `restore_best`."""


def play_and_learn(env: gymnasium.Env, agent: DeepAgent, settings: Settings, time: Time = START) -> Iterator[Episode]:
    """Play episodes without end, learning all the while; yields an `Episode` whenever one ends.

    Args:
        env: a Gymnasium environment with a discrete action space. It cuts its episodes itself, by a `TimeLimit` of
            `settings.time_limit`.
        agent: as `shared.dqn.agent.Agent`.
        settings: a `shared.dqn.settings.Settings`.
        time: how far training has come in earlier episodes.
    """
    clock = Clock(settings)
    while True:
        observation, _ = env.reset()
        score, length, loss, over = 0.0, 0, 0.0, False
        while not over:
            agent.explore = clock.epsilon(time)
            action = agent.choose_action(observation)
            next_observation, reward, terminated, truncated, _ = env.step(action)
            score, length = score + reward, length + 1
            over = terminated or truncated
            before, time = time, clock.after_step(time, int(over))
            no_more = terminated if settings.truncation == "bootstrap" else over
            agent.remember(observation, action, reward, no_more, next_observation)
            observation = next_observation
            if over and settings.restore_best:
                agent.keep_best(score)
            for _ in range(clock.updates_due(before, time, int(over))):
                loss = agent.replay()
            if clock.sync_is_due(before, time):
                agent.sync_target(settings.target_tau)
        yield Episode(score, length, loss, time)


class Loop:
    """The readable loop behind the interface of `shared.dqn.engine.Engine`.

    It stops between episodes only: there, the environment's random generator is all there is to save of it.

    Args:
        env, agent, settings: see `play_and_learn`.
        block: episodes that one call of `run` plays at most.
    """

    def __init__(self, env: gymnasium.Env, agent: Agent, settings: Settings, block: int = 50) -> None:
        self.env, self.settings, self.block = env, settings, block
        self.agent = cast(DeepAgent, agent)  # what the settings do not ask for, it need not know
        self.clock = Clock(settings)

    @property
    def goal(self) -> Goal:
        """What ends the training."""
        return self.clock.goal

    def start(self) -> Time:
        """Seed the environment; returns the time before the first step."""
        self.env.reset(seed=self.settings.seed)
        return START

    def again(self, settings: Settings, model: keras.Model) -> None:
        """Become what a new loop for these settings and this model would be (`shared.runs.trainer.Trainer.again`)."""
        refuse_all_but_another_seed(self.settings, settings)
        self.settings = settings
        self.agent.again(model, settings.seed)

    def run(self, time: Time) -> tuple[Time, Trace]:
        """Play some episodes; returns the next `Time` and a `Trace` with one row for each."""
        played = []
        for episode in play_and_learn(self.env, self.agent, self.settings, time):
            played.append(episode)
            if self.finished(episode.time) or not np.isfinite(episode.loss) or len(played) == self.block:
                break
        score, length, loss = (np.array(column) for column in list(zip(*played, strict=True))[:3])
        rows = len(played)
        return played[-1].time, Trace(np.ones((rows, 1), bool), score[:, None], length[:, None], loss)

    def finished(self, time: Time) -> bool:
        """Whether all episodes or steps asked for have been played."""
        return bool(self.clock.is_over(time))

    def export(self) -> keras.Model:
        """The model, trained so far."""
        return self.agent.trained()

    def figures(self, time: Time, trace: Trace) -> dict[str, float]:
        """What to report of training beside score and loss: a dict of numbers by name."""
        return {"epsilon": float(self.clock.epsilon(time))}

    def snapshot(self, time: Time) -> dict[str, np.ndarray]:
        """The whole of training as one value: a dict of NumPy arrays by name."""
        generators = [self.agent.rng.bit_generator.state, self.env.unwrapped.np_random.bit_generator.state]
        return (
            self.agent.snapshot()
            | {f"state/{name}": np.array(value) for name, value in time._asdict().items()}
            | {"state/generators": np.frombuffer(json.dumps(generators).encode(), np.uint8)}
        )

    def restore(self, arrays: dict[str, np.ndarray]) -> Time:
        """Go back to where `snapshot` was taken; returns the `Time`."""
        self.start()
        self.agent.restore(arrays)
        generators = json.loads(arrays["state/generators"].tobytes())
        self.agent.rng.bit_generator.state, self.env.unwrapped.np_random.bit_generator.state = generators
        return Time(*(int(arrays[f"state/{name}"]) for name in Time._fields))
