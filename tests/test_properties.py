"""What holds whatever is drawn: the games on both sides, replay memory against a plain list, schedules, flags."""

import dataclasses
import functools
import itertools
import json

import gymnasium
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from keras import ops

import catch_dqn  # noqa: F401  registers its environments
import cave_game  # noqa: F401
from cartpole_dqn.physics import CartPole
from catch_dqn.ball_game import CatchBall
from catch_dqn.experiment import SUITE as CATCH
from catch_dqn.game import Catch
from cave_game.game import Cave
from cave_game.game2017 import Cave2017
from shared.commands.train import requested
from shared.dqn import replay
from shared.dqn.clock import START
from shared.dqn.priorities import Uniform
from shared.dqn.schedules import linear
from shared.dqn.settings import Settings
from shared.errors import UserError, one_line
from shared.nn.backend import compiled
from shared.options import flag, from_json, value_types

examples = functools.partial(settings, derandomize=True, deadline=None)  # the same ones every time


# -- the rules of every game ----------------------------------------------------------------------------------------

GAMES, STEPS = 3, 20
UNIFORM = st.integers(0, 2**24 - 1).map(lambda number: number / 2**24)  # all that a float32 generator draws
RULES = {  # the game, the rewards that its docstring names, and an environment: its space holds the observations
    "catch": (Catch("all"), {-1, 0, 1}, "catch_dqn/Catch-v0"),
    "ball8": (CatchBall(8, "all"), {-1, 0, 1}, "catch_dqn/CatchBall8-v0"),
    "ball16": (CatchBall(16), {-1, 0, 1}, "catch_dqn/CatchBall16-v0"),
    "cave": (Cave(), {0, 1}, "cave_game/Cave-v0"),
    "cave2017": (Cave2017(), {-1, 0}, "cave_game/Cave2017-v0"),
    "cartpole": (CartPole(), {1}, "CartPole-v1"),
}


def every(shape, elements, dtype=np.float32):
    """Arrays each entry of which is drawn."""
    return arrays(dtype, shape, elements=elements, fill=st.nothing())


def rows(states):
    """States of some games each as one state of all of them."""
    return type(states[0])(*map(np.concatenate, zip(*states, strict=True)))


@functools.cache
def compiled_rules(name):
    """Starts, and a step from any states, as one program."""
    game, _, _ = RULES[name]

    def rules(first, state, action, draws):
        after, reward, terminated = game.step(ops, state, action, draws)
        fresh = game.reset(ops, first)
        return *fresh, *after, reward, terminated, game.observe(ops, fresh), game.observe(ops, after)

    return compiled(rules)


@pytest.mark.parametrize("name", RULES)
@examples(max_examples=10)
@given(data=st.data())
def test_numpy_and_compiled_rules_give_the_same_and_keep_within_their_bounds(name, data):
    game, rewards, env_id = RULES[name]
    first = data.draw(every((STEPS, GAMES, game.reset_draws), UNIFORM))
    draws = data.draw(every((STEPS, GAMES, game.step_draws), UNIFORM))
    actions = data.draw(every((STEPS, GAMES), st.integers(0, game.num_actions - 1), np.int32))

    fresh, before, after, outcomes, state = [], [], [], [], game.reset(np, first[0])
    for t in range(STEPS):
        fresh.append(game.reset(np, first[t]))
        before.append(rows([state]))  # a copy
        moved, reward, terminated = game.step(np, state, actions[t], draws[t])
        after.append(moved)
        outcomes.append((reward, terminated))
        state = where(terminated, fresh[t], moved)
    fresh, before, after = rows(fresh), rows(before), rows(after)
    reward, terminated = map(np.concatenate, zip(*outcomes, strict=True))
    seen = game.observe(np, fresh), game.observe(np, after)

    flat = (array.reshape(STEPS * GAMES, *array.shape[2:]) for array in (first, actions, draws))
    first, actions, draws = flat
    again = game.step(np, before, actions, draws)  # all games at once, from the states as they were
    for ours, theirs in zip((*again[0], *again[1:]), (*after, reward, terminated), strict=True):
        np.testing.assert_array_equal(ours, theirs)

    ours = (*fresh, *after, reward, terminated, *seen)
    for mine, theirs in zip(ours, compiled_rules(name)(first, before, actions, draws), strict=True):
        theirs = ops.convert_to_numpy(theirs)
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(mine, theirs, *((1e-6, 1e-6) if name == "cartpole" else (0, 0)))
    assert set(reward.tolist()) <= rewards
    space = gymnasium.make(env_id).observation_space
    assert all(observation in space for observations in seen for observation in observations)


