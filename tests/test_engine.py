"""The compiled loop against the readable one, and against what reinforcement learning code gets wrong."""

import dataclasses
import functools
import itertools
from typing import NamedTuple

import keras
import numpy as np
import pytest
from keras import ops

from shared.dqn.agent import Agent
from shared.dqn.engine import Draws, Engine
from shared.dqn.loop import play_and_learn
from shared.dqn.settings import Settings
from shared.errors import UserError
from shared.late import load
from shared.names import LEARNERS


@functools.lru_cache(maxsize=2)  # the agent and the environment each ask for the numbers of the same step
def drawn(engine, steps):
    """The numbers that the engine draws at the step that follows `steps`, as NumPy arrays."""
    return Draws(*(part.numpy() for part in engine.draws(engine.settings.seed, steps)))


class AgentGenerator:
    """Gives the readable agent the very numbers that the engine draws at each step."""

    def __init__(self, engine):
        self.engine, self.steps = engine, -1

    def random(self, size, dtype):
        if size == 2:  # the first call of a step: to explore or not, and which action
            self.steps += 1
            draws = drawn(self.engine, self.steps)
            self.batches = iter(draws.batch)
            return draws.explore[0], draws.choice[0]
        return next(self.batches)


class EnvGenerator:
    """Gives the environment the very numbers that the engine draws at each step."""

    def __init__(self, engine):
        self.engine, self.steps = engine, 0

    def random(self, size, dtype):
        game = self.engine.game
        if size == (1, game.reset_draws):
            if self.steps == 0:
                return self.engine.first_draws(self.engine.settings.seed).numpy()
            return drawn(self.engine, self.steps - 1).reset
        self.steps += 1
        return drawn(self.engine, self.steps - 1).step


