"""Schedules, replay memory and the pure functions of DQN, against numbers worked out by hand."""

from typing import NamedTuple

import numpy as np
import pytest
from keras import ops

from cartpole_dqn.experiment import EXPERIMENTS as CARTPOLE
from shared.dqn import replay
from shared.dqn.clock import START, Clock, Time
from shared.dqn.formulas import epsilon_greedy, replace_taken, td_target
from shared.dqn.priorities import Proportional, Uniform
from shared.dqn.schedules import linear
from shared.dqn.settings import Settings
from shared.nn.backend import compiled


@pytest.mark.parametrize(("elapsed", "expected"), [(-5, 1.0), (0, 1.0), (50, 0.55), (100, 0.1), (10**9, 0.1)])
@pytest.mark.parametrize("xp", [np, ops])
def test_linear_schedule(xp, elapsed, expected):
    assert float(linear(xp, 1.0, 0.1, 100, elapsed)) == pytest.approx(expected)
    assert float(linear(xp, 1.0, 0.1, 0, elapsed)) == 0.1


def test_epsilon_of_t3_falls_at_every_step_by_the_number_of_the_episode():
    settings = Settings(
        epsilon_by="growing-steps", epsilon_decay=10, epsilon_end=0.0, learning_starts=2, replay_capacity=50
    )
    clock, time, seen = Clock(settings), START, []
    for step in range(1, 14):  # episodes of 3 steps
        time = clock.after_step(time, int(step % 3 == 0))
        seen.append(round(float(clock.epsilon(time)), 6))
    # Steps 1 to 3: episode 0, which counts since it ends after step 2. Then episode 1, 2 and 3.
    assert seen == [1.0, 1.0, 1.0, 0.9, 0.8, 0.7, 0.5, 0.3, 0.1, 0.0, 0.0, 0.0, 0.0]
    assert time == Time(13, 4, 10), "counts no further than to where epsilon has arrived"


def test_what_is_due_after_a_step():
    settings = Settings(learning_starts=4, train_every=3, final_update=True, target_sync=5, replay_capacity=50)
    clock, time, updates, syncs = Clock(settings), START, [], []
    for step in range(1, 16):
        ended = int(step in (3, 10, 14))
        before, time = time, clock.after_step(time, ended)
        updates += [step] * int(clock.updates_due(before, time, ended))
        syncs += [step] * clock.sync_is_due(before, time)
    assert updates == [7, 10, 10, 13, 14]
    assert syncs == [5, 10, 15]
    assert not clock.is_over(time)
    assert clock.is_over(Time(0, settings.episodes, 0))


@pytest.mark.parametrize("variant", ["fixed-targets", "double", "dueling"])
def test_the_target_network_moves_after_the_episodes_with_the_numbers_of_t4(variant):
    clock, time, updates, syncs = Clock(CARTPOLE[variant].presets["tutorial"]), START, 0, {}
    for number in range(600):
        before, time = time, clock.after_step(time, 1)
        updates += clock.updates_due(before, time, 1)
        if clock.sync_is_due(before, time):
            syncs[number] = updates
    assert syncs == {number: number - 50 for number in range(100, 600, 50)}


def test_epsilon_greedy_at_its_ends():
    q = ops.array([[0.0, 2.0, 1.0]] * 4)
    choice = ops.array([0.0, 0.34, 0.67, 0.99999994])
    explore = ops.array([0.0, 0.3, 0.6, 0.99999994])
    np.testing.assert_array_equal(epsilon_greedy(q, explore, choice, 0.0), [1, 1, 1, 1])
    np.testing.assert_array_equal(epsilon_greedy(q, explore, choice, 1.0), [0, 1, 2, 2])
    np.testing.assert_array_equal(epsilon_greedy(q, explore, choice, 0.5), [0, 1, 1, 1])


def test_double_q_target_by_hand():
    q_tm1 = np.array([[1, 1, 0], [1, 2, 0]], np.float32)
    target = td_target(
        r_t=ops.array([1.0, 1.0]),
        discount_t=ops.array([0.0, 1.0]),
        q_t=ops.array([[99.0, 1.0, 98.0], [91.0, 2.0, 66.0]]),
        a_t=ops.argmax(ops.array([[2.0, 10.0, 1.0], [11.0, 20.0, 1.0]]), axis=-1),
    )
    np.testing.assert_allclose(target - q_tm1[[0, 1], [0, 1]], [0.0, 1.0])


