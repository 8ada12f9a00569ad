"""The scripted players of CAVE, the planner that is the upper bound, and the flights that compare them."""

import itertools

import numpy as np
import pytest

from cave_game import planner, players
from cave_game.flights import Flights, fly
from cave_game.game import BLOCK, CEILING, FLOOR, FLYING, HELD, QUARTERS, RELEASED, TOP_SPEED, Cave
from cave_game.planner import Planner, free_heights, plan, ways_through
from cave_game.players import RandomPlayer, middle_player, network_player
from shared.errors import UserError

GAME = Cave()


def start(games=1):
    return GAME.reset(np, np.zeros((games, 0), np.float32))


def heights(bits):
    return [height for height in range(200) if bits >> height & 1]


def touches(height, ceiling, floor, block):
    """Whether the rules say that a craft at this height touches something in columns of this profile."""
    row = np.array([(height + 2) // 4], np.int32)
    profiles = [np.full((1, 51), value, np.int8) for value in (ceiling, floor, block)]
    return GAME._hit(np, row, *profiles)[0] != FLYING


@pytest.mark.parametrize(("ceiling", "floor", "block"), [(9, 39, 48), (3, 21, 6), (10, 28, 10), (12, 30, 22)])
def test_free_heights_are_those_that_the_rules_let_pass(ceiling, floor, block):
    expected = [height for height in range(4 * 46) if not touches(height, ceiling, floor, block)]
    assert expected
    assert heights(free_heights([ceiling] * 2, [floor] * 2, [block] * 2)) == expected


def test_ways_through_are_those_that_a_search_over_all_flights_finds():
    rng = np.random.default_rng(0)
    ceiling = 9 + rng.integers(-1, 2, 7).cumsum()
    floor, block = (
        ceiling + 9,
        np.array([48, 48, 48, 48, 12, 12, 48]),
    )  # narrower than any real cave: some ways are shut
    found = ways_through(ceiling.tolist(), floor.tolist(), block.tolist())
    assert len(found) == 6
    free = [set(heights(free_heights(ceiling[i : i + 2], floor[i : i + 2], block[i : i + 2]))) for i in range(6)]

    def can_go_on(height, speed):
        for actions in itertools.product((RELEASED, HELD), repeat=5):
            h, v, alive = height, speed, height in free[0]
            for step, action in enumerate(actions, start=1):
                v = np.clip(v + 1 - 2 * action, -TOP_SPEED, TOP_SPEED)
                h += v
                alive = alive and h in free[step]
            if alive:
                return True
        return False

    for speed in (-6, -3, 0, 1, 6):
        expected = [height for height in range(20, 80) if can_go_on(height, speed)]
        assert heights(found[0][speed]) == expected
    assert heights(found[0][0])
    assert heights(found[0][0]) != sorted(free[0])


def test_planner_survives_a_sample_of_caves():
    flights = fly(Planner(), 12, 1, 2000, GAME)
    np.testing.assert_array_equal(flights.scores, np.full(12, 2000))
    np.testing.assert_array_equal(flights.endings, np.full(12, FLYING))


def test_plan_reaches_the_right_edge_of_the_screen():
    state = start()
    for draw in np.random.default_rng(2).random(30, dtype=np.float32):
        state, _, _ = GAME.step(np, state, np.array([plan(state)[0]], np.int32), np.array([[draw]], np.float32))
    actions = plan(state)
    assert len(actions) == 38
    for action in actions:  # what comes into view meanwhile does not matter
        state, _, terminated = GAME.step(np, state, np.array([action], np.int32), np.zeros((1, 1), np.float32))
        assert not terminated[0]


def test_planner_starts_anew_with_a_new_cave():
    player, state = Planner(), start()
    for _ in range(5):
        state, _, _ = GAME.step(np, state, player(state), np.full((1, 1), 0.5, np.float32))
    for row in (10, 30):
        again = start()._replace(height=np.array([row * QUARTERS], np.int32))
        assert player(again)[0] == plan(again)[0] == (RELEASED if row == 10 else HELD)


def test_random_player_obeys_its_seed():
    def flown(seed):
        return fly(RandomPlayer(seed), 200, 3, 2000, GAME)

    first, second, other = flown(1), flown(1), flown(2)
    np.testing.assert_array_equal(first.scores, second.scores)
    assert (first.scores != other.scores).any()
    assert 25 < first.scores.mean() < 36  # 30.5 over 1000 caves
    assert set(first.endings) == {CEILING, FLOOR, BLOCK}


def test_middle_player_keeps_off_the_walls_and_dies_of_a_block():
    flights = fly(middle_player, 200, 3, 2000, GAME)
    np.testing.assert_array_equal(flights.endings, np.full(200, BLOCK))
    assert 60 < flights.scores.mean() < 80  # 69 over 1000 caves


def test_score_counts_the_steps_survived_and_stops_at_the_limit():
    def held(state):
        return np.full(len(state.height), HELD, np.int32)

    flights = fly(held, 3, 0, 2000, GAME)
    np.testing.assert_array_equal(flights.scores, [12, 12, 12])  # the 13th step ends it
    np.testing.assert_array_equal(flights.endings, [CEILING] * 3)
    flights = fly(held, 2, 0, 5, GAME)
    np.testing.assert_array_equal(flights.scores, [5, 5])
    np.testing.assert_array_equal(flights.endings, [FLYING] * 2)


def test_network_player_takes_the_action_of_highest_value():
    import keras

    class Darker(keras.Layer):
        """Values that depend on the newest screen: hold the button where its upper half is brighter than the lower."""

        def call(self, observation):
            screen = observation[..., -1]
            upper, lower = keras.ops.sum(screen[:, :12], (1, 2)), keras.ops.sum(screen[:, 12:], (1, 2))
            return keras.ops.stack([lower, upper], axis=-1)

    model = keras.Sequential([keras.Input(GAME.observation_shape), Darker()])
    state = start(2)
    ceiling = state.ceiling.copy()
    ceiling[0] += 3
    ceiling[1] -= 3
    action = network_player(model, GAME)(state._replace(ceiling=ceiling))
    np.testing.assert_array_equal(action, [HELD, RELEASED])
    assert action.dtype == np.int32


def test_planner_command_flies_and_says_so(capsys):
    assert planner.main(["--caves", "2", "--seed", "5"]) == 0
    assert capsys.readouterr().out.startswith("2 of 2 caves flown for 2000 steps")


@pytest.mark.parametrize("arguments", [["--caves", "0"], ["--seed", "-1"], ["--caves", "many"]])
def test_planner_command_refuses_nonsense_in_one_line(arguments):
    with pytest.raises(UserError, match=arguments[0]):
        planner.main(arguments)


def test_summary_counts_the_endings():
    flights = Flights(np.array([10, 2000, 30, 40, 2000], np.float32), np.array([CEILING, FLYING, BLOCK, BLOCK, FLYING]))
    summary = flights.summary()
    assert summary.pop("mean_score") == 816
    assert summary.pop("ci95") == pytest.approx(2.776 * np.std(flights.scores, ddof=1) / np.sqrt(5))  # Student's t
    assert summary == {"episodes": 5, "flown": 2, "ceiling": 1, "floor": 0, "block": 2}


def test_players_command_compares_them_all(capsys):
    assert players.main(["--caves", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["random", "middle", "planner"]
    assert lines[2].startswith(
        "planner               2000.0 ± 0.0 steps survived on average in 2 caves, 2 flown to the time limit;"
    )
