"""CAVE by its author's rules: against a slow player of them in plain Python, and the compiled side against NumPy's."""

import warnings
from fractions import Fraction

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from keras import ops

import cave_game  # noqa: F401  registers the environment
from cave_game.flights import fly
from cave_game.game import BLOCK, CEILING, FLOOR, FLYING, HELD, RELEASED
from cave_game.game2017 import CELL, MIDDLE, NO_BLOCK, Cave2017
from cave_game.players import Held, RandomPlayer
from shared.nn.backend import compiled

GAME = Cave2017()


def start(games=1, game=GAME):
    return game.reset(np, np.zeros((games, 0), np.float32))


def step(state, action, draws=(0.5, 0.5), game=GAME):
    games = len(state.ending)
    return game.step(np, state, np.full(games, action, np.int32), np.array([draws] * games, np.float32))


class SlowCave:
    """One flight by the published rules, in exact fractions of a cell, drawn by slices of an array."""

    def __init__(self):
        self.y, self.speed, self.time = Fraction(24), Fraction(0), 0
        self.size, self.centre, self.slope, self.narrow = Fraction(48 * 55, 100), Fraction(24), 0, 0
        self.walls = [(self.size, self.centre)] * 48
        self.tail, self.blocks, self.since_block = [self.y] * 15, [], 0
        self.over = False

    def step(self, button, u, place):
        self.speed += Fraction(-8 if button else 8, 100)
        self.y += self.speed
        self.narrow += 1
        if self.narrow > 50:
            self.narrow, self.size = 0, max(self.size - Fraction(48, 100), Fraction(48 * 3, 10))
        up, down = (0.2 if self.slope == 1 else 0.6), (0.8 if self.slope == -1 else 0.4)
        if u > up:
            self.centre, self.slope = self.centre + (u - Fraction(6, 10)) * Fraction(48, 10), 1
        elif u < down:
            self.centre, self.slope = self.centre - (Fraction(4, 10) - u) * Fraction(48, 10), -1
        else:
            self.slope = 0
        self.walls = [*self.walls[1:], (self.size, self.centre)]
        self.tail = [*self.tail[1:], self.y]
        self.time += 1
        self.blocks = [(column - 1, top) for column, top in self.blocks]
        self.since_block += 1
        if self.since_block > 20 and self.time > 50:
            self.since_block = 0
            low, high = int(self.centre - self.size / 2), int(self.centre + self.size / 2 - 6)
            self.blocks.append((48, low + int(place * (high - low))))
        size, centre = self.walls[15]
        hits_rock = self.y <= centre - size / 2 or self.y >= centre + size / 2
        hits_block = any(c <= 15 <= c + 2 and top <= self.y <= top + 6 for c, top in self.blocks)
        self.over = hits_rock or hits_block
        self.blocks = [block for block in self.blocks if block[0] >= 0]

    def screen(self):
        screen, shift = np.zeros((48, 48), np.float32), self.y - 24
        for i, y in enumerate(self.tail):
            screen[int(y - shift - Fraction(1, 2)) : int(y - shift + Fraction(1, 2)), int(i - 0.5) : int(i + 0.5)] = 0.8
        screen[23:24, 14:15] = 1
        for column, top in self.blocks:
            screen[int(top - shift) : int(top + 6 - shift), column : column + 2] = 0.5
        for column, (size, centre) in enumerate(self.walls):
            first, last = int(centre - size / 2 - shift), int(centre + size / 2 - shift)
            screen[0 : max(first, 0), column] = 0.4
            screen[min(last, 48) : 48, column] = 0.4
        return screen


def middle_of(draw):
    """The number that a draw stands for: the middle of one of 120 equal parts."""
    return Fraction(2 * int(np.float32(draw) * np.float32(120)) + 1, 240)


def free_flights(games, steps, seed, speeds=14):
    """States of flights that nothing ends, with what was done: they wander far above and below the rock as well."""
    rng, state = np.random.default_rng(seed), start(games)
    for _ in range(steps):
        action = np.where(np.abs(state.speed) > 4 * speeds, state.speed > 0, rng.integers(0, 2, games)).astype(np.int32)
        draws = rng.random((games, 2), dtype=np.float32)
        state, _, _ = GAME.step(np, state._replace(ending=np.zeros(games, np.int32)), action, draws)
        yield state, action, draws