def where(condition, these, those):
    """Row by row one state or the other, in NumPy."""
    pairs = zip(these, those, strict=True)
    return type(these)(*(np.where(condition.reshape(-1, *[1] * (new.ndim - 1)), new, old) for new, old in pairs))


# -- replay memory against a plain list -----------------------------------------------------------------------------


def transitions(numbers):
    """Transitions that carry their number in every column."""
    n = np.array(numbers)
    seen = n[:, None].astype(np.float32)
    return replay.Replay(seen, n.astype(np.int32), n.astype(np.float32), n.astype(np.float32), seen + 0.5)


def assert_holds(memory, numbers):
    """The memory's rows are the transitions of these numbers."""
    for column, wanted in zip(memory, transitions(numbers), strict=True):
        np.testing.assert_array_equal(column, wanted)


@examples(max_examples=20)
@example(games=1, slots=4, blocks=3, draws=[0.5, 0.0, 0.9])  # capacity - 1, capacity, capacity + 1
@example(games=1, slots=4, blocks=4, draws=[0.5, 0.0, 0.9])
@example(games=1, slots=4, blocks=5, draws=[0.5, 0.0, 0.9])
@given(
    games=st.integers(1, 3),
    slots=st.integers(1, 4),
    blocks=st.integers(1, 9),
    draws=st.lists(UNIFORM, min_size=1, max_size=6),
)
def test_replay_memory_is_a_list_of_the_newest(games, slots, blocks, draws):
    capacity, held = games * slots, []
    memory = replay.empty(capacity, np.zeros((1, 1), np.float32))
    for added in range(0, games * blocks, games):
        block = list(range(added, added + games))
        memory = replay.add(memory, added, transitions(block))
        held = (held + block)[-capacity:]

    in_slots = sorted(held, key=lambda number: number % capacity)
    assert_holds(replay.Replay(*(column[: len(held)] for column in memory)), in_slots)
    for column in memory:
        assert not np.any(column[len(held) :])  # nobody wrote there

    drawn = Uniform().sample(None, min(games * blocks, capacity), ops.array(np.float32(draws)), START)
    batch, _, weight = replay.sample(memory, games * blocks, *drawn)
    enough = len(held) >= len(draws)
    drawn = [in_slots[int(np.float32(draw) * len(held))] for draw in draws]
    assert_holds(batch, drawn if enough else (in_slots + in_slots[-1:] * len(draws))[: len(draws)])
    np.testing.assert_array_equal(weight, [1.0 if enough or row < len(held) else 0.0 for row in range(len(draws))])


GOES_ON, TERMINATED, TRUNCATED = range(3)


@examples(max_examples=10)
@given(data=st.data(), games=st.integers(1, 2), n_step=st.integers(1, 4), spare=st.integers(0, 2))
def test_n_step_returns_never_reach_over_the_end_of_an_episode(data, games, n_step, spare):
    slots, gamma = n_step + spare, 0.5
    steps = data.draw(st.integers(1, 9))
    ends = data.draw(every((steps, games), st.sampled_from([GOES_ON, GOES_ON, TERMINATED, TRUNCATED]), np.int32))
    rewards = data.draw(every((steps, games), st.integers(-3, 3)))

    seen = np.arange(steps * games, dtype=np.float32).reshape(steps, games, 1)
    memory, length = replay.empty(slots * games, seen[0]), np.zeros(games, np.int32)
    for t in range(steps):
        discount = np.float32(gamma * (ends[t] != TERMINATED))
        now = replay.Replay(seen[t], np.full(games, t, np.int32), rewards[t], discount, seen[t] + 0.5)
        memory = replay.add(replay.extend(memory, t * games, now, length, n_step), t * games, now)
        length = np.where(ends[t] == GOES_ON, length + 1, 0).astype(np.int32)

    for game in range(games):
        for t in range(max(0, steps - slots), steps):
            total, discount = 0.0, 1.0  # one step after the other, as far as the return goes
            for last in range(t, min(t + n_step, steps)):
                total, discount = total + discount * rewards[last, game], discount * gamma
                if ends[last, game] != GOES_ON:
                    discount *= ends[last, game] != TERMINATED
                    break
            slot = (t * games + game) % (slots * games)
            assert (memory.r_t[slot], memory.discount_t[slot]) == (total, discount)
            assert memory.s_t[slot, 0] == seen[last, game, 0] + 0.5
            assert (memory.s_tm1[slot, 0], memory.a_tm1[slot]) == (seen[t, game, 0], t)


