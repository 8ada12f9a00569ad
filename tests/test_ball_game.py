"""The rules of Catch-ball against a step-by-step telling of them, perfect play, and the compiled side."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from keras import ops

import catch_dqn
from catch_dqn.ball_game import LEFT, NO_BALL, RIGHT, STAY, CatchBall, State
from catch_dqn.perfect_player import main, perfect_action
from shared.nn.backend import compiled

SIZES = (8, 16)
ALMOST_ONE = np.nextafter(np.float32(1), np.float32(0))


class ToldStepByStep:
    """One game, by the list of SPEC's events in their order: balls are [row, column], the oldest first."""

    def __init__(self, size, column, bar):
        self.size, self.bar, self.balls, self.drop_counter = size, bar, [[0, column]], 0

    def fits(self, column):
        distance = abs(column - self.balls[-1][1])
        return 3 <= distance <= 6 if self.size == 16 else distance >= 3

    def step(self, action, draw):
        self.bar = min(max(self.bar + {STAY: 0, LEFT: -1, RIGHT: 1}[action], 0), self.size - 3)
        for ball in self.balls:
            ball[0] += 1
        if self.drop_counter == 4:
            self.drop_counter = 0
            columns = [column for column in range(self.size) if self.fits(column)]
            self.balls.append([0, columns[int(draw * np.float32(len(columns)))]])
        else:
            self.drop_counter += 1
        reward, over = 0, False
        if self.balls[0][0] == self.size - 1:
            over = not self.bar <= self.balls[0][1] < self.bar + 3
            reward = -1 if over else 1
        if self.balls[0][0] > self.size - 1:
            del self.balls[0]
        return reward, over

    def screen(self):
        screen = np.zeros((self.size, self.size, 1), np.float32)
        screen[-1, self.bar : self.bar + 3] = 1.0
        for row, column in self.balls:
            screen[row, column] = 0.5
        return screen


def random_game(size, games, steps, seed):
    """Play `games` side by side on NumPy, mostly well: long games that are lost now and then.

    Returns the draws and actions taken, and what came of them, each [steps, games, ...].
    """
    game, rng = CatchBall(size, "all"), np.random.default_rng(seed)
    first = rng.random((games, 2), dtype=np.float32)
    state, taken, seen = game.reset(np, first), [], []
    for _ in range(steps):
        step_draws = rng.random((games, 1), dtype=np.float32)
        reset_draws = rng.random((games, 2), dtype=np.float32)
        action = np.where(rng.random(games) < 0.2, rng.integers(0, 3, games), perfect_action(game, state))
        frame = game.observe(np, state)
        state, reward, terminated = game.step(np, state, action.astype(np.int32), step_draws)
        taken.append((action.astype(np.int32), step_draws, reset_draws))
        seen.append((frame, reward, terminated))
        fresh = game.reset(np, reset_draws)
        state = State(*(np.where(_as_column(terminated, new), new, old) for new, old in zip(fresh, state, strict=True)))
    return first, [np.stack(x) for x in zip(*taken, strict=True)], [np.stack(x) for x in zip(*seen, strict=True)]


def _as_column(flags, array):
    return flags[:, None] if len(array.shape) == 2 else flags


@pytest.mark.parametrize("size", SIZES)
def test_plays_as_told_step_by_step(size):
    first, (actions, step_draws, reset_draws), (frames, rewards, ends) = random_game(size, 20, 600, seed=1)
    for g in range(20):
        start = first[g]
        told = ToldStepByStep(size, int(start[0] * np.float32(size)), int(start[1] * np.float32(size - 2)))
        for t in range(600):
            np.testing.assert_array_equal(frames[t, g], told.screen())
            assert told.step(int(actions[t, g]), step_draws[t, g, 0]) == (rewards[t, g], ends[t, g])
            if ends[t, g]:
                start = reset_draws[t, g]
                told = ToldStepByStep(size, int(start[0] * np.float32(size)), int(start[1] * np.float32(size - 2)))
    assert (rewards == 1).sum() > 100
    assert ends.sum() > 20