def test_q_learning_target_by_hand():
    target = td_target(ops.array([1.0, -1.0]), ops.array([0.5, 0.0]), ops.array([[2.0, 4.0], [9.0, 9.0]]))
    np.testing.assert_allclose(target, [3.0, -1.0])


def test_replace_taken_touches_only_the_taken_action():
    q = ops.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    np.testing.assert_array_equal(replace_taken(q, ops.array([2, 0]), ops.array([9.0, 8.0])), [[1, 2, 9], [8, 5, 6]])


def numbered(first, count):
    """Transitions that carry their number in every column."""
    n = np.arange(first, first + count)
    s = n[:, None].astype(np.float32)
    return replay.Replay(s, n.astype(np.int32), n.astype(np.float32), n.astype(np.float32), s + 0.5)


@pytest.mark.parametrize("total", [5, 6, 7, 17])
def test_ring_around_its_capacity(total):
    memory = replay.empty(6, np.zeros((1, 1), np.float32))
    for i in range(total):
        memory = replay.add(memory, i, numbered(i, 1))
    expected = {i % 6: i for i in range(total)}
    for slot, number in expected.items():
        assert int(memory.a_tm1[slot]) == number
        assert float(memory.s_tm1[slot, 0]) == number
        assert float(memory.s_t[slot, 0]) == number + 0.5
    assert sorted(ops.convert_to_numpy(memory.a_tm1).tolist()) == sorted(
        [*expected.values(), *[0] * (6 - len(expected))]
    )


def test_blocks_of_games_replace_the_oldest():
    memory = replay.empty(6, np.zeros((1, 1), np.float32))
    for first in (0, 3, 6):
        memory = replay.add(memory, first, numbered(first, 3))
    np.testing.assert_array_equal(memory.a_tm1, [6, 7, 8, 3, 4, 5])


def test_a_batch_is_what_memory_holds_while_that_is_less():
    memory = replay.add(replay.empty(8, np.zeros((1, 1), np.float32)), 0, numbered(1, 3))
    drawn = Uniform().sample(None, 3, ops.array([0.9, 0.1, 0.5, 0.3, 0.7]), START)
    rows, slots, weight = replay.sample(memory, 3, *drawn)
    np.testing.assert_array_equal(slots, [0, 1, 2, 2, 2])
    np.testing.assert_array_equal(rows.a_tm1, [1, 2, 3, 3, 3])
    np.testing.assert_array_equal(weight, [1, 1, 1, 0, 0])


def test_samples_are_uniform_and_never_blank():
    memory = replay.add(replay.empty(8, np.zeros((1, 1), np.float32)), 0, numbered(1, 4))
    draws = np.random.default_rng(0).random(4000, dtype=np.float32)
    draws[:2] = 0, np.nextafter(np.float32(1), np.float32(0))
    counts = np.zeros(9, int)
    for batch in draws.reshape(1000, 4):
        rows, _, weight = replay.sample(memory, 4, *Uniform().sample(None, 4, ops.array(batch), START))
        assert float(ops.sum(weight)) == 4
        counts += np.bincount(rows.a_tm1, minlength=9)
    assert counts[0] == counts[5:].sum() == 0
    assert (np.abs(counts[1:5] - 1000) < 4 * np.sqrt(750)).all()  # four standard deviations


