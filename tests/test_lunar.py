"""The policies, the collection of episodes and training by policy gradients."""

import dataclasses

import gymnasium
import keras
import numpy as np
import pytest
from keras import ops

from lunar_pg.experiment import EXPERIMENTS, SUITE
from lunar_pg.numpy_policy import NumpyDense, NumpyPolicy
from lunar_pg.policies import action_logits, policy_network, value_network
from lunar_pg.presets import PolicySettings
from lunar_pg.reinforce import discount_rewards
from lunar_pg.trainer import Trainer
from shared.errors import UserError
from shared.late import load
from shared.names import OPTIMIZERS
from shared.rollouts.collector import Collector, Trajectory

OBSERVATIONS = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)


class Scripted(gymnasium.Env):
    """Episode lengths are drawn at reset; observes how many steps were taken, rewards with the action."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,))
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, longest=5, limit=4):
        self.longest = longest
        self.spec = gymnasium.envs.registration.EnvSpec("Scripted-v0", max_episode_steps=limit)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.length, self.steps = int(self.np_random.integers(1, self.longest + 1)), 0
        return np.array([0, self.length], np.float32), {}

    def step(self, action):
        assert self.steps < min(self.length, self.spec.max_episode_steps), "a step after the end"
        self.steps += 1
        terminated = self.steps == self.length
        truncated = not terminated and self.steps == self.spec.max_episode_steps
        return np.array([self.steps, self.length], np.float32), float(action), terminated, truncated, {}


def trainer(make_env=Scripted, **options):
    """A small trainer."""
    settings = PolicySettings(**{"iterations": 4, "num_envs": 6, "hidden": (8,), "head": "sigmoid", **options})
    env = make_env()
    (size,), actions = env.observation_space.shape, int(env.action_space.n)
    policy = policy_network(size, actions, settings.hidden, settings.activation, settings.head, settings.seed)
    value = value_network(size, settings.hidden, settings.activation, settings.seed) if settings.baseline else None
    return Trainer(make_env, policy, value, load(OPTIMIZERS, settings.optimizer), settings)


def uncompiled(**options):
    """A small trainer whose updates run as they are written, which is quicker where there are few."""
    small = trainer(**options)
    small._learn = small._updates
    return small


ACTOR_CRITIC = {
    "baseline": True,
    "gae_lambda": 0.95,
    "entropy": 0.01,
    "clip_gradient": 0.5,
    "epochs": 2,
    "minibatch": 4,
    "clip_ratio": 0.2,
    "learning_rate_end": 0.0,
}


# -- policies -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize(("head", "actions"), [("softmax", 4), ("sigmoid", 2)])
def test_numpy_policy_equals_the_keras_model(head, actions, activation):
    model = policy_network(8, actions, (32, 32), activation, head, seed=3)
    policy = NumpyPolicy(model)
    outputs = ops.convert_to_numpy(model(OBSERVATIONS))
    expected = outputs if head == "softmax" else np.concatenate([outputs, 1 - outputs], axis=1)
    np.testing.assert_allclose(policy.probabilities(OBSERVATIONS), expected, atol=1e-6)
    logits = ops.convert_to_numpy(action_logits(model, ops.convert_to_tensor(OBSERVATIONS)))
    np.testing.assert_allclose(policy.logits(OBSERVATIONS), logits, atol=1e-6)
    np.testing.assert_array_equal(policy.greedy(OBSERVATIONS), expected.argmax(axis=1))


def test_numpy_value_equals_the_keras_model():
    model = value_network(8, (16, 16), "tanh", seed=3)
    found = NumpyDense(model)(OBSERVATIONS)
    np.testing.assert_allclose(found, ops.convert_to_numpy(model(OBSERVATIONS)), atol=1e-6)


def test_a_policy_without_hidden_layers():
    model = policy_network(8, 4, (), "relu", "softmax", seed=0)
    found = NumpyPolicy(model).probabilities(OBSERVATIONS)
    np.testing.assert_allclose(found, ops.convert_to_numpy(model(OBSERVATIONS)), atol=1e-6)


def test_actions_are_drawn_by_their_probability():
    policy = NumpyPolicy(policy_network(8, 4, (16,), "relu", "softmax", seed=0))
    expected = policy.probabilities(OBSERVATIONS[:1])[0]
    draws = (np.arange(100_000) + 0.5) / 100_000
    found = np.bincount(policy.sample(np.repeat(OBSERVATIONS[:1], len(draws), axis=0), draws), minlength=4)
    np.testing.assert_allclose(found / len(draws), expected, atol=2e-5)


def test_the_sigmoid_policy_pushes_left_when_the_draw_is_below_its_output():
    model = policy_network(8, 2, (5,), "relu", "sigmoid", seed=0)
    p_left = ops.convert_to_numpy(model(OBSERVATIONS))[:, 0]
    policy = NumpyPolicy(model)
    np.testing.assert_array_equal(policy.sample(OBSERVATIONS, p_left - 1e-4), np.zeros(50))
    np.testing.assert_array_equal(policy.sample(OBSERVATIONS, p_left + 1e-4), np.ones(50))


def test_draws_at_the_ends_choose_an_action_that_exists():
    policy = NumpyPolicy(policy_network(8, 4, (16,), "relu", "softmax", seed=0))
    assert policy.sample(OBSERVATIONS, np.zeros(50)).min() == 0
    assert policy.sample(OBSERVATIONS, np.full(50, np.nextafter(1, 0))).max() == 3


def test_policies_of_other_seeds_differ():
    first, again, other = (policy_network(8, 4, (16,), "relu", "softmax", seed).get_weights()[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


# -- collection ---------------------------------------------------------------------------------------------------


def always_right(observations, draws):
    """Action 1 everywhere."""
    return np.ones(len(observations), int)


def test_episodes_of_all_lengths_and_endings():
    episodes = Collector(Scripted, 40).collect(always_right, [0])
    lengths = {len(episode.actions) for episode in episodes}
    assert lengths == {1, 2, 3, 4}
    for observations, actions, rewards, terminated in episodes:
        wanted = int(observations[0, 1])  # 1 to 5 steps; the time limit cuts at 4
        assert terminated == (wanted <= 4)
        steps = min(wanted, 4)
        np.testing.assert_array_equal(observations, [[t, wanted] for t in range(steps + 1)])  # the final one is there
        np.testing.assert_array_equal(actions, [1] * steps)
        np.testing.assert_array_equal(rewards, [1.0] * steps)


def test_the_policy_is_called_once_for_each_vector_step():
    calls = []

    def choose(observations, draws):
        calls.append(len(observations))
        return always_right(observations, draws)

    episodes = Collector(Scripted, 10).collect(choose, [3])
    lengths = np.array([len(episode.actions) for episode in episodes])
    assert calls == [int((lengths > t).sum()) for t in range(lengths.max())]


@pytest.mark.parametrize("env_id", ["CartPole-v1", "LunarLander-v3"])
def test_episodes_depend_on_the_key_and_not_on_what_was_played_before(env_id):
    def make():
        return gymnasium.make(env_id)

    policy = NumpyPolicy(policy_network(*make().observation_space.shape, 2, (8,), "relu", "softmax", seed=0))
    collector = Collector(make, 3)
    collector.collect(policy.sample, [1, 0])
    used, fresh = collector.collect(policy.sample, [1, 1]), Collector(make, 3).collect(policy.sample, [1, 1])
    other = collector.collect(policy.sample, [1, 2])
    for first, second in zip(used, fresh, strict=True):
        for ours, theirs in zip(first, second, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(used[0].observations[0], other[0].observations[0])


# -- from episodes to a batch -------------------------------------------------------------------------------------


def episode(length, terminated):
    """Rewards of 1."""
    observations = np.tile(np.arange(length + 1, dtype=np.float32)[:, None], (1, 2))
    return Trajectory(observations, np.ones(length, np.int32), np.ones(length), terminated)


def test_a_batch_lays_episodes_end_to_end_and_pads():
    batch = trainer(normalize=False, discount=0.5).batch([episode(2, True), episode(3, False)])
    assert len(batch.counts) == 6 * 4  # episodes x time limit
    np.testing.assert_array_equal(batch.counts, [1] * 5 + [0] * 19)
    np.testing.assert_array_equal(batch.observation[:6, 0], [0, 1, 0, 1, 2, 0])
    np.testing.assert_array_equal(batch.weight[:6], [1.5, 1, 1.75, 1.5, 1, 0])


def test_reinforce_takes_a_truncated_episode_as_over():
    """With or without a time limit in the way the return is the sum of the rewards that came (T4's quirk)."""
    small = trainer(normalize=False)
    np.testing.assert_array_equal(small.batch([episode(4, True)]).weight, small.batch([episode(4, False)]).weight)


def test_the_baseline_bootstraps_from_a_truncated_episode_only():
    small = trainer(baseline=True, gae_lambda=1.0, normalize=False, discount=0.9)
    values = NumpyDense(small.value)(episode(4, True).observations)[:, 0]
    terminated = small.batch([episode(4, True)])
    truncated = small.batch([episode(4, False)])
    returns = discount_rewards(np.ones(4), 0.9)
    to_come = values[4] * 0.9 ** np.arange(4, 0, -1)
    np.testing.assert_allclose(terminated.weight[:4], returns - values[:4], rtol=1e-5)
    np.testing.assert_allclose(terminated.target[:4], returns, rtol=1e-5)
    np.testing.assert_allclose(truncated.target[:4], returns + to_come, rtol=1e-5)
    assert np.abs(to_come).min() > 1e-3


def test_minibatches_hold_every_step_once_an_epoch():
    small = trainer(**ACTOR_CRITIC)
    updates, order = small._order(13, iteration=0)
    assert updates == 2 * 3
    for epoch in order[:6].reshape(2, 12):
        assert len(set(epoch)) == 12
        assert set(epoch) <= set(range(13))
    assert not np.array_equal(order[:3], order[3:6])
    assert (order[6:] == -1).all()


def test_fewer_steps_than_a_minibatch_make_one_update():
    updates, order = trainer(**{**ACTOR_CRITIC, "epochs": 1})._order(3, iteration=0)
    assert updates == 1
    assert sorted(order[0].tolist()) == [-1, 0, 1, 2]


# -- learning -----------------------------------------------------------------------------------------------------


def weights_of(small):
    """All arrays of a trainer, concatenated."""
    return np.concatenate([np.ravel(ops.convert_to_numpy(v)) for v in small._variables().values()])


def test_one_update_is_one_step_down_the_gradient():
    """With plain descent the weights move by minus the step size times the gradient that the loss's test checks."""
    small = uncompiled(optimizer="sgd", learning_rate=0.1, learning_rate_end=0.1)
    batch = small.batch(small.collector.collect(NumpyPolicy(small.policy).sample, [0, 0]))
    before = small.policy.get_weights()
    *_, bias = before
    rows = batch.counts == 1
    p_left = ops.convert_to_numpy(small.policy(batch.observation))[:, 0]
    # d(-log p)/dz is P(left) - 1 where left was taken and P(left) where not.
    expected = np.mean((p_left - (batch.action == 0))[rows] * batch.weight[rows])
    small.learn(batch, 0)
    np.testing.assert_allclose(small.policy.get_weights()[-1], bias - 0.1 * expected, rtol=1e-4)


def test_padding_teaches_nothing():
    first, second = uncompiled(**ACTOR_CRITIC), uncompiled(**ACTOR_CRITIC)
    batch = first.batch(first.collector.collect(NumpyPolicy(first.policy).sample, [0, 0]))
    rubbish = batch.counts == 0
    spoilt = batch._replace(
        observation=np.where(rubbish[:, None], np.float32(99), batch.observation),
        weight=np.where(rubbish, np.float32(99), batch.weight),
        target=np.where(rubbish, np.float32(99), batch.target),
    )
    first.learn(batch, 0)
    second.learn(spoilt, 0)
    np.testing.assert_array_equal(weights_of(first), weights_of(second))


@pytest.mark.parametrize("options", [{}, ACTOR_CRITIC, {"baseline": True, "clip_ratio": 0.2, "epochs": 3}])
def test_the_better_action_becomes_likelier(options):
    """Every step to the right is worth 1, so the policy goes right; the baseline does not stand in the way."""
    small = trainer(**{"iterations": 30, "learning_rate": 0.02, "learning_rate_end": 0.02, **options})
    state = small.start()
    while not small.finished(state):
        state, trace = small.run(state)
    probabilities = NumpyPolicy(small.policy).probabilities(np.float32([[0, 3], [1, 3], [2, 3]]))
    assert probabilities[:, 1].min() > 0.8
    assert trace.score.shape == (6, 1)
    np.testing.assert_array_equal(trace.score <= trace.length, True)
    assert 0 < small.figures(state, trace)["entropy"] < np.log(2)


@pytest.mark.parametrize("options", [{}, ACTOR_CRITIC])
def test_a_resumed_training_equals_an_unbroken_one_to_the_bit(options):
    def make():
        return gymnasium.make("CartPole-v1", max_episode_steps=30)

    unbroken = trainer(make, **options)
    state = unbroken.start()
    for _ in range(2):
        state, _ = unbroken.run(state)
    saved = {name: np.copy(array) for name, array in unbroken.snapshot(state).items()}
    scores = []
    while not unbroken.finished(state):
        state, trace = unbroken.run(state)
        scores.append(trace.score)

    resumed = trainer(make, **options)
    state_again = resumed.restore(saved)
    for expected in scores:
        state_again, trace = resumed.run(state_again)
        np.testing.assert_array_equal(trace.score, expected)
    assert state_again == state
    np.testing.assert_array_equal(weights_of(resumed), weights_of(unbroken))


def test_each_part_changes_what_is_learned():
    """Every switch of `tuned` has an effect: none is dead."""
    base = {**ACTOR_CRITIC, "optimizer": "sgd", "learning_rate": 0.05, "learning_rate_end": 0.01}
    off = [
        {"baseline": False, "gae_lambda": 1.0},
        {"gae_lambda": 1.0},
        {"entropy": 0.0},
        {"clip_gradient": 0.0},
        {"epochs": 1},
        {"minibatch": 0},
        {"clip_ratio": 0.0},
        {"normalize": False},
        {"learning_rate_end": 0.05},
    ]
    results = []
    for options in ({}, *off):
        small = uncompiled(**{**base, "clip_gradient": 0.1, "clip_ratio": 0.01, **options})
        state = small.start()
        for _ in range(2):
            state, _ = small.run(state)
        results.append(small.policy.get_weights()[0])
    for other in results[1:]:
        assert not np.array_equal(results[0], other)


# -- settings -----------------------------------------------------------------------------------------------------


def test_step_sizes_fall_evenly():
    settings = PolicySettings(iterations=5, learning_rate=0.4, learning_rate_end=0.0)
    np.testing.assert_allclose([settings.learning_rate_share(i) for i in range(5)], [1, 0.75, 0.5, 0.25, 0])


def test_a_step_size_may_stay():
    settings = dataclasses.replace(PolicySettings(), iterations=1)
    assert settings.learning_rate_share(0) == 1.0


def test_gae_without_a_baseline_is_refused():
    with pytest.raises(UserError, match=r"--gae-lambda 0\.9: needs a baseline"):
        PolicySettings(gae_lambda=0.9)


def test_networks_are_plain_keras_models():
    for model in (policy_network(8, 4, (32, 32), "relu", "softmax", 0), value_network(8, (32,), "relu", 0)):
        assert all(type(layer) is keras.layers.Dense for layer in model.layers)


@pytest.mark.parametrize(
    "layers",
    [
        [keras.layers.Dense(4, activation="relu"), keras.layers.Dropout(0.5), keras.layers.Dense(2)],
        [keras.layers.Dense(4, activation="elu"), keras.layers.Dense(2)],
        [keras.layers.Dense(4, activation="relu"), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(2)],
    ],
)
def test_networks_that_numpy_cannot_evaluate_are_refused(layers):
    with pytest.raises(UserError, match="not of Dense layers"):
        NumpyDense(keras.Sequential([keras.Input((3,)), *layers]))


@pytest.mark.parametrize(
    ("outputs", "activation", "drawn"),
    [(2, "softmax", True), (1, "sigmoid", True), (2, None, False), (3, "sigmoid", False), (3, "tanh", False)],
)
def test_what_a_networks_outputs_are_is_seen_from_its_end(outputs, activation, drawn):
    policy = NumpyPolicy(keras.Sequential([keras.Input((3,)), keras.layers.Dense(outputs, activation=activation)]))
    assert policy.has_probabilities == drawn
    assert policy.logits(np.zeros((5, 3), np.float32)).shape == (5, max(2, outputs))


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_a_single_output_that_is_no_probability_chooses_nothing(activation):
    with pytest.raises(UserError, match="a single output"):
        NumpyPolicy(keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, activation=activation)]))


# -- tasks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("horizon", "steps"), [(0, 200), (50, 50), (5000, 200)])
def test_training_cuts_episodes_that_the_task_does_not(horizon, steps):
    experiment = EXPERIMENTS["cartpole"]
    settings = dataclasses.replace(experiment.presets["tuned"], horizon=horizon)
    assert experiment.training_env(settings).spec.max_episode_steps == steps
    assert experiment.env(settings).spec.max_episode_steps == 200


def test_a_task_that_may_never_end_needs_a_time_limit():
    gymnasium.register("test/Endless-v0", entry_point=lambda **_: Scripted(limit=None), disable_env_checker=True)
    try:
        experiment = SUITE.find("test/Endless-v0")
        with pytest.raises(UserError, match="may never end; give --time-limit"):
            experiment.model(PolicySettings())
        settings = PolicySettings(time_limit=7)
        assert experiment.training_env(settings).spec.max_episode_steps == 7
    finally:
        del gymnasium.registry["test/Endless-v0"]