def test_flights_and_screens_are_those_of_the_published_rules():
    games, steps = 4, 420
    slow, screens = [SlowCave() for _ in range(games)], [[] for _ in range(games)]
    for kept, cave in zip(screens, slow, strict=True):
        kept += [cave.screen()] * 9
    crashes, wrapped = 0, 0
    for state, action, draws in free_flights(games, steps, seed=3, speeds=10):
        seen, right = GAME.observe(np, state), Cave2017(quirks=False).screen(np, state)
        for i, cave in enumerate(slow):
            cave.step(action[i], middle_of(draws[i, 0]), Fraction(float(draws[i, 1])))
            screens[i] = [*screens[i][1:], cave.screen()]
            assert Fraction(int(state.heights[i, -1]), CELL) == cave.y
            assert (state.ending[i] != FLYING) == cave.over
            np.testing.assert_array_equal(GAME.screen(np, state)[i], screens[i][-1])
            np.testing.assert_array_equal(seen[i], screens[i][::2])
            crashes += cave.over
            wrapped += (right[i] != screens[i][-1]).any()
    assert crashes > 20
    assert wrapped > 20


def test_speed_changes_by_0_08_cells_without_a_limit():
    for action, way in ((HELD, -1), (RELEASED, 1)):
        state = start()
        for steps in range(1, 19):
            state, reward, terminated = step(state, action)
            assert state.heights[0, -1] == MIDDLE + way * 4 * steps * (steps + 1) // 2
            # 13.2 cells above and below are free: 0.08 * 18 * 19 / 2 = 13.68
            assert bool(terminated[0]) == (steps == 18)
            assert reward[0] == -(steps == 18)
        assert state.ending[0] == (CEILING if action == HELD else FLOOR)
        height = state.heights[0, -1]
        state, reward, terminated = step(state, 1 - action)  # nothing moves any more
        assert (state.heights[0, -1], terminated[0]) == (height, True)


def test_survival_is_rewarded_where_it_is_asked_for():
    game = Cave2017(reward="survival")
    state, rewards = start(game=game), []
    for _ in range(18):
        state, reward, _ = step(state, HELD, game=game)
        rewards.append(reward[0])
    assert rewards == [1] * 17 + [0]


@pytest.mark.parametrize(
    ("slope", "draw", "move", "after"),
    [
        (0, 0.999, 95, 1),  # (0.6 to 1 - 0.6) x 4.8 cells are 96 fiftieths
        (0, 0.6, 1, 1),
        (0, 0.599, 0, 0),
        (0, 0.4, 0, 0),
        (0, 0.399, -1, -1),
        (0, 0.0, -95, -1),
        (1, 0.21, -93, 1),
        (1, 0.19, -51, -1),
        (-1, 0.59, 45, -1),
        (-1, 0.61, 3, 1),
    ],
)
def test_the_centre_moves_by_what_was_drawn(slope, draw, move, after):
    state = start()
    state, _, _ = step(state._replace(slope=np.array([slope], np.int32)), HELD, (draw, 0.5))
    assert (state.ceiling[0, -1] + state.floor[0, -1]) // 2 - MIDDLE == move
    assert state.slope[0] == after


def test_the_cave_narrows_and_blocks_come_on_time():
    sizes, blocks = [], []
    for number, (state, _, _) in enumerate(free_flights(200, 1400, seed=1), 1):
        sizes.append(int(state.floor[0, -1] - state.ceiling[0, -1]))
        came = state.block[:, -1] != NO_BLOCK
        assert came.all() or not came.any()
        if came.all() and (state.block[:, -2] == NO_BLOCK).all():
            blocks.append(number)
            beside = state.block[:, -1] - state.ceiling[:, -2], state.floor[:, -2] - state.block[:, -1] - 6 * CELL
            assert all((room > -CELL).all() for room in beside)  # whole rows, rounded towards 0
    assert sizes[49:51] == [1320, 1296]
    assert sizes[24 * 51 + 49 : 24 * 51 + 51] == [744, 720]
    assert sizes[-1] == 720
    assert blocks[:3] == [52, 73, 94]  # they appear a step earlier, beyond the right edge


