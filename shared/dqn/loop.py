"""The readable loop: one agent plays one Gymnasium environment and learns, step by step.

`play_and_learn` is the loop to read. `Loop` gives it the same handles as the compiled `Engine`, so that a run folder,
progress bar and checkpoint serve both.
"""

import json

import numpy as np

from shared.dqn.clock import START, Clock, Time
from shared.rollouts.trace import Episode, Trace


def play_and_learn(env, agent, settings, time=START):
    """Play episodes without end, learning all the while; yields an `Episode` whenever one ends.

    Args:
        env: a Gymnasium environment with a discrete action space. It cuts its episodes itself, by a `TimeLimit` of
            `settings.time_limit`.
        agent: has `choose_action`, `remember`, `replay` and `sync_target`, as `shared.dqn.agent.Agent` has.
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

    def __init__(self, env, agent, settings, block=50):
        self.env, self.agent, self.settings, self.block = env, agent, settings, block
        self.clock = Clock(settings)

    def start(self):
        """Seed the environment; returns the time before the first step."""
        self.env.reset(seed=self.settings.seed)
        return START

    def run(self, time):
        """Play some episodes; returns the next `Time` and a `Trace` with one row for each."""
        played = []
        for episode in play_and_learn(self.env, self.agent, self.settings, time):
            played.append(episode)
            if self.finished(episode.time) or not np.isfinite(episode.loss) or len(played) == self.block:
                break
        score, length, loss = (np.array(column) for column in list(zip(*played, strict=True))[:3])
        rows = len(played)
        return played[-1].time, Trace(np.ones((rows, 1), bool), score[:, None], length[:, None], loss)

    def finished(self, time):
        """Whether all episodes or steps asked for have been played."""
        return bool(self.clock.is_over(time))

    def export(self):
        """The model, trained so far."""
        return self.agent.trained()

    def figures(self, time, trace):
        """What to report of training beside score and loss: a dict of numbers by name."""
        return {"epsilon": float(self.clock.epsilon(time))}

    def snapshot(self, time):
        """The whole of training as one value: a dict of NumPy arrays by name."""
        generators = [self.agent.rng.bit_generator.state, self.env.unwrapped.np_random.bit_generator.state]
        return (
            self.agent.snapshot()
            | {f"state/{name}": np.array(value) for name, value in time._asdict().items()}
            | {"state/generators": np.frombuffer(json.dumps(generators).encode(), np.uint8)}
        )

    def restore(self, arrays):
        """Go back to where `snapshot` was taken; returns the `Time`."""
        self.start()
        self.agent.restore(arrays)
        generators = json.loads(arrays["state/generators"].tobytes())
        self.agent.rng.bit_generator.state, self.env.unwrapped.np_random.bit_generator.state = generators
        return Time(*(int(arrays[f"state/{name}"]) for name in Time._fields))