@pytest.mark.parametrize("size", SIZES)
def test_numpy_and_compiled_side_show_the_same_frames(size):
    """10,000 random steps of 4 games: every frame, reward and end is equal."""
    steps, games, game = 2500, 4, CatchBall(size, "all")
    first, taken, (frames, rewards, ends) = random_game(size, games, steps, seed=2)

    @compiled
    def play(first, actions, step_draws, reset_draws):
        def step(t, state, frames, rewards, ends):
            frames = ops.slice_update(frames, (t, 0, 0, 0, 0), game.observe(ops, state)[None])
            state, reward, terminated = game.step(ops, state, actions[t], step_draws[t])
            rewards = ops.slice_update(rewards, (t, 0), reward[None])
            ends = ops.slice_update(ends, (t, 0), terminated[None])
            fresh = game.reset(ops, reset_draws[t])
            pairs = zip(fresh, state, strict=True)
            state = State(*(ops.where(_as_column(terminated, new), new, old) for new, old in pairs))
            return t + 1, state, frames, rewards, ends

        blank = ops.zeros((steps, games, size, size, 1)), ops.zeros((steps, games)), ops.zeros((steps, games), "bool")
        return ops.while_loop(lambda t, *_: t < steps, step, (0, game.reset(ops, first), *blank))[2:]

    for ours, theirs in zip(play(*map(ops.convert_to_tensor, (first, *taken))), (frames, rewards, ends), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert frames.dtype == rewards.dtype == np.float32
    assert ends.sum() > 100


def test_one_screen_by_hand():
    game = CatchBall(8)
    state = State(np.array([4]), np.array([2]), np.array([[0, 6]]))  # the older ball has just landed on the bar
    expected = np.zeros((8, 8), np.float32)
    expected[7, [4, 5]] = 1.0
    expected[7, 6] = expected[2, 0] = 0.5
    observation = game.observe(np, state)
    assert observation.dtype == np.float32
    np.testing.assert_array_equal(observation, expected.reshape(1, 8, 8, 1))


@pytest.mark.parametrize(("bar", "action", "reward"), [(1, LEFT, -1), (2, LEFT, 1), (3, STAY, 1), (4, STAY, -1)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_last_move_counts_and_the_bar_reaches_three_columns(bar, action, reward, mirrored):
    """A ball in column 3 (or 4, in the mirror) lands after this move: caught where the bar then is at 1, 2 or 3."""
    if mirrored:
        bar, action = 5 - bar, RIGHT if action == LEFT else action
    state = State(np.array([bar]), np.array([1]), np.array([[0, 4 if mirrored else 3]]))
    state, got, over = CatchBall(8).step(np, state, np.array([action]), np.zeros((1, 1), np.float32))
    assert (got[0], over[0]) == (reward, reward < 0)


@pytest.mark.parametrize(("size", "first", "score"), [(8, 7, 99), (16, 15, 98)])
def test_perfect_play_scores_what_is_published(size, first, score):
    """From 1000 random starts, 500 steps: the first ball lands at step `first`, then one every 5 steps."""
    game, rng = CatchBall(size), np.random.default_rng(3)
    state = game.reset(np, rng.random((1000, 2), dtype=np.float32))
    rewards = []
    for _ in range(500):
        draws = rng.random((1000, 1), dtype=np.float32)
        state, reward, terminated = game.step(np, state, perfect_action(game, state), draws)
        rewards.append(reward)
        assert not terminated.any()
    np.testing.assert_array_equal(np.sum(rewards, axis=0), np.full(1000, score))
    landings = 1 + np.flatnonzero(np.any(rewards, axis=1))
    np.testing.assert_array_equal(landings, np.arange(first, 501, 5))


def test_the_player_that_never_misses_is_a_program(capsys):
    assert main(["--games", "20", "--seed", "5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("; ")[0] for line in lines] == [
        "ball8: 20 games of 500 steps, scores 99 to 99",
        "ball16: 20 games of 500 steps, scores 98 to 98",
    ]


def test_a_missed_ball_is_told(monkeypatch, capsys):
    monkeypatch.setattr("catch_dqn.perfect_player.perfect_action", lambda game, state: np.full_like(state.bar, STAY))
    assert main(["--games", "20"]) == 1
    assert "a ball was missed in 20" in capsys.readouterr().out


@pytest.mark.parametrize(("size", "states"), [(8, 500), (16, 47254)])
def test_every_ball_can_be_caught_whatever_is_drawn(size, states):
    """Every state that perfect play can come to, from every start and by every draw, is gone through: none is lost."""
    game = CatchBall(size, "all")
    bar, column = (grid.ravel().astype(np.int32) for grid in np.meshgrid(np.arange(size - 2), np.arange(size)))
    none = np.full_like(column, NO_BALL)
    frontier = State(bar, np.zeros_like(bar), np.stack([column] + [none] * (game.balls - 1), axis=1))
    seen = np.column_stack(frontier)
    while len(frontier.bar):
        reached = []
        for draw in (np.arange(16) + 0.5) / 16:  # at most 8 columns fit: every one of them is drawn
            draws = np.full((len(frontier.bar), 1), draw, np.float32)
            after, _, terminated = game.step(np, frontier, perfect_action(game, frontier), draws)
            assert not terminated.any()
            reached.append(np.column_stack(after))
        known = len(seen)
        seen, order = np.unique(np.concatenate([seen, *reached]), axis=0, return_index=True)
        new = seen[order >= known]
        frontier = State(new[:, 0], new[:, 1], new[:, 2:])
    assert len(seen) == states


@pytest.mark.parametrize("size", SIZES)
def test_a_new_balls_columns_fit_and_have_equal_chances(size):
    """840 draws, a multiple of every possible number of columns: each that fits comes up equally often."""
    game = CatchBall(size)
    draws = ((np.arange(840) + 0.5) / 840).astype(np.float32)[:, None]
    for last in range(size):
        columns = np.full((840, game.balls), last)
        state = State(np.zeros(840, int), np.full(840, 4), columns)
        after, _, _ = game.step(np, state, np.zeros(840, int), draws)
        found, counts = np.unique(after.columns[:, 0], return_counts=True)
        fits = [c for c in range(size) if abs(c - last) >= 3 and (size == 8 or abs(c - last) <= 6)]
        assert found.tolist() == fits
        assert set(counts) == {840 // len(fits)}
        for draw, edge in ((0, fits[0]), (ALMOST_ONE, fits[-1])):
            after, _, _ = game.step(np, state, np.zeros(840, int), np.full((840, 1), draw, np.float32))
            assert after.columns[0, 0] == edge


@pytest.mark.parametrize(("starts", "places"), [("tutorial", 13), ("all", 14)])
def test_every_start_is_drawn_and_no_other(starts, places):
    draws = np.random.default_rng(0).random((20_000, 2), dtype=np.float32)
    draws[0], draws[1] = 0, ALMOST_ONE
    state = CatchBall(16, starts).reset(np, draws)
    pairs = set(zip(state.bar.tolist(), state.columns[:, 0].tolist(), strict=True))
    assert pairs == {(bar, column) for bar in range(places) for column in range(16)}
    assert (state.columns[:, 1:] == NO_BALL).all()
    assert not state.since_drop.any()


def test_unknown_options_are_refused():
    with pytest.raises(ValueError, match="size=9"):
        CatchBall(9)
    with pytest.raises(ValueError, match="starts='some'"):
        CatchBall(8, "some")


@pytest.mark.parametrize("render_mode", [None, "ansi", "rgb_array"])
@pytest.mark.parametrize("name", ["CatchBall8", "CatchBall16"])
def test_environment_passes_gymnasiums_check_without_a_warning(name, render_mode):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make(f"catch_dqn:catch_dqn/{name}-v0", render_mode=render_mode)
        check_env(env.unwrapped, skip_render_check=render_mode is None)
    assert catch_dqn.__name__ == "catch_dqn"


@pytest.mark.parametrize(("size", "score"), [(8, 99), (16, 98)])
def test_environment_cuts_the_game_at_500_steps_unless_told_otherwise(size, score):
    def play(**options):
        env = gymnasium.make(f"catch_dqn/CatchBall{size}-v0", **options)
        env.reset(seed=5)
        steps, total, truncated = 0, 0.0, False
        while not truncated and steps < 600:
            action = int(perfect_action(env.unwrapped.game, env.unwrapped.state)[0])
            _, reward, terminated, truncated, _ = env.step(action)
            steps, total = steps + 1, total + reward
            assert not terminated
        return steps, total, truncated

    assert play() == (500, score, True)
    assert play(max_episode_steps=30) == (30, 5 if size == 8 else 4, True)
    assert play(max_episode_steps=-1) == (600, score + 20, False)


def test_a_new_game_has_its_time_before_it():
    env = gymnasium.make("catch_dqn/CatchBall16-v0", max_episode_steps=10)
    for _ in range(2):
        env.reset(seed=0)
        assert [env.step(STAY)[3] for _ in range(10)] == [False] * 9 + [True]


def test_environment_renders_what_it_is():
    state = State(np.array([4]), np.array([2]), np.array([[0, 6]]))
    env = gymnasium.make("catch_dqn/CatchBall8-v0", render_mode="ansi")
    env.reset(options={"state": state})
    lines = env.render().splitlines()
    assert (len(lines), lines[2], lines[7]) == (8, "o.......", "....==o.")
    gone = State(np.array([4]), np.array([3]), np.array([[0, 6]]))
    env.reset(options={"state": gone})
    assert env.render().count("o") == 1
    assert env.render().splitlines()[7] == "....===."
    pixels = gymnasium.make("catch_dqn/CatchBall8-v0", render_mode="rgb_array")
    pixels.reset(options={"state": state})
    picture = pixels.render()
    assert picture.shape == (192, 192, 3)
    colours = picture[12::24, 12::24].reshape(64, 3)  # the middle of each cell
    ball, bar = colours[2 * 8 + 0], colours[7 * 8 + 4]
    assert np.flatnonzero((colours == ball).all(axis=1)).tolist() == [16, 62]
    assert np.flatnonzero((colours == bar).all(axis=1)).tolist() == [60, 61]
