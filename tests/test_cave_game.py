"""The rules of CAVE, against hand-worked flights, and the compiled side against the NumPy side."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from keras import ops

import cave_game  # noqa: F401  registers the environment
from cave_game.game import (
    BLOCK,
    BLOCK_EVERY,
    BLOCK_HEIGHT,
    BLOCK_WIDTH,
    CEILING,
    COLUMNS,
    FLOOR,
    FLYING,
    FRAMES,
    HELD,
    LEAST_GAP,
    MARGIN,
    NO_BLOCK,
    PASSAGE,
    QUARTERS,
    RELEASED,
    ROWS,
    START_GAP,
    Cave,
)
from shared.nn.backend import compiled

GAME, TOLD = Cave(), Cave("columns")


def start(games=1):
    return GAME.reset(np, np.zeros((games, 0), np.float32))


def step(state, action, draw=0.5):
    games = len(state.height)
    return GAME.step(np, state, np.full(games, action, np.int32), np.full((games, 1), draw, np.float32))


def hover(games, steps, seed):
    """States of flights that are kept in the middle of the first screen, so that they see many columns enter."""
    rng, state = np.random.default_rng(seed), start(games)
    for _ in range(steps):
        height = np.full(games, 23 * QUARTERS, np.int32)
        state = state._replace(height=height, speed=np.zeros_like(height), ending=np.zeros_like(height))
        draws = rng.random((games, 1), dtype=np.float32)
        state, _, _ = GAME.step(np, state, np.full(games, HELD, np.int32), draws)
        yield state


def test_button_held_rises_and_released_sinks_within_the_top_speed():
    for action, way in ((HELD, -1), (RELEASED, 1)):
        state, heights = start(), []
        for _ in range(9):
            state, reward, terminated = step(state, action)
            heights.append(int(state.height[0]) - 23 * QUARTERS)
            assert reward[0] == 1
            assert not terminated[0]
        assert heights == [way * height for height in (1, 3, 6, 10, 15, 21, 27, 33, 39)]


def test_height_is_drawn_rounded_to_the_nearest_row():
    state, rows = start(), []
    for _ in range(5):
        state, _, _ = step(state, RELEASED)
        rows.append(int(state.rows[0, -1]))
    assert rows == [23, 24, 25, 26, 27]  # 23.25, 23.75, 24.5 (upwards from the half), 25.5, 26.75


@pytest.mark.parametrize(("action", "ending"), [(HELD, CEILING), (RELEASED, FLOOR)])
def test_the_step_into_rock_is_the_last_and_earns_nothing(action, ending):
    state, steps, terminated = start(), 0, [False]
    while not terminated[0]:
        state, reward, terminated = step(state, action)
        steps += 1
        assert reward[0] == (0 if terminated[0] else 1)
    # 14 free rows above and below: quarter 56 is the last that is drawn free, 57 of it rounded. 39 + 6 n > 57.
    assert steps == 13
    assert state.ending[0] == ending
    assert step(state, 1 - action)[0].ending[0] == ending  # and it stays so


def test_a_block_is_hit_from_the_side():
    state = start()
    block = state.block.copy()
    block[:, FRAMES - 1 + 10] = 20  # comes under the craft's right edge at the next step
    state, reward, terminated = step(state._replace(block=block), HELD)
    assert (state.ending[0], reward[0], terminated[0]) == (BLOCK, 0, True)


@pytest.mark.parametrize(("top", "ending"), [(24, FLYING), (23, BLOCK), (16, BLOCK), (15, BLOCK), (14, FLYING)])
def test_a_block_touches_the_craft_only_where_they_share_a_row(top, ending):
    state = start()
    block = state.block.copy()
    block[:, FRAMES - 1 + 9] = top
    state = state._replace(block=block, height=np.array([22 * QUARTERS + 1], np.int32))
    state, _, _ = step(state, HELD)
    assert state.rows[0, -1] == 22
    assert state.ending[0] == ending


def test_every_cave_keeps_the_rules_of_the_rock():
    previous, gaps = None, []
    for state in hover(games=200, steps=1000, seed=1):
        column = int(state.distance[0]) + COLUMNS - 1
        ceiling, floor, block = (profile[:, -1].astype(int) for profile in state[3:6])
        gap = floor - ceiling
        assert (ceiling >= MARGIN).all()
        assert (floor <= ROWS - MARGIN).all()
        assert (gap == gap[0]).all()
        gaps.append(gap[0])
        if previous is not None:
            changes = np.stack([ceiling, floor]) - previous[:2]
            assert (np.abs(changes) <= 1).all()
        if column % BLOCK_EVERY < BLOCK_WIDTH:
            above, below = block - ceiling, floor - block - BLOCK_HEIGHT
            assert (above >= 0).all()
            assert (below >= 0).all()
            assert (np.maximum(above, below) >= PASSAGE).all()
            if column % BLOCK_EVERY:
                assert (np.stack([ceiling, floor, block]) == previous).all()
        else:
            assert (block == NO_BLOCK).all()
        previous = np.stack([ceiling, floor, block])
    assert gaps[0] == START_GAP
    assert gaps[-1] == LEAST_GAP
    assert set(np.diff(gaps)) == {-1, 0}


def test_every_place_of_a_block_is_drawn_equally_often():
    state = start(20_000)
    # The column that enters next is a block's first, and the passage is at its narrowest.
    state = state._replace(distance=state.distance + 960, floor=state.ceiling + np.int8(LEAST_GAP))
    draws = np.random.default_rng(3).random((20_000, 1), dtype=np.float32)
    state, _, _ = GAME.step(np, state, np.zeros(20_000, np.int32), draws)
    above = state.block[:, -1].astype(int) - state.ceiling[:, -1]
    places = [0, 1, 2, 3, 7, 8, 9, 10]  # of 0..10 in a gap of 18; 4, 5 and 6 would leave 6 free rows at most
    assert sorted(set(above)) == places
    counts = np.bincount(above)[places]
    assert abs(counts - 2500).max() < 5 * np.sqrt(2500)


def test_walls_go_up_and_down_equally_often_away_from_the_edges():
    *_, state = hover(games=20_000, steps=4, seed=4)
    shift = state.ceiling[:, -1].astype(int) - state.ceiling[:, -2]
    counts = np.bincount(shift + 1)
    assert abs(counts - 20_000 / 3).max() < 5 * np.sqrt(20_000 / 3)


def test_observation_is_the_last_four_screens_at_half_the_resolution():
    rng, games = np.random.default_rng(5), 32
    state = start(games)
    screens = [GAME.screen(np, state)] * FRAMES
    for _ in range(100):
        draws = rng.random((games, 1), dtype=np.float32)
        flying = state.ending == FLYING
        state, _, _ = GAME.step(np, state, rng.integers(0, 2, games, dtype=np.int32), draws)
        screens.append(GAME.screen(np, state))
        halves = [screen.reshape(games, 24, 2, 24, 2).mean(axis=(2, 4)) for screen in screens[-FRAMES:]]
        observation = GAME.observe(np, state)
        assert observation.dtype == np.float32
        np.testing.assert_array_equal(observation[flying], np.stack(halves, axis=-1)[flying])
    assert not flying.all()


def test_columns_tell_what_lies_ahead_from_the_craft_on():
    seen = TOLD.observe(np, start())[0]
    assert seen.shape == TOLD.observation_shape
    ceiling, floor, block = seen[:-1].reshape(3, 40)  # in half screens of 24 rows, below the craft's upper edge at 23
    np.testing.assert_allclose(ceiling, (9 - 23) / 24, rtol=1e-6)
    np.testing.assert_allclose(floor, (39 - 23) / 24, rtol=1e-6)
    assert (block == 1).all()  # there is none
    assert seen[-1] == 0

    state = start()._replace(height=np.array([4 * 30 + 1]), speed=np.array([-5]))
    here = state.block.copy()
    here[:, -3:] = 12
    seen = TOLD.observe(np, state._replace(block=here))[0]
    np.testing.assert_allclose(seen[-4:-1], (4 * 12 - 121) / 96, rtol=1e-6)
    assert seen[-1] == -1.25
    for state in hover(games=20, steps=200, seed=9):
        seen = TOLD.observe(np, state)
        assert (np.abs(seen[:, :-1]) <= 1).all()
        top = state.ceiling[:, -1] * 4.0 - state.height
        np.testing.assert_allclose(seen[:, 39], np.clip(top / 96, -1, 1), rtol=1e-6)


def test_what_is_packed_for_replay_memory_is_seen_as_it_was():
    for number, state in enumerate([start(50), *hover(games=50, steps=700, seed=8)]):
        if number % 10 < 5:  # blocks come, stand and go within 24 steps
            found = GAME.unpack(np, GAME.pack(np, state))
            for mine, other in zip(found, state, strict=True):
                np.testing.assert_array_equal(mine, other)
                assert mine.dtype == other.dtype
    packed = GAME.pack(ops, type(state)(*map(ops.convert_to_tensor, state)))
    for ours, theirs in zip(GAME.pack(np, state), packed, strict=True):
        np.testing.assert_array_equal(ours, ops.convert_to_numpy(theirs))
    seen = GAME.observe(ops, GAME.unpack(ops, packed))
    np.testing.assert_array_equal(GAME.observe(np, state), ops.convert_to_numpy(seen))


def test_screen_shows_rock_craft_and_block():
    state = start()
    block = state.block.copy()
    block[:, -3:] = 12
    screen = GAME.screen(np, state._replace(block=block))[0]
    expected = np.zeros((48, 48), np.float32)
    expected[:9] = expected[39:] = 0.5
    expected[12:20, 45:] = 0.5
    expected[23:25, 8:10] = 1
    np.testing.assert_array_equal(screen, expected)


def test_compiled_and_numpy_sides_are_equal_step_by_step():
    games, steps = 16, 300
    rng = np.random.default_rng(6)
    draws = rng.random((steps, games, 1), dtype=np.float32)

    @compiled
    def both(state, action, draw):
        state, reward, terminated = GAME.step(ops, state, action, draw)
        seen = (GAME.observe(ops, state), TOLD.observe(ops, state), GAME.screen(ops, state))
        return state, reward, terminated, *seen

    ours = start(games)
    theirs = GAME.reset(ops, ops.zeros((games, 0)))
    goals = QUARTERS * rng.integers(2, 46, games)  # some fly into rock early, some meet blocks
    for draw in draws:
        action = (ours.height + 3 * ours.speed > goals).astype(np.int32)
        ours, *results = GAME.step(np, ours, action, draw)
        theirs, *others = both(theirs, action, draw)
        results += [GAME.observe(np, ours), TOLD.observe(np, ours), GAME.screen(np, ours)]
        for mine, other in zip([*ours, *results], [*theirs, *others], strict=True):
            other = ops.convert_to_numpy(other)
            assert mine.dtype == other.dtype
            np.testing.assert_array_equal(mine, other)
    assert set(ours.ending) == {CEILING, FLOOR, BLOCK}


def test_same_draws_same_cave_however_it_is_flown():
    draws = np.random.default_rng(7).random((100, 1, 1), dtype=np.float32)
    caves = []
    for action in (RELEASED, HELD):
        state = start()
        for draw in draws:
            state, _, _ = GAME.step(np, state, np.array([action], np.int32), draw)
        caves.append(np.stack(state[3:6]))
    np.testing.assert_array_equal(*caves)


@pytest.mark.parametrize("options", [{}, {"observation": "columns"}])
def test_environment_passes_gymnasiums_check_without_a_warning(options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make("cave_game/Cave-v0", **options).unwrapped)


def test_an_observation_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="observation='huge': choose one of"):
        gymnasium.make("cave_game/Cave-v0", observation="huge")


def test_environment_shows_the_full_screen_and_cuts_at_the_limit():
    env = gymnasium.make("cave_game/Cave-v0", max_episode_steps=5)
    observation, info = env.reset(seed=1)
    assert observation.shape == (24, 24, 4)
    for number in range(5):
        observation, reward, terminated, truncated, info = env.step(number % 2)
        np.testing.assert_array_equal(info["screen"], GAME.screen(np, env.unwrapped.state)[0])
        assert (reward, terminated, truncated) == (1, False, number == 4)
    assert gymnasium.spec("cave_game/Cave-v0").max_episode_steps == 2000


def test_same_seed_same_cave_other_seed_other_cave():
    def profile(seed):
        env = gymnasium.make("cave_game/Cave-v0")
        env.reset(seed=seed)
        for number in range(12):
            env.step(number % 2)
        return env.unwrapped.state.ceiling

    np.testing.assert_array_equal(profile(1), profile(1))
    assert (profile(1) != profile(2)).any()


def test_pictures_show_the_crash():
    env = gymnasium.make("cave_game/Cave-v0", render_mode="rgb_array")
    env.reset(seed=0)
    terminated = False
    while not terminated:
        *_, terminated, _, _ = env.step(RELEASED)
    state = env.unwrapped.state
    kinds = env.unwrapped.cells(state)
    top = int(state.rows[0, -1])
    np.testing.assert_array_equal(np.argwhere(kinds == 3), [(top + r, 8 + c) for r in (0, 1) for c in (0, 1)])
    assert (kinds == 2).sum() == 0
    pixels = env.render()
    assert pixels.shape == (384, 384, 3)
    assert tuple(pixels[8 * top, 64]) == (239, 71, 72)
    assert env.unwrapped.render_text(state).splitlines()[top][7:11] == "#XX#"


@pytest.mark.parametrize("action", [2, -1, 1.5, None])
def test_an_action_that_there_is_not_is_refused(action):
    env = gymnasium.make("cave_game/Cave-v0").unwrapped
    env.reset(seed=0)
    with pytest.raises(ValueError, match="choose a whole number from 0 to 1"):
        env.step(action)