@pytest.mark.parametrize("column", [12, 13, 14, 15, 16])
@pytest.mark.parametrize(("rows", "inside"), [(0, True), (1, False), (-6, True), (-7, False)])
def test_a_block_is_hit_in_three_columns_and_at_both_of_its_edges(column, rows, inside):
    state = start()
    block = state.block.copy()
    block[:, 8 + column + 1 : 8 + column + 3] = MIDDLE - 4 + rows * CELL  # where the craft will be
    state, _, _ = step(state._replace(block=block), HELD)
    assert state.ending[0] == (BLOCK if inside and 13 <= column <= 15 else FLYING)


def test_what_is_drawn_above_the_screen_is_the_authors_quirk():
    state = start()
    block = state.block.copy()
    block[:, -2:] = [-3 * CELL, -9 * CELL]  # rows -3 to 2, and -9 to -4
    state = state._replace(block=block)
    quirky, right = GAME.screen(np, state)[0], Cave2017(quirks=False).screen(np, state)[0]
    state = state._replace(ceiling=state.ceiling - 20 * CELL)
    assert not (quirky[:3, 46] == 0.5).any()
    assert (right[:3, 46] == 0.4).all()  # rock is drawn over it
    quirky, right = GAME.screen(np, state)[0], Cave2017(quirks=False).screen(np, state)[0]
    assert not quirky[:3, 46].any()
    assert (right[:3, 46] == 0.5).all()
    assert (right[3:, 46][:30] == 0).all()
    high = state._replace(floor=state.floor + 20 * CELL)
    assert (GAME.screen(np, high)[0, 39:45, 47] == 0.5).all()
    assert not Cave2017(quirks=False).screen(np, high)[0, :, 47].any()


def test_halved_screens_are_the_shares_of_rock_in_squares():
    game, kept = Cave2017(observation="halved"), None
    fine = np.arange(48 * CELL)[None, :, None]  # fiftieths of a cell below the screen's upper edge
    for number, (state, _, _) in enumerate(free_flights(3, 300, seed=5), 1):
        shift = state.heights[:, -1][:, None, None] - MIDDLE
        ceiling, floor, block = (profile[:, 8:][:, None] - shift for profile in state[2:5])
        if number >= 100 and (number - 100) % 21 == 0:  # a block that has left by half is not drawn
            block[:, :, 0] = NO_BLOCK
        solid = (fine < ceiling) | (fine >= floor) | ((fine >= block) & (fine < block + 6 * CELL))
        share = solid.reshape(3, 24, 2 * CELL, 24, 2).mean(axis=(2, 4))
        kept = [share] * 7 if kept is None else [*kept[1:], share]
        if number >= 7:
            seen = game.observe(np, state)
            np.testing.assert_allclose(seen, np.stack(kept[::2], axis=-1), atol=1e-6)


def test_columns_tell_what_lies_ahead_from_the_craft_on():
    game = Cave2017(observation="columns")
    seen = game.observe(np, game.reset(np, np.zeros((1, 0))))[0]
    assert seen.shape == game.observation_shape
    ceiling, floor, block = seen[:-1].reshape(3, 33)  # in half screens of 24 cells, below the craft
    np.testing.assert_allclose(ceiling, -13.2 / 24, rtol=1e-6)
    np.testing.assert_allclose(floor, 13.2 / 24, rtol=1e-6)
    assert (block == 1).all()  # there is none
    assert seen[-1] == 0
    for number, (state, _, _) in enumerate(free_flights(5, 200, seed=11)):
        seen = game.observe(np, state)
        for part, profile in zip(seen[:, :-1].reshape(5, 3, 33).swapaxes(0, 1), state[2:5], strict=True):
            below = (profile[:, 8 + 15 :] - state.heights[:, -1:]) / CELL
            np.testing.assert_allclose(part, np.clip(below / 24, -1, 1), rtol=1e-6)
        np.testing.assert_allclose(seen[:, -1], np.clip(state.speed / CELL, -4, 4), rtol=1e-6)
        if number == 60:
            assert (seen[:, 66:99] != 1).any()


