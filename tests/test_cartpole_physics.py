"""CartPole's pure functions against Gymnasium's own environment."""

import gymnasium
import numpy as np
from keras import ops

from cartpole_dqn.physics import CartPole, State
from shared.nn.backend import compiled

GAME = CartPole()
NO_DRAWS = np.zeros((1, 0), np.float32)


def test_ten_thousand_transitions_are_gymnasiums_to_the_bit():
    env = gymnasium.make("CartPole-v1").unwrapped
    random = np.random.default_rng(0)
    env.reset(seed=0)
    ends = 0
    for _ in range(10_000):
        before = State(*(np.array([number], np.float64) for number in env.state))
        action = int(random.integers(2))
        _, reward, terminated, _, _ = env.step(action)
        after, our_reward, our_end = GAME.step(np, before, np.array([action]), NO_DRAWS)
        assert [float(field[0]) for field in after] == [float(number) for number in env.state]
        assert (float(our_reward[0]), bool(our_end[0])) == (reward, terminated)
        if terminated:
            ends += 1
            env.reset()
    assert ends > 300


def test_compiled_float32_steps_stay_within_a_millionth():
    random = np.random.default_rng(1)
    scale = np.array([[2.4], [3.0], [0.2], [3.0]])
    start = random.uniform(-1, 1, (4, 10_000)) * scale
    action = random.integers(0, 2, 10_000).astype(np.int32)
    exact, reward, end = GAME.step(np, State(*start), action, NO_DRAWS)
    rounded = State(*start.astype(np.float32))
    step = compiled(lambda state, action: GAME.step(ops, state, action, ops.zeros((10_000, 0))))
    found, our_reward, our_end = step(State(*map(ops.convert_to_tensor, rounded)), ops.convert_to_tensor(action))
    for ours, theirs in zip(found, exact, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(our_reward, reward)
    assert np.mean(np.asarray(our_end) != end) < 1e-3  # those that rounding puts on the other side of the limit


def test_starts_are_in_gymnasiums_range():
    random = np.random.default_rng(2).random((5000, 4), dtype=np.float32)
    draws = np.vstack([random, np.zeros((1, 4), np.float32)])
    numbers = np.stack(GAME.reset(np, draws), axis=-1)
    env = gymnasium.make("CartPole-v1")
    theirs = np.stack([env.reset(seed=seed)[0] for seed in range(500)])
    assert numbers.min() == np.float32(-0.05) < theirs.min()
    assert 0.049 < theirs.max() <= 0.05
    assert 0.049 < numbers.max() <= 0.05
    np.testing.assert_array_equal(GAME.observe(np, GAME.reset(np, draws)), numbers.astype(np.float32))