VARIANTS = {
    "tutorial": {},
    "double with a target network": {"target_sync": 40, "double": True, "optimizer": "adam", "learning_rate": 1e-3},
    "soft target": {"target_sync": 4, "target_tau": 0.1},
    "learning every third step from step 30 on": {"learning_starts": 30, "train_every": 3, "epsilon": 0.9},
    "epsilon by episodes": {"epsilon_by": "episodes", "epsilon": 1.0, "epsilon_decay": 20},
    "quirks of T3": {
        "target_sync": 50,
        "first_target": "shared",
        "double": True,
        "double_rule": "tutorial",
        "learning_starts": 60,
        "epsilon_by": "growing-steps",
        "epsilon_decay": 2000,
        "train_every": 3,
        "final_update": True,
        "time_limit": 5,
        "truncation": "terminal",
    },
    "one update at the end of an episode": {
        "train_by": "episodes",
        "learning_starts": 5,
        "train_every": 2,
        "target_sync": 10,
        "epsilon_by": "episodes",
        "epsilon": 1.0,
        "epsilon_decay": 20,
        "optimizer": "nadam",
        "learning_rate": 1e-2,
        "loss": "mse-taken",
    },
    "syncs out of step with updates": {"train_every": 3, "target_sync": 50, "optimizer": "adam", "learning_rate": 1e-3},
    "summed loss": {"loss": "clipped-huber", "learning_rate": 1e-3},
}


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS.keys())
def test_compiled_and_readable_loop_do_the_same(catch, small, changes):
    settings = dataclasses.replace(small, **{"seed": 5, "replay_capacity": 200, **changes})
    steps = 360  # 40 games of 9 steps; the memory of 200 goes round

    engine = catch.engine(settings)
    state = engine.start()
    while int(state.steps) < steps:
        state, _ = engine.run(state, max_steps=steps)

    loop = catch.loop(settings)
    loop.agent.rng = AgentGenerator(engine)
    loop.env.unwrapped.np_random = EnvGenerator(engine)
    per_game = settings.time_limit or 9
    episodes = list(itertools.islice(play_and_learn(loop.env, loop.agent, settings), steps // per_game))
    assert sum(episode.length for episode in episodes) == steps

    np.testing.assert_array_equal(ops.convert_to_numpy(state.replay.s_tm1), loop.agent.s_tm1)
    np.testing.assert_array_equal(ops.convert_to_numpy(state.replay.a_tm1), loop.agent.a_tm1)
    np.testing.assert_array_equal(ops.convert_to_numpy(state.replay.r_t), loop.agent.r_t)
    np.testing.assert_allclose(ops.convert_to_numpy(state.replay.discount_t), loop.agent.discount_t, rtol=1e-6)
    np.testing.assert_array_equal(ops.convert_to_numpy(state.replay.s_t), loop.agent.s_t)
    fresh = catch.model(settings)
    pairs = zip(engine.export().get_weights(), loop.agent.model.get_weights(), fresh.get_weights(), strict=True)
    for compiled, readable, initial in pairs:
        scale = np.abs(readable).max()
        np.testing.assert_allclose(compiled, readable, rtol=1e-4, atol=1e-4 * scale)
        assert np.abs(readable - initial).max() > 1e-3 * scale, "nothing was learned: the comparison would be empty"
    if settings.target_sync:
        for compiled, readable in zip(engine.target.get_weights(), loop.agent.target.get_weights(), strict=True):
            np.testing.assert_allclose(compiled, readable, rtol=1e-4, atol=1e-4 * np.abs(readable).max())


def test_the_agent_can_end_with_a_running_mean_of_its_weights(catch, small):
    settings = dataclasses.replace(small, batch_size=4, weight_average=0.9)
    engine = catch.engine(settings)
    state, mean = engine.start(), None
    for step in range(1, 13):
        state, _ = engine.run(state, max_steps=step)
        weights = engine.online.get_weights()
        if mean is None:
            mean = weights
        mean = [0.9 * kept + 0.1 * new for kept, new in zip(mean, weights, strict=True)]
        for found, wanted in zip(engine.export().get_weights(), mean, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)

    whole = catch.engine(settings)
    whole.run(whole.start(), max_steps=12)
    for found, wanted in zip(whole.export().get_weights(), engine.export().get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted, "looking at the mean on the way changed the training")


# -- probe environments: what a correct agent must find, exactly ----------------------------------------------------


class ProbeState(NamedTuple):
    clock: object  # int32 [N]
    light: object  # int32 [N], 0 or 1


@dataclasses.dataclass(frozen=True)
class Probe:
    """Two actions. `length` steps; `reward(xp, state, action)` at the last of them; sees [clock, light]."""

    length: int
    endless: bool = False  # the world has no end of its own
    depends_on: str = "nothing"

    num_actions = 2
    observation_shape = (2,)
    reset_draws = 1
    step_draws = 0

    def reset(self, xp, draws):
        light = xp.array(draws[:, 0] < 0.5, dtype="int32")
        return ProbeState(xp.zeros_like(light), light)

    def step(self, xp, state, action, draws):
        clock = state.clock + 1
        last = clock >= self.length
        reward = xp.array(last, dtype="float32")
        if self.depends_on == "light":
            reward = reward * xp.array(2 * state.light - 1, dtype="float32")
        if self.depends_on == "light and action":
            reward = reward * xp.array(1 - 2 * xp.abs(state.light - action), dtype="float32")
        if self.endless:
            return ProbeState(xp.zeros_like(clock), state.light), xp.ones_like(reward), xp.zeros_like(last)
        return ProbeState(clock, state.light), reward, last

    def observe(self, xp, state):
        return xp.array(xp.stack([state.clock, state.light], axis=-1), dtype="float32")


def solve(game, games=1, **changes):
    """Train a table-like network on a probe; returns q(clock, light) -> values of both actions."""
    keras.utils.set_random_seed(1)
    options = {
        "seed": 3, "episodes": None, "steps": 10**6, "num_envs": games, "discount": 0.5, "epsilon_end": 1.0,
        "replay_capacity": 400, "batch_size": 32, "train_every": games, "target_sync": 20 * games,
    }  # fmt: skip
    settings = Settings(**options | changes)
    learner = load(LEARNERS, settings.learner)(settings)
    layers = [keras.layers.Dense(32, "tanh"), keras.layers.Dense(learner.outputs(2))]
    model = learner.head(keras.Sequential([keras.Input((2,)), *layers]), 2)
    engine = Engine(game, model, keras.optimizers.Adam(3e-3), learner, settings, block=2500)
    engine.run(engine.start())
    return lambda clock, light: ops.convert_to_numpy(engine.export()(np.array([[clock, light]], np.float32)))[0]


def test_probe_constant_reward():
    q = solve(Probe(1))
    np.testing.assert_allclose([q(0, 0), q(0, 1)], np.ones((2, 2)), atol=0.02)


def test_probe_reward_that_depends_on_the_observation():
    q = solve(Probe(1, depends_on="light"))
    np.testing.assert_allclose([q(0, 0), q(0, 1)], [[-1, -1], [1, 1]], atol=0.03)


def test_probe_reward_that_depends_on_observation_and_action():
    q = solve(Probe(1, depends_on="light and action"), games=4)
    np.testing.assert_allclose([q(0, 0), q(0, 1)], [[1, -1], [-1, 1]], atol=0.03)


@pytest.mark.parametrize(
    "changes",
    [
        *(
            {},
            {"double": True},
            {"target_sync": 4, "target_tau": 0.2},
            {"target_sync": 0},
            {"n_step": 2},
            {"n_step": 5},
        ),
        *({"prioritized": True}, {"learner": "quantile", "atoms": 8}, {"learner": "quantile", "double": True}),
        {"learner": "categorical", "lowest_return": -1.0, "highest_return": 1.0},
        {"learner": "categorical", "lowest_return": -2.0, "highest_return": 2.0, "prioritized": True, "n_step": 2},
    ],
)
def test_probe_two_steps_with_a_discount(changes):
    q = solve(Probe(2), games=4, **changes)
    np.testing.assert_allclose([q(1, 0), q(0, 0)], [[1, 1], [0.5, 0.5]], atol=0.03)


def test_a_truncated_step_bootstraps():
    """A world without end pays 1 a step: its value is 1 / (1 - gamma) = 2, however short the time limit."""
    q = solve(Probe(1, endless=True), time_limit=1)
    np.testing.assert_allclose([q(0, 0), q(0, 1)], np.full((2, 2), 2.0), atol=0.05)


def test_a_truncated_step_bootstraps_from_several_rewards_too():
    """Three steps to the time limit: 1 + 1/2 + 1/4 and an eighth of the value 2 that follows."""
    q = solve(Probe(1, endless=True), time_limit=3, n_step=3)
    np.testing.assert_allclose([q(0, 0), q(0, 1)], np.full((2, 2), 2.0), atol=0.05)


# -- the details of the loop ----------------------------------------------------------------------------------------


def test_stored_next_observation_is_the_final_one_not_the_reset_one(catch, small):
    engine = catch.engine(small)
    state, trace = engine.run(engine.start(), max_steps=9)
    last = ops.convert_to_numpy(state.replay.s_t)[8].reshape(10, 10)
    assert last[9].sum() in (3, 4)  # paddle and object on the bottom row
    assert last[:9].sum() == 0
    assert ops.convert_to_numpy(state.replay.discount_t)[:9].tolist() == pytest.approx([0.9] * 8 + [0.0])
    assert ops.convert_to_numpy(state.observation).reshape(10, 10)[0].sum() == 1  # already the next game
    assert trace.ended[:, 0].tolist() == [False] * 8 + [True]
    assert trace.length[8, 0] == 9


def test_a_memory_of_states_teaches_what_a_memory_of_observations_does(catch, small):
    def trained(replay_states):
        settings = dataclasses.replace(small, num_envs=2, train_every=2, n_step=3, replay_states=replay_states)
        engine = catch.engine(settings)
        state, _ = engine.run(engine.start(), max_steps=300)
        return state, engine.export().get_weights()

    (with_states, weights), (with_observations, expected) = trained(True), trained(False)
    assert with_states.replay.s_t.row.shape == (200,)
    assert with_observations.replay.s_t.shape == (200, 100)
    for found, wanted in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_target_network_is_untouched_by_updates_until_its_time(catch, small):
    settings = dataclasses.replace(small, target_sync=50)
    engine = catch.engine(settings)
    initial = [w.copy() for w in engine.target.get_weights()]
    state, _ = engine.run(engine.start(), max_steps=49)
    for before, after, online in zip(initial, engine.target.get_weights(), engine.online.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
        assert np.abs(online - before).max() > 0
    engine.run(state, max_steps=50)
    for target, online in zip(engine.target.get_weights(), engine.online.get_weights(), strict=True):
        np.testing.assert_array_equal(target, online)


def test_cutting_a_run_anywhere_changes_nothing(catch, small):
    whole, parts, others = (catch.engine(small) for _ in range(3))
    end, _ = whole.run(whole.start(), max_steps=400)
    expected = whole.snapshot(end)
    for cut in (1, 8, 100, 333):
        catch.again(parts, small, "compiled")
        middle, _ = parts.run(parts.start(), max_steps=cut)
        end, _ = others.run(others.restore(parts.snapshot(middle)), max_steps=400)
        found = others.snapshot(end)
        assert expected.keys() == found.keys()
        for name, array in expected.items():
            np.testing.assert_array_equal(array, found[name], err_msg=f"{name}, cut after {cut} steps")


def test_seed_decides_everything(catch, small):
    def weights(engine, seed):
        catch.again(engine, dataclasses.replace(small, seed=seed), "compiled")
        engine.run(engine.start(), max_steps=60)
        return np.concatenate([w.ravel() for w in engine.export().get_weights()])

    one, other = catch.engine(small), catch.engine(small)
    np.testing.assert_array_equal(weights(one, 1), weights(other, 1))
    assert np.abs(weights(one, 1) - weights(one, 2)).max() > 0.01


def test_training_stops_at_the_last_episode_asked_for(catch, small):
    engine = catch.engine(dataclasses.replace(small, episodes=7))
    state, trace = engine.run(engine.start())
    assert engine.finished(state)
    assert int(state.steps) == 63
    assert trace.ended.sum() == 7
    assert set(trace.score[trace.ended]) <= {-1.0, 1.0}


def test_engine_stops_where_the_loss_is_no_longer_finite(catch, small):
    engine = catch.engine(dataclasses.replace(small, learning_rate=1e30))
    state, trace = engine.run(engine.start())
    assert np.isfinite(trace.loss[:-1]).all()
    assert not np.isfinite(trace.loss[-1])
    assert int(state.steps) == len(trace.loss) < 60


def test_games_side_by_side_fill_memory_in_blocks(catch, small):
    engine = catch.engine(dataclasses.replace(small, num_envs=4, train_every=2, replay_capacity=40))
    state, trace = engine.run(engine.start(), max_steps=60)
    assert engine.clock.updates_every_step == 2
    assert int(engine.optimizer.iterations) == 30
    assert trace.ended.shape == (15, 4)
    assert int(state.steps) == 60


def test_a_memory_that_cannot_fit_is_refused_before_it_is_made(catch, small):
    with pytest.raises(UserError, match=r"--replay-capacity 1048576: needs .* GiB; give at most \d+"):
        Engine(
            BigGame(), catch.model(small), keras.optimizers.SGD(), catch.learner(small),
            dataclasses.replace(small, replay_capacity=2**20),
        )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class BigGame(Probe):
    length: int = 1
    observation_shape = (1000, 1000)


def test_agent_takes_any_environment_with_discrete_actions():
    import gymnasium

    env = gymnasium.make("CartPole-v1")
    agent = Agent(
        env, explore=0.5, discount=0.9, hidden_size=8, memory_limit=50, batch_size=4,
        optimizer=keras.optimizers.SGD(0.01), loss=keras.losses.MeanSquaredError(), seed=1,
    )  # fmt: skip
    settings = Settings(episodes=3, replay_capacity=50, batch_size=4)
    env.reset(seed=0)
    episodes = list(itertools.islice(play_and_learn(env, agent, settings), 3))
    assert all(episode.score == episode.length for episode in episodes)
    assert agent.remembered == sum(episode.length for episode in episodes)
    assert agent.discount_t[: agent.remembered].tolist().count(0.0) == 3
