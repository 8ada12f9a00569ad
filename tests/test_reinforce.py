"""REINFORCE and the actor-critic's parts: golden values, gradients, and the edges of episodes."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from lunar_pg.actor_critic import clip_by_global_norm, clipped_surrogate_loss, entropy, generalized_advantages
from lunar_pg.policies import action_logits, policy_network
from lunar_pg.reinforce import (
    discount_and_normalize_rewards,
    discount_rewards,
    log_probabilities,
    normalize,
    policy_gradient_loss,
)
from shared.nn.backend import value_and_gradients


def numpy(tensors):
    return [ops.convert_to_numpy(tensor) for tensor in tensors]


# -- returns ------------------------------------------------------------------------------------------------------


def test_discounting_gives_the_published_values():
    np.testing.assert_array_equal(discount_rewards([10, 0, -50], 0.8), [-22, -40, -50])


def test_normalising_gives_the_published_values():
    first, second = discount_and_normalize_rewards([[10, 0, -50], [10, 20]], 0.8)
    np.testing.assert_allclose(first, [-0.28435071, -0.86597718, -1.18910299], atol=1e-8)
    np.testing.assert_allclose(second, [1.26665318, 1.0727777], atol=1e-8)


@pytest.mark.parametrize(("discount", "returns"), [(0.0, [1, 2, 4]), (1.0, [7, 6, 4]), (0.5, [3, 4, 4])])
def test_discount_at_its_ends(discount, returns):
    np.testing.assert_array_equal(discount_rewards([1, 2, 4], discount), returns)


def test_an_episode_of_one_step_is_its_reward():
    np.testing.assert_array_equal(discount_rewards([3.0], 0.9), [3.0])


def test_discounting_leaves_the_rewards_as_they_were():
    rewards = np.array([1.0, 1.0])
    discount_rewards(rewards, 0.9)
    np.testing.assert_array_equal(rewards, [1.0, 1.0])


def test_normalising_counts_steps_and_not_episodes():
    parts = normalize([np.array([4.0]), np.array([0.0, 0.0, 0.0])])  # mean 1, variance 3
    np.testing.assert_allclose(parts[0], [np.sqrt(3)])
    np.testing.assert_allclose(parts[1], [-1 / np.sqrt(3)] * 3)


def test_equal_returns_carry_no_information():
    parts = discount_and_normalize_rewards([[1.0], [1.0]], 0.9)
    np.testing.assert_array_equal(np.concatenate(parts), [0.0, 0.0])


# -- the gradient -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("head", "num_actions"), [("sigmoid", 2), ("softmax", 4)])
def test_one_gradient_over_the_batch_equals_the_tutorials_way(head, num_actions):
    """The tutorial takes a gradient of the cross-entropy at every step, weighs it and averages over all steps."""
    rng = np.random.default_rng(3)
    policy = policy_network(8, num_actions, (32, 32), "relu", head, seed=1)
    lengths = [7, 1, 12]
    weights = discount_and_normalize_rewards([rng.normal(size=n) for n in lengths], 0.99)
    observation = rng.normal(size=(sum(lengths), 8)).astype(np.float32)
    action = rng.integers(num_actions, size=sum(lengths)).astype(np.int32)
    weight = np.concatenate(weights).astype(np.float32)

    def cross_entropy(row):
        probability = policy(observation[row : row + 1])
        if head == "sigmoid":  # one output, the probability of action 0
            return keras.losses.binary_crossentropy(np.float32([[1 - action[row]]]), probability)[0]
        return keras.losses.sparse_categorical_crossentropy(action[row : row + 1], probability)[0]

    per_step = [
        value_and_gradients(lambda row=row: cross_entropy(row), policy.trainable_variables)[1]
        for row in range(len(action))
    ]
    expected = [
        np.mean([w * g for w, g in zip(weight, numpy(gradients), strict=True)], axis=0)
        for gradients in zip(*per_step, strict=True)
    ]

    def padded(column, with_=0):
        return np.concatenate([column, np.full((5, *column.shape[1:]), with_, column.dtype)])

    counts = padded(np.ones(len(action), np.float32))

    def loss():
        logits = action_logits(policy, ops.convert_to_tensor(padded(observation, with_=9)))
        return policy_gradient_loss(logits, ops.convert_to_tensor(padded(action)), padded(weight, with_=9), counts)

    _, gradients = value_and_gradients(loss, policy.trainable_variables)
    for ours, theirs in zip(numpy(gradients), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=1e-5)
        assert np.abs(ours).max() > 1e-3


def test_the_expected_gradient_is_how_the_expected_return_grows():
    """A task of two steps, all its episodes enumerated, in float64: REINFORCE against finite differences of J."""
    rng = np.random.default_rng(5)
    num_actions, features = 3, 4
    first = rng.normal(size=features)
    second = rng.normal(size=(num_actions, features))  # what is seen depends on the first action
    reward_first, reward_second = rng.normal(size=num_actions), rng.normal(size=(num_actions, num_actions))
    kernel = keras.Variable(rng.normal(size=(features, num_actions)), dtype="float64")

    def probabilities(kernel, observation):
        logits = observation @ kernel
        p = np.exp(logits - logits.max())
        return p / p.sum()

    def episodes(kernel):
        for a, b in itertools.product(range(num_actions), repeat=2):
            p = probabilities(kernel, first)[a] * probabilities(kernel, second[a])[b]
            yield p, (a, b), [reward_first[a], reward_second[a, b]]

    def expected_return(kernel):
        return sum(p * sum(rewards) for p, _, rewards in episodes(kernel))

    observation, action, weight = [], [], []
    for p, (a, b), rewards in episodes(numpy([kernel])[0]):
        observation += [first, second[a]]
        action += [a, b]
        weight += list(p * discount_rewards(rewards, 1.0))
    steps = len(action)

    def loss():
        logits = ops.matmul(ops.convert_to_tensor(np.array(observation)), kernel)
        return policy_gradient_loss(logits, ops.convert_to_tensor(action), np.array(weight), np.ones(steps))

    _, (gradient,) = value_and_gradients(loss, [kernel])
    estimate = -steps * numpy([gradient])[0]

    numeric, small = np.zeros((features, num_actions)), 1e-6
    for index in np.ndindex(*numeric.shape):
        there, back = numpy([kernel])[0].copy(), numpy([kernel])[0].copy()
        there[index] += small
        back[index] -= small
        numeric[index] = (expected_return(there) - expected_return(back)) / (2 * small)
    np.testing.assert_allclose(estimate, numeric, rtol=1e-7, atol=1e-9)


def test_log_probabilities_survive_certainty():
    logits = ops.convert_to_tensor(np.float32([[200.0, 0.0], [0.0, 200.0]]))
    found = ops.convert_to_numpy(log_probabilities(logits, ops.convert_to_tensor([0, 0])))
    np.testing.assert_array_equal(found, [0.0, -200.0])


# -- advantages ---------------------------------------------------------------------------------------------------


def test_advantages_by_hand():
    # δ = [1 + 0.5·4 - 2, 0 + 0.5·6 - 4] = [1, -1]; A = [1 + 0.5·0.5·(-1), -1]
    found = generalized_advantages([1.0, 0.0], [2.0, 4.0, 6.0], 0.5, 0.5)
    np.testing.assert_allclose(found, [0.75, -1.0])


def test_lambda_one_is_the_return_minus_the_baseline():
    rewards, values = np.array([1.0, -2.0, 3.0]), np.array([0.3, 0.1, -0.7, 0.0])
    found = generalized_advantages(rewards, values, 0.9, 1.0)
    np.testing.assert_allclose(found, discount_rewards(rewards, 0.9) - values[:-1])


def test_lambda_zero_is_the_td_error():
    rewards, values = np.array([1.0, -2.0, 3.0]), np.array([0.3, 0.1, -0.7, 5.0])
    found = generalized_advantages(rewards, values, 0.9, 0.0)
    np.testing.assert_allclose(found, rewards + 0.9 * values[1:] - values[:-1])


def test_a_truncated_episode_counts_what_was_still_to_come():
    terminated = generalized_advantages([1.0], [0.0, 0.0], 0.9, 0.95)
    truncated = generalized_advantages([1.0], [0.0, 10.0], 0.9, 0.95)
    np.testing.assert_allclose([terminated[0], truncated[0]], [1.0, 10.0])


# -- PPO's objective ----------------------------------------------------------------------------------------------


def test_clipped_objective_by_hand():
    now = np.log([1.5, 0.5, 1.5, 0.5, 9.0])
    advantage = np.array([1.0, 1.0, -1.0, -1.0, 9.0])
    counts = np.array([1.0, 1.0, 1.0, 1.0, 0.0])
    # min(1.5, 1.2), min(0.5, 0.8), min(-1.5, -1.2), min(-0.5, -0.8)
    loss = clipped_surrogate_loss(now, np.zeros(5), advantage, 0.2, counts)
    assert float(loss) == pytest.approx(-(1.2 + 0.5 - 1.5 - 0.8) / 4)


def test_before_the_first_update_the_clipped_objective_has_reinforces_gradient():
    rng = np.random.default_rng(0)
    logits = keras.Variable(rng.normal(size=(6, 3)), dtype="float64")
    action, weight = ops.convert_to_tensor(rng.integers(3, size=6)), rng.normal(size=6)
    counts = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    then = log_probabilities(ops.convert_to_tensor(logits), action)

    def clipped():
        return clipped_surrogate_loss(log_probabilities(logits, action), then, weight, 0.2, counts)

    def plain():
        return policy_gradient_loss(logits, action, weight, counts)

    _, (ours,) = value_and_gradients(clipped, [logits])
    _, (theirs,) = value_and_gradients(plain, [logits])
    np.testing.assert_allclose(*numpy([ours, theirs]), atol=1e-12)


def test_entropy_of_the_undecided_and_of_the_certain():
    found = ops.convert_to_numpy(entropy(ops.convert_to_tensor([[0.0, 0.0, 0.0, 0.0], [100.0, 0.0, 0.0, 0.0]])))
    np.testing.assert_allclose(found, [np.log(4), 0.0], atol=1e-6)


@pytest.mark.parametrize(("largest", "scale"), [(10.0, 1.0), (5.0, 1.0), (1.0, 0.2)])
def test_gradients_are_clipped_together(largest, scale):
    clipped = numpy(clip_by_global_norm([ops.convert_to_tensor([3.0]), ops.convert_to_tensor([[0.0, 4.0]])], largest))
    np.testing.assert_allclose(clipped[0], [3.0 * scale], rtol=1e-6)
    np.testing.assert_allclose(clipped[1], [[0.0, 4.0 * scale]], rtol=1e-6)
