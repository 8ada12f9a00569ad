"""The readable loop: one agent plays one Gymnasium environment and learns, step by step.

`play_and_learn` is the loop to read. `Loop` gives it the same handles as the compiled `Engine`, so that a run folder,
progress bar and checkpoint serve both.
"""

import json
from typing import NamedTuple

import numpy as np

from shared.dqn.engine import Trace


class Episode(NamedTuple):
    """One finished episode."""

    score: float  # sum of rewards
    length: int  # environment steps
    loss: float  # of the last update in it, 0 if there was none


def play_and_learn(env, agent, settings, steps=0, episodes=0):
    """Play episodes without end, learning all the while; yields an `Episode` whenever one ends.

    Args:
        env: a Gymnasium environment with a discrete action space. It cuts its episodes itself, by a `TimeLimit` of
            `settings.time_limit`.
        agent: has `choose_action`, `remember`, `replay` and `sync_target`, as `catch_dqn.agent.Agent` has.
        settings: a `shared.dqn.settings.Settings`.
        steps: environment steps taken in earlier episodes.
        episodes: how many of those `settings.counts` counts.
    """
    while True:
        observation, _ = env.reset()
        score, length, loss, over = 0.0, 0, 0.0, False
        while not over:
            agent.explore = settings.epsilon_at(steps, episodes)
            action = agent.choose_action(observation)
            next_observation, reward, terminated, truncated, _ = env.step(action)
            steps, score, length = steps + 1, score + reward, length + 1
            over = terminated or truncated
            episodes += over and settings.counts(steps)
            no_more = terminated if settings.truncation == "bootstrap" else over
            agent.remember(observation, action, reward, no_more, next_observation)
            observation = next_observation
            if settings.update_is_due(steps, episodes, over):
                loss = agent.replay()
            if settings.sync_is_due(steps, episodes, over):
                agent.sync_target(settings.target_tau)
        yield Episode(score, length, loss)


class LoopState(NamedTuple):
    """How far the readable loop has come; the rest is in the agent and the environment."""

    steps: int
    episodes: int


class Loop:
    """The readable loop behind the interface of `shared.dqn.engine.Engine`.

    It stops between episodes only: there, the environment's random generator is all there is to save of it.

    Args:
        env, agent, settings: see `play_and_learn`.
        block: episodes that one call of `run` plays at most.
    """

    def __init__(self, env, agent, settings, block=50):
        self.env, self.agent, self.settings, self.block = env, agent, settings, block

    def start(self):
        """Seed the environment; returns the state before the first step."""
        self.env.reset(seed=self.settings.seed)
        return LoopState(0, 0)

    def run(self, state):
        """Play some episodes; returns the next state and a `Trace` with one row for each."""
        steps, episodes = state
        played = []
        for episode in play_and_learn(self.env, self.agent, self.settings, steps, episodes):
            played.append(episode)
            steps += episode.length
            episodes += self.settings.counts(steps)
            over = self.settings.is_over(episodes, steps) or not np.isfinite(episode.loss)
            if over or len(played) == self.block:
                break
        score, length, loss = (np.array(column) for column in zip(*played, strict=True))
        rows = len(played)
        trace = Trace(np.ones((rows, 1), bool), score[:, None], length[:, None], loss, np.zeros(rows))
        return LoopState(steps, episodes), trace

    def finished(self, state):
        """Whether all episodes or steps asked for have been played."""
        return self.settings.is_over(state.episodes, state.steps)

    def export(self):
        """The model, trained so far."""
        return self.agent.model

    def snapshot(self, state):
        """The whole of training as one value: a dict of NumPy arrays by name."""
        generators = [self.agent.rng.bit_generator.state, self.env.unwrapped.np_random.bit_generator.state]
        return self.agent.snapshot() | {
            "state/steps": np.array(state.steps),
            "state/episodes": np.array(state.episodes),
            "state/generators": np.frombuffer(json.dumps(generators).encode(), np.uint8),
        }

    def restore(self, arrays):
        """Go back to where `snapshot` was taken; returns the `LoopState`."""
        self.start()
        self.agent.restore(arrays)
        generators = json.loads(arrays["state/generators"].tobytes())
        self.agent.rng.bit_generator.state, self.env.unwrapped.np_random.bit_generator.state = generators
        return LoopState(int(arrays["state/steps"]), int(arrays["state/episodes"]))