@pytest.mark.parametrize("n_step", [1, 2, 3, 5, 12])
def test_n_step_returns_are_those_added_up_by_hand_and_end_with_the_episode(n_step):
    games, steps, capacity, gamma = 3, 14, 3 * 8, 0.5
    rng = np.random.default_rng(n_step)
    rewards = rng.integers(-3, 4, (steps, games)).astype(np.float32)
    ended = rng.random((steps, games)) < 0.3
    terminated = ended & (rng.random((steps, games)) < 0.5)  # the other ends are cuts by a time limit
    seen = np.arange(steps * games, dtype=np.float32).reshape(steps, games, 1)

    memory, length = replay.empty(capacity, seen[0]), np.zeros(games, np.int32)
    for t in range(steps):
        discount = (gamma * ~terminated[t]).astype(np.float32)
        now = replay.Replay(seen[t], np.full(games, t, np.int32), rewards[t], discount, seen[t] + 0.5)
        memory = replay.add(replay.extend(memory, t * games, now, length, n_step), t * games, now)
        length = np.where(ended[t], 0, length + 1).astype(np.int32)

    for t in range(steps - capacity // games, steps):
        for game in range(games):
            last = t
            while last < min(t + n_step, steps) - 1 and not ended[last, game]:
                last += 1
            slot = (t * games + game) % capacity
            powers = gamma ** np.arange(last - t + 1)
            assert float(memory.r_t[slot]) == rewards[t : last + 1, game] @ powers
            assert float(memory.discount_t[slot]) == (0 if terminated[last, game] else gamma ** (last - t + 1))
            assert float(memory.s_t[slot, 0]) == seen[last, game, 0] + 0.5
            assert (float(memory.s_tm1[slot, 0]), int(memory.a_tm1[slot])) == (seen[t, game, 0], t)


def test_memory_of_named_tuples_keeps_their_types_and_counts_their_bytes():
    class Seen(NamedTuple):
        small: object
        large: object

    def seen(first):
        return Seen(np.array([first, first + 1], np.int8), np.full((2, 3), first, np.float32))

    memory = replay.empty(4, seen(0))
    numbers = np.arange(2)
    now = replay.Replay(seen(5), numbers.astype(np.int32), *[numbers.astype(np.float32)] * 2, seen(7))
    memory = replay.add(memory, 2, now)
    rows, *_ = replay.sample(memory, 4, *Uniform().sample(None, 4, ops.array([0.5, 0.75]), START))
    for rows_seen, first in ((rows.s_tm1, 5), (rows.s_t, 7)):
        assert rows_seen.small.dtype == "int8"
        np.testing.assert_array_equal(rows_seen.small, [first, first + 1])
        np.testing.assert_array_equal(rows_seen.large, np.full((2, 3), first))
    assert replay.size_in_bytes(4, seen(0)) == 4 * (2 * (1 + 12) + 12)


# -- prioritized replay ---------------------------------------------------------------------------------------------


def test_priorities_by_hand():
    """Seven transitions in rows of three; α = 0.5, β = 1."""
    sampler = Proportional(7, alpha=0.5, beta=lambda time: 1.0)
    state = sampler.add(sampler.empty(), 0, 3)
    np.testing.assert_array_equal(state.chance, [[1, 1, 1], [0, 0, 0], [0, 0, 0]])  # new: the largest there was
    state = sampler.learned(state, ops.array([0, 2]), ops.array([16.0, 9.0]))
    state = sampler.add(state, 3, 2)
    np.testing.assert_allclose(state.chance, [[4, 1, 3], [4, 4, 0], [0, 0, 0]], rtol=1e-5)
    np.testing.assert_allclose(state.sums, [8, 8, 0], rtol=1e-5)
    # The sum 16 in four parts of 4: wanted are 0, 4.4, 8 and 15.6.
    slots, weights = sampler.sample(state, 5, ops.array([0.0, 0.1, 0.0, 0.9]), START)
    np.testing.assert_array_equal(slots, [0, 1, 3, 4])
    np.testing.assert_allclose(weights, [0.25, 1.0, 0.25, 0.25], rtol=1e-5)  # 1 / P(i), over the largest


def test_surprising_transitions_are_drawn_in_proportion_and_weights_make_up_for_it():
    capacity, size = 1000, 50
    sampler, rng = Proportional(capacity, alpha=1.0, beta=lambda time: 1.0), np.random.default_rng(0)
    errors = rng.exponential(size=capacity).astype(np.float32)
    state = sampler.learned(sampler.add(sampler.empty(), 0, capacity), ops.arange(capacity), ops.array(errors))
    sample = compiled(lambda draws: sampler.sample(state, capacity, draws, START))
    counts = np.zeros(capacity)
    for _ in range(2000):
        slots, weights = (np.asarray(part) for part in sample(ops.array(rng.random(size, dtype=np.float32))))
        assert weights.max() == pytest.approx(1)
        np.testing.assert_allclose(weights * errors[slots], (weights * errors[slots])[0], rtol=0.01)  # weight ~ 1 / P
        counts += np.bincount(slots, minlength=capacity)
    expected = errors / errors.sum() * counts.sum()
    common = expected > 50
    assert common.sum() > 300
    assert (np.abs(counts - expected)[common] < 5 * np.sqrt(expected[common])).all()


def test_a_ring_that_goes_round_gives_new_transitions_their_chance():
    sampler = Proportional(6, alpha=1.0, beta=lambda time: 1.0)
    state = sampler.add(sampler.empty(), 0, 6)
    state = sampler.learned(state, ops.arange(6), ops.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0]))
    state = sampler.add(state, 2, 2)
    np.testing.assert_allclose(ops.reshape(state.chance, (-1,))[:6], [0, 0, 1, 1, 0, 0], atol=1e-5)
    slots, _ = sampler.sample(state, 6, ops.array([0.5, 0.5]), START)
    np.testing.assert_array_equal(slots, [2, 3])
