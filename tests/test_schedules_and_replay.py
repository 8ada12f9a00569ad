"""Schedules, replay memory and the pure functions of DQN, against numbers worked out by hand."""

from typing import NamedTuple

import numpy as np
import pytest
from keras import ops

from shared.dqn import replay
from shared.dqn.clock import START, Clock, Time
from shared.dqn.formulas import epsilon_greedy, replace_taken, td_target
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
    rows, weight = replay.sample(memory, 3, ops.array([[0.9, 0.1, 0.5, 0.3, 0.7]]))
    np.testing.assert_array_equal(rows.a_tm1, [1, 2, 3, 3, 3])
    np.testing.assert_array_equal(weight, [1, 1, 1, 0, 0])


def test_samples_are_uniform_and_never_blank():
    memory = replay.add(replay.empty(8, np.zeros((1, 1), np.float32)), 0, numbered(1, 4))
    draws = np.random.default_rng(0).random(4000, dtype=np.float32)
    draws[:2] = 0, np.nextafter(np.float32(1), np.float32(0))
    counts = np.zeros(9, int)
    for batch in draws.reshape(1000, 4):
        rows, weight = replay.sample(memory, 4, ops.array(batch)[None])
        assert float(ops.sum(weight)) == 4
        counts += np.bincount(rows.a_tm1, minlength=9)
    assert counts[0] == counts[5:].sum() == 0
    assert (np.abs(counts[1:5] - 1000) < 4 * np.sqrt(750)).all()  # four standard deviations


@pytest.mark.parametrize("n_step", [1, 2, 3, 5])
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
    rows, _ = replay.sample(memory, 4, ops.array([[0.5, 0.75]]))
    for rows_seen, first in ((rows.s_tm1, 5), (rows.s_t, 7)):
        assert rows_seen.small.dtype == "int8"
        np.testing.assert_array_equal(rows_seen.small, [first, first + 1])
        np.testing.assert_array_equal(rows_seen.large, np.full((2, 3), first))
    assert replay.size_in_bytes(4, seen(0)) == 4 * (2 * (1 + 12) + 12)


# -- prioritized replay ---------------------------------------------------------------------------------------------


def test_surprise_is_the_error_of_the_value_that_was_expected():
    """Two games, n = 2, worked by hand: game 0 goes on, game 1 crashes at its second step."""
    surprise = replay.Surprise(np.zeros(8, np.float32), np.full(8, 9.0, np.float32))
    rewards, discounts = np.zeros(8, np.float32), np.zeros(8, np.float32)
    rewards[:4], discounts[:4] = [3, 2, 1, 0], [0.25, 0, 0.5, 0]  # two-step returns of the first step, one-step ones
    memory = replay.empty(8, np.zeros((1, 1), np.float32))._replace(r_t=rewards, discount_t=discounts)

    surprise = replay.note_values(surprise, 0, ops.array([10.0, 10.0]))
    surprise = replay.note_values(surprise, 2, ops.array([7.0, 7.0]))
    np.testing.assert_array_equal(surprise.error, [0, 0, 0, 0, 9, 9, 9, 9])  # not known yet
    surprise = replay.note_errors(surprise, memory, 4, ops.array([8.0, 99.0]), ops.array([2, 0]), 2)
    np.testing.assert_array_equal(surprise.error[:4], [abs(3 + 0.25 * 8 - 10), abs(2 + 0 - 10), 0, 0])
    np.testing.assert_array_equal(surprise.value[:4], [10, 10, 7, 7])


def test_after_a_cut_by_the_time_limit_the_error_is_not_known():
    surprise = replay.Surprise(np.full(4, 5.0, np.float32), np.zeros(4, np.float32))
    memory = replay.empty(4, np.zeros((1, 1), np.float32))._replace(discount_t=np.full(4, 0.5, np.float32))
    surprise = replay.note_errors(surprise, memory, 2, ops.array([8.0]), ops.array([0]), 1)
    assert float(surprise.error[1]) == 0


def drawn_of_eight_kinds(errors, batches=400, size=50):
    """How often transitions of eight kinds, with these errors, are drawn, and what their weights add up to."""
    memory = replay.add(replay.empty(64, np.zeros((1, 1), np.float32)), 0, numbered(0, 64))
    surprise = replay.Surprise(*[np.tile(np.float32(errors), 8)] * 2)
    sample = compiled(lambda draws: replay.sample(memory, 64, draws, surprise))
    rng, counts, weights = np.random.default_rng(0), np.zeros(8), np.zeros(8)
    for _ in range(batches):
        rows, weight = sample(ops.array(rng.random((replay.draws_per_row(True), size), dtype=np.float32)))
        kinds = np.asarray(rows.a_tm1) % 8
        counts += np.bincount(kinds, minlength=8)
        weights += np.bincount(kinds, np.asarray(weight), minlength=8)
        assert 0 < np.asarray(weight).min() <= np.asarray(weight).max() <= 2 + 1e-5
    return counts / (batches * size / 8), weights / (batches * size / 8)


def test_surprising_transitions_are_drawn_more_often_and_weighed_less():
    counts, weights = drawn_of_eight_kinds([0, 0, 0, 0, 0, 0, 1, 3])
    assert counts[7] > 3 > counts[6] > 1.3 > 0.7 > counts[:6].max()
    np.testing.assert_allclose(weights, 1, rtol=0.1)  # in all they count for what uniform draws would give them


def test_without_any_surprise_draws_are_uniform():
    counts, weights = drawn_of_eight_kinds([0] * 8)
    np.testing.assert_allclose(counts, 1, rtol=0.1)
    np.testing.assert_allclose(weights, counts, rtol=1e-5)
