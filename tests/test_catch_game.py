"""The rules of Catch, against SPEC-like hand-worked games, and the compiled side against the NumPy side."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from keras import ops

import catch_dqn
from catch_dqn.game import LEFT, RIGHT, STAY, Catch, State
from shared.nn.backend import compiled, uniform

GAME = Catch("all")


def one(paddle, column, row):
    return State(*(np.array([value], np.int32) for value in (paddle, column, row)))


def play(state, actions):
    rewards, ends = [], []
    for action in actions:
        state, reward, terminated = GAME.step(np, state, np.array([action], np.int32), np.zeros((1, 0), np.float32))
        rewards.append(float(reward[0]))
        ends.append(bool(terminated[0]))
    return state, rewards, ends


def test_grid_shows_paddle_and_object_row_by_row():
    expected = np.zeros((10, 10), np.float32)
    expected[2, 7] = 1  # the object
    expected[9, 3:6] = 1  # the paddle around column 4
    observation = GAME.observe(np, one(4, 7, 2))
    assert observation.dtype == np.float32
    np.testing.assert_array_equal(observation, expected.reshape(1, 100))


def test_object_is_drawn_over_the_paddle():
    np.testing.assert_array_equal(np.flatnonzero(GAME.observe(np, one(4, 5, 9))[0]), [93, 94, 95])
    np.testing.assert_array_equal(np.flatnonzero(GAME.observe(np, one(4, 7, 9))[0]), [93, 94, 95, 97])


@pytest.mark.parametrize(
    ("paddle", "action", "after"), [(4, LEFT, 3), (4, STAY, 4), (4, RIGHT, 5), (1, LEFT, 1), (8, RIGHT, 8)]
)
def test_paddle_moves_and_stays_on_the_grid(paddle, action, after):
    state, _, _ = play(one(paddle, 0, 0), [action])
    assert (state.paddle[0], state.row[0], state.column[0]) == (after, 1, 0)


@pytest.mark.parametrize(("distance", "reward"), [(-2, -1), (-1, 1), (0, 1), (1, 1), (2, -1)])
def test_nine_steps_then_the_reward(distance, reward):
    _, rewards, ends = play(one(4, 4 + distance, 0), [STAY] * 9)
    assert rewards == [0.0] * 8 + [reward]
    assert ends == [False] * 8 + [True]


def test_the_last_move_still_counts():
    _, rewards, _ = play(one(4, 6, 0), [STAY] * 8 + [RIGHT])
    assert rewards[-1] == 1


def test_perfect_play_wins_from_every_start():
    paddle, column = np.array(GAME.start_positions).T
    state = State(paddle, column, np.zeros_like(column))
    for _ in range(9):
        action = np.sign(state.column - state.paddle) + 1
        state, reward, terminated = GAME.step(np, state, action, np.zeros((80, 0)))
    assert terminated.all()
    np.testing.assert_array_equal(reward, np.ones(80))


@pytest.mark.parametrize(("starts", "count"), [("tutorial", 63), ("all", 80)])
def test_every_start_is_drawn_and_no_other(starts, count):
    game = Catch(starts)
    draws = np.random.default_rng(0).random((20_000, 2), dtype=np.float32)
    draws[0], draws[1] = 0, np.nextafter(np.float32(1), np.float32(0))  # the ends of [0, 1)
    state = game.reset(np, draws)
    assert set(zip(state.paddle.tolist(), state.column.tolist(), strict=True)) == set(game.start_positions)
    assert len(game.start_positions) == count
    assert not state.row.any()


def test_unknown_starts_are_refused():
    with pytest.raises(ValueError, match=r"starts='some'"):
        Catch("some")


def test_numpy_and_compiled_side_show_the_same_frames():
    """10,000 random steps of 4 games with the same draws: every frame, reward and end is equal."""
    steps, games = 2500, 4

    @compiled
    def play_compiled(key):
        def step(t, state, frames, rewards, ends):
            draws = ops.reshape(uniform(key, t + 1, games * 3), (games, 3))
            frames = ops.slice_update(frames, (t, 0, 0), GAME.observe(ops, state)[None])
            action = ops.cast(ops.floor(draws[:, 0] * 3), "int32")
            state, reward, terminated = GAME.step(ops, state, action, draws[:, :0])
            rewards = ops.slice_update(rewards, (t, 0), reward[None])
            ends = ops.slice_update(ends, (t, 0), terminated[None])
            fresh = GAME.reset(ops, draws[:, 1:])
            state = State(*(ops.where(terminated, new, old) for new, old in zip(fresh, state, strict=True)))
            return t + 1, state, frames, rewards, ends

        first = GAME.reset(ops, ops.reshape(uniform(key, 0, games * 2), (games, 2)))
        blank = ops.zeros((steps, games, 100)), ops.zeros((steps, games)), ops.zeros((steps, games), "bool")
        return ops.while_loop(lambda t, *_: t < steps, step, (0, first, *blank))[2:]

    frames, rewards, ends = (array.numpy() for array in play_compiled(ops.array(11)))
    draws = [uniform(11, t + 1, games * 3).numpy().reshape(games, 3) for t in range(steps)]
    state = GAME.reset(np, uniform(11, 0, games * 2).numpy().reshape(games, 2))
    for t in range(steps):
        np.testing.assert_array_equal(GAME.observe(np, state), frames[t])
        action = np.floor(draws[t][:, 0] * 3).astype(np.int32)
        state, reward, terminated = GAME.step(np, state, action, draws[t][:, :0])
        np.testing.assert_array_equal(reward, rewards[t])
        np.testing.assert_array_equal(terminated, ends[t])
        fresh = GAME.reset(np, draws[t][:, 1:])
        state = State(*(np.where(terminated, new, old) for new, old in zip(fresh, state, strict=True)))
    assert ends.sum() == games * (steps // 9)


@pytest.mark.parametrize("render_mode", [None, "ansi", "rgb_array"])
@pytest.mark.parametrize("starts", ["tutorial", "all"])
def test_environment_passes_gymnasiums_check_without_a_warning(render_mode, starts):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make("catch_dqn:catch_dqn/Catch-v0", render_mode=render_mode, starts=starts)
        check_env(env.unwrapped, skip_render_check=render_mode is None)
    assert catch_dqn.__name__ == "catch_dqn"


def test_environment_renders_what_it_is():
    env = gymnasium.make("catch_dqn/Catch-v0", render_mode="ansi")
    env.reset(options={"state": one(4, 7, 2)})
    lines = env.render().splitlines()
    assert lines[2] == ".......o.."
    assert lines[9] == "...===...."
    pixels = gymnasium.make("catch_dqn/Catch-v0", render_mode="rgb_array")
    pixels.reset(options={"state": one(4, 7, 2)})
    picture = pixels.render()
    assert picture.shape == (240, 240, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 3
    with pytest.raises(ValueError, match="render_mode"):
        env.unwrapped.__class__(render_mode="hologram")


def test_environment_seeds_its_games():
    env = gymnasium.make("catch_dqn/Catch-v0")

    def games(seed):
        env.reset(seed=seed)
        return [env.reset()[0].tolist() for _ in range(10)]

    assert games(1) == games(1)
    assert games(1) != games(2)