# -- schedules ------------------------------------------------------------------------------------------------------


@examples(max_examples=60)
@given(
    start=st.floats(0, 1, width=32),
    end=st.floats(0, 1, width=32),
    duration=st.integers(0, 10**5),
    times=st.lists(st.integers(0, 2 * 10**5), min_size=2, max_size=8),
)
def test_schedules_go_from_start_to_end_and_never_back_or_beyond(start, end, duration, times):
    close = functools.partial(pytest.approx, abs=1e-6)
    if duration:
        assert float(linear(np, start, end, duration, 0)) == close(start)
    assert float(linear(np, start, end, duration, duration)) == close(end)
    values = [float(linear(np, start, end, duration, time)) for time in sorted(times)]
    steps = np.diff([*values, float(linear(np, start, end, duration, 10**9))])
    assert (steps >= 0).all() if start <= end else (steps <= 0).all()
    assert min(start, end) - 1e-6 <= min(values) <= max(values) <= max(start, end) + 1e-6
    for time, value in zip(sorted(times)[:2], values, strict=False):
        assert float(linear(ops, start, end, duration, time)) == close(value)


# -- the command line -----------------------------------------------------------------------------------------------

WHOLE = st.sampled_from([-1, 0, 1, 2, 3, 4, 7, 8, 100, 1000, 65536, 2**20, 2**31 - 1, 2**31, 10**20])
REAL = st.one_of(st.floats(0, 2, width=16), st.sampled_from(["nan", "inf", "-inf", "-1e3", "1e308", "1e-320", "x", ""]))


def value(field):
    """What somebody may write behind a flag, a list of words: mostly what could be meant."""
    kind, several, _ = value_types(Settings)[field.name]
    choices = field.metadata["choices"]
    words = st.sampled_from([*choices, "none", "os:system"]) if choices else {int: WHOLE, float: REAL}.get(kind)
    return st.lists(words, min_size=1, max_size=3 if several else 1).map(lambda held: [str(word) for word in held])


FLAGS = [
    value(field).map(lambda words, name=field.name: [flag(name), *words])
    if value_types(Settings)[field.name][0] is not bool
    else st.sampled_from([[flag(field.name)], [flag(field.name).replace("--", "--no-", 1)]])
    for field in dataclasses.fields(Settings)
]
CHOSEN = st.sampled_from([[], ["--preset", "tuned"], ["--game", "ball8"], ["--game", "ball16", "--engine", "readable"]])


def settings_or_complaint(argv):
    """What flags come to: settings, or what is told."""
    try:
        return requested(argv, CATCH).choice.settings
    except UserError as error:
        return str(error)


@examples(max_examples=50)
@given(chosen=CHOSEN, flags=st.lists(st.one_of(FLAGS), max_size=5))
def test_any_flags_are_settings_that_come_back_from_json_or_one_line(chosen, flags):
    found = settings_or_complaint([*chosen, *itertools.chain.from_iterable(flags)])
    if isinstance(found, str):
        assert found.startswith("--")
        assert one_line(found) == found
    else:
        held = json.loads(json.dumps(dataclasses.asdict(found), allow_nan=False))
        assert from_json(type(found), held, "config.json") == found