@pytest.mark.parametrize("observation", ["published", "halved", "columns"])
def test_what_is_packed_for_replay_memory_is_seen_as_it_was(observation):
    game = Cave2017(observation)
    for number, (state, _, _) in enumerate(free_flights(20, 400, seed=8)):
        if number % 21 < 6 or number < 30:
            found = game.unpack(np, game.pack(np, state))
            np.testing.assert_array_equal(game.observe(np, found), game.observe(np, state))
            assert [field.dtype for field in found] == [field.dtype for field in state]
    packed = game.pack(ops, type(state)(*map(ops.convert_to_tensor, state)))
    for ours, theirs in zip(game.pack(np, state), packed, strict=True):
        np.testing.assert_array_equal(ours, ops.convert_to_numpy(theirs))
    seen = game.observe(ops, game.unpack(ops, packed))
    np.testing.assert_array_equal(game.observe(np, state), ops.convert_to_numpy(seen))


@pytest.mark.parametrize(
    "game",
    [Cave2017(), Cave2017(quirks=False), Cave2017("halved", reward="survival"), Cave2017("columns")],
    ids=["quirks", "right", "halved", "columns"],
)
def test_compiled_and_numpy_sides_are_equal_step_by_step(game):
    games = 8

    @compiled
    def both(state, action, draws):
        state, reward, terminated = game.step(ops, state, action, draws)
        return *state, reward, terminated, game.observe(ops, state), game.screen(ops, state)

    before = start(games)
    for state, action, draws in free_flights(games, 150, seed=6):
        ours = game.step(np, before._replace(ending=np.zeros(games, np.int32)), action, draws)
        theirs = both(before._replace(ending=np.zeros(games, np.int32)), action, draws)
        mine = (*ours[0], *ours[1:], game.observe(np, ours[0]), game.screen(np, ours[0]))
        for one, other in zip(mine, theirs, strict=True):
            other = ops.convert_to_numpy(other)
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
        before = state


def test_random_play_scores_what_it_scored_in_the_authors_program():
    every_step, held = RandomPlayer(1), Held(RandomPlayer(1), 3)
    # 58.9 +- 0.7 and 43.8 +- 0.6 there (standard errors over 1500 caves).
    for player, score, error in ((every_step, 58.9, 0.7), (held, 43.8, 0.6)):
        scores = fly(player, 4000, 2, 10_000, GAME).scores
        assert abs(scores.mean() - score) < 3 * np.hypot(error, scores.std() / np.sqrt(4000))


@pytest.mark.parametrize(
    "options",
    [{}, {"quirks": False}, {"observation": "halved", "reward": "survival"}, {"observation": "columns"}],
)
def test_environment_passes_gymnasiums_check_without_a_warning(options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make("cave_game/Cave2017-v0", **options).unwrapped)


def test_impossible_options_are_refused():
    with pytest.raises(ValueError, match="observation='huge': choose one of"):
        gymnasium.make("cave_game/Cave2017-v0", observation="huge")
    with pytest.raises(ValueError, match="reward='gold'"):
        gymnasium.make("cave_game/Cave2017-v0", reward="gold")


def test_pictures_show_block_tail_and_crash():
    env = gymnasium.make("cave_game/Cave2017-v0", render_mode="ansi").unwrapped
    env.reset(seed=0)
    for number in range(18):
        *_, terminated, _, info = env.step(RELEASED)
        lines = env.render().splitlines()
        assert lines[23][14] == ("X" if number == 17 else "@")
        assert lines[23][13] == ("-" if number < 17 else "#")  # rock is drawn over the tail
        assert number or lines[9] == "#" * 48
    assert terminated
    assert info["screen"].shape == (48, 48)
