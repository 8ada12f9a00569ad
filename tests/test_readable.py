"""The loop to read, of every DQN experiment, fed the draws of the compiled one: the same games, the same weights."""

import dataclasses
import itertools

import gymnasium
import numpy as np
import pytest

from cartpole_dqn.experiment import EXPERIMENTS as CARTPOLE
from catch_dqn.experiment import EXPERIMENTS as CATCH
from cave_game.experiment import EXPERIMENTS as CAVE
from shared.dqn.loop import play_and_learn
from tests.test_engine import AgentGenerator, drawn


class SameGame(gymnasium.Env):
    """The engine's own game, NumPy, with the very numbers that the engine draws."""

    def __init__(self, engine):
        self.engine, self.game, self.steps = engine, engine.game, 0
        self.action_space = gymnasium.spaces.Discrete(self.game.num_actions)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, self.game.observation_shape, np.float32)

    def reset(self, *, seed=None, options=None):
        first = self.engine.first_draws(self.engine.settings.seed).numpy()
        self.state = self.game.reset(np, drawn(self.engine, self.steps - 1).reset if self.steps else first)
        return self.game.observe(np, self.state)[0], {}

    def step(self, action):
        draws = drawn(self.engine, self.steps).step
        self.steps += 1
        self.state, reward, over = self.game.step(np, self.state, np.array([action], np.int32), draws)
        return self.game.observe(np, self.state)[0], float(reward[0]), bool(over[0]), False, {}


BY_EPISODES = {"learning_starts": 3, "batch_size": 8, "replay_capacity": 60, "time_limit": 25, "epsilon_decay": 20}
BY_STEPS = {"learning_starts": 30, "batch_size": 8, "replay_capacity": 60, "time_limit": 25, "epsilon_end": 0.5}
CASES = {
    "dqn": (CARTPOLE["dqn"], BY_EPISODES | {"hidden": (8, 8)}),
    "fixed-targets": (CARTPOLE["fixed-targets"], BY_EPISODES | {"hidden": (8, 8), "target_sync": 4}),
    "double": (CARTPOLE["double"], BY_EPISODES | {"hidden": (8, 8), "target_sync": 4}),
    "dueling": (CARTPOLE["dueling"], BY_EPISODES | {"hidden": (8, 8), "target_sync": 4}),
    "naive": (CARTPOLE["naive"], {"hidden": (16,), "time_limit": 25}),
    "ball8": (CATCH["ball8"], BY_STEPS | {"hidden": (8,), "target_sync": 20}),
    "ball16": (CATCH["ball16"], BY_STEPS | {"hidden": (8,), "target_sync": 20}),
    "cave": (CAVE["cave"], BY_STEPS | {"hidden": (8,), "target_sync": 20}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_loop_to_read_does_what_the_compiled_one_does(name):
    experiment, changes = CASES[name]
    settings = dataclasses.replace(experiment.presets["tutorial"], seed=4, **changes)
    engine, loop = experiment.engine(settings), experiment.loop(settings)
    fresh = engine.export().get_weights()
    if name == "naive":  # what it tells apart to the last bit decides what it does
        settings = dataclasses.replace(settings, epsilon=0.5, epsilon_end=0.5)
        engine, loop = experiment.engine(settings), experiment.loop(settings)
    loop.agent.rng = AgentGenerator(engine)
    env = gymnasium.wrappers.TimeLimit(SameGame(engine), settings.time_limit)
    episodes = list(itertools.islice(play_and_learn(env, loop.agent, settings), 12))
    steps = sum(episode.length for episode in episodes)
    state, trace = engine.run(engine.start(), max_steps=steps)
    lengths = list(trace.length[trace.ended])
    while int(state.steps) < steps:  # the first call ends where learning begins
        state, trace = engine.run(state, max_steps=steps)
        lengths += list(trace.length[trace.ended])
    assert lengths == [episode.length for episode in episodes]
    learned = loop.agent.model.get_weights()
    assert max(np.abs(a - b).max() for a, b in zip(learned, fresh, strict=True)) > 1e-3, "nothing was learned"
    pairs = [(engine.online.get_weights(), learned), (engine.export().get_weights(), loop.export().get_weights())]
    for ours, theirs in pairs:  # as they are, and as training leaves them: those of T4's best episode
        for compiled, readable in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(compiled, readable, rtol=1e-3, atol=2e-4 * np.abs(readable).max())
