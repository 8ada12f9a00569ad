"""What the agent thinks, beside its games: action values, chances, distributions, and what a better player would do."""

import io
import itertools

import gymnasium
import keras
import numpy as np
import pytest
from PIL import Image
from pseudo_terminal import PseudoTerminal

from catch_dqn import play
from catch_dqn.ball_game import NO_BALL, CatchBall
from catch_dqn.experiment import EXPERIMENTS as CATCH
from catch_dqn.game import LEFT, RIGHT, Catch, State
from catch_dqn.perfect_player import MOVES, advise, advise_in_catch, perfect_action
from cave_game import planner
from cave_game.game import Cave
from lunar_pg import play as play_lunar
from lunar_pg.experiment import EXPERIMENTS as LUNAR
from shared.display import playback
from shared.display.values import BAR, CHOSEN, Mind
from shared.errors import UserError
from shared.learn import experiment
from shared.rollouts.action_values import ActionValues, Advice


def minded(said, advice=None, action=0, names=("left", "right")):
    """A `Mind` that has thought one thought."""
    mind = Mind(lambda observation: said, names, None if advice is None else lambda env: advice)
    mind.think(None, None, action)
    return mind


# -- as text and as a picture -------------------------------------------------------------------------------------


def test_values_are_bars_between_the_least_and_the_greatest_so_far():
    mind = minded(ActionValues(np.array([-1.0, 3.0])), action=1)
    assert mind.lines() == [f"left  {14 * ' '}   -1.00", f"right {14 * '█'}    3.00 ◀"]
    mind._outlook = lambda observation: ActionValues(np.array([1.0, 1.0]))
    mind.think(None, None, 0)
    assert [line.count("█") for line in mind.lines()] == [7, 7]


def test_chances_are_bars_of_the_whole():
    lines = minded(ActionValues(np.array([0.5, 0.25]), are_chances=True)).lines(glyphs=False)
    assert lines == [f"left  {'#######':14}  50.0% <", f"right {'####':14}  25.0%"]


def test_distributions_are_histograms():
    returns, chances = np.repeat(np.linspace(0, 13, 14)[:, None], 2, axis=1), np.zeros((14, 2))
    chances[0, 0], chances[13, 1], chances[0, 1] = 1.0, 0.5, 0.5
    said = ActionValues(np.array([0.0, 6.5]), returns=returns, chances=chances)
    left, right = minded(said).lines()
    assert left[6:20] == "█" + 13 * " "
    assert right[6:20] == "▄" + 12 * " " + "▄"


def test_an_action_without_a_name_goes_by_its_number():
    assert minded(ActionValues(np.array([1.0, 2.0])), names=()).lines()[1].startswith("1 ")


@pytest.mark.parametrize(("action", "verdict"), [(0, "agent's choice: costs 2 points"), (1, "agent's choice: as good")])
def test_the_adviser_says_what_a_choice_costs(action, verdict):
    advice = Advice("planner", 1, (2.0, 0.0), "points")
    assert minded(ActionValues(np.zeros(2)), advice, action).lines()[2:] == ["planner: right", verdict]


def test_the_panel_has_the_height_of_the_picture_and_long_bars_for_large_values():
    picture = minded(ActionValues(np.array([0.0, 4.0])), action=1).beside(np.zeros((200, 300, 3), np.uint8))
    assert picture.dtype == np.uint8
    assert picture.shape == (200, 450, 3)
    assert not picture[:, :300].any()
    counted = [(picture == colour).all(axis=-1).sum(axis=1).max() for colour in (BAR, CHOSEN)]
    assert counted[0] <= 1
    assert counted[1] > 120


def test_before_the_first_thought_there_is_nothing_to_show():
    mind = Mind(lambda observation: None)
    assert mind.lines() == []
    assert mind.panel(100).shape == (100, 75, 3)


# -- who knows better ---------------------------------------------------------------------------------------------


def outcome(game, state, action):
    """The best that can come of an action in Catch, found by trying everything."""
    draws = np.zeros((1, 0), np.float32)
    state, reward, terminated = game.step(np, state, np.array([action], np.int32), draws)
    return float(reward[0]) if terminated[0] else max(outcome(game, state, then) for then in range(3))


@pytest.mark.parametrize(("paddle", "column"), [*itertools.product((1, 4, 8), range(10))])
def test_costs_in_catch_are_what_is_lost_for_good(paddle, column):
    state = State(*(np.array([number], np.int32) for number in (paddle, column, 5)))  # four steps before the end
    best = [outcome(Catch("all"), state, action) for action in range(3)]
    advice = advise_in_catch(state)
    assert advice.costs == tuple(max(best) - one for one in best)
    assert advice.costs[advice.action] == 0


def every_way(game, state, steps):
    """One game played on in every possible way: yields the first actions [N], then of each step reward and end [N]."""
    ways = np.array(list(itertools.product(range(game.num_actions), repeat=steps)), np.int32)  # [N, steps]
    state = type(state)(*(np.repeat(field, len(ways), axis=0) for field in state))
    yield ways[:, 0]
    for actions in ways.T:
        state, reward, terminated = game.step(np, state, actions, np.zeros((len(ways), 1), np.float32))
        yield reward, terminated


def best_of_each(first, reached):
    """The most that can be reached after each first action."""
    return [reached[first == action].max() for action in range(first.max() + 1)]


def test_costs_in_catch_ball_are_balls_that_are_lost_for_good():
    """Against every way to move a bar, on 8x8, for as long as the balls in view fall."""
    game, rng = CatchBall(8, "all"), np.random.default_rng(0)
    found = set()
    for _ in range(20):
        state = game.reset(np, rng.random((1, 2), dtype=np.float32))
        for _ in range(rng.integers(3, 9)):  # a perfect player for a while, so that there are two balls
            state, _, _ = game.step(np, state, perfect_action(game, state), rng.random((1, 1), dtype=np.float32))
        state = state._replace(bar=rng.integers(0, 6, 1).astype(np.int32))
        in_view = np.sum((state.columns != NO_BALL) & (game.rows(np, state) < game.size - 1))
        first, *steps = every_way(game, state, 7)
        alive, caught = np.ones(len(first), bool), np.zeros(len(first))
        for reward, terminated in steps:
            caught += alive & (reward > 0)
            alive &= ~terminated
        best = best_of_each(first, np.minimum(caught, in_view))
        costs = advise(game, state).costs
        assert costs == tuple(max(best) - one for one in best)
        found.update(costs)
    assert found >= {0, 1}


def test_moves_of_the_bar_are_those_of_the_game():
    game = CatchBall(8, "all")
    state = game.reset(np, np.full((1, 2), 0.5, np.float32))
    for action, move in MOVES.items():
        after, _, _ = game.step(np, state, np.array([action], np.int32), np.zeros((1, 1), np.float32))
        assert after.bar[0] - state.bar[0] == move


def test_costs_in_cave_are_steps_in_view_that_are_lost_for_good():
    """Against every way to fly on for 11 steps, along a flight that falls until it crashes."""
    game, draws = Cave(), np.random.default_rng(0).random((100, 1, 1), dtype=np.float32)
    state, cut, found = game.reset(np, np.zeros((1, 0), np.float32)), 11, set()
    for draw in draws:
        if state.ending[0]:
            break
        first, *steps = every_way(game, state, cut)
        survived = np.sum([~terminated for _, terminated in steps], axis=0)
        left = [planner.steps_left(state, action) for action in range(2)]
        assert [min(some, cut) for some in left] == best_of_each(first, survived)
        assert planner.advise(state).costs == tuple(max(left) - some for some in left)
        found.update(planner.advise(state).costs)
        state, _, _ = game.step(np, state, np.zeros(1, np.int32), draw)
    assert state.ending[0]
    assert max(found) > 20


# -- everywhere ---------------------------------------------------------------------------------------------------


def test_in_a_terminal_they_stand_beside_the_picture():
    with PseudoTerminal("-m", "catch_dqn.play", "--values", "--episodes", "1", NO_COLOR="1") as terminal:
        terminal.read_until("agent's choice")
        terminal.read_until("q quits")
        rows = terminal.screen()
        assert [row[12:].split()[0] for row in rows[:4]] == ["left", "stay", "right", "perfect"]
        terminal.type("q")
        assert terminal.end() == 0


def test_in_a_narrow_terminal_they_stand_beside_the_caption():
    words = ("-m", "cartpole_dqn.play", "--values", "--episodes", "1")
    with PseudoTerminal(*words, rows=24, columns=80) as terminal:
        terminal.read_until("q quits")
        rows = terminal.screen()
        assert rows[20].startswith("game 1 of 1  left")
        terminal.type("q")
        assert terminal.end() == 0


def test_in_a_pipe_they_come_after_each_frame(capsys):
    assert play.main(["--values", "--episodes", "1"]) == 0
    assert capsys.readouterr().out.count("perfect player:") == 10


def test_in_an_animation(tmp_path):
    assert play_lunar.main(["--env", "cartpole", "--episodes", "1", "--time-limit", "4", "--values", "--gif",
                            str(tmp_path / "x.gif")]) == 0  # fmt: skip
    assert Image.open(tmp_path / "x.gif").size == (450, 200)


def test_in_a_notebook(monkeypatch):
    shown = []
    monkeypatch.setattr("shared.learn.in_notebook", lambda: True)
    monkeypatch.setattr("shared.display.notebook._ipython", lambda name: lambda data, format: shown.append(data))
    agent = experiment("catch_dqn", hidden=(4,))
    agent.play(values=True)
    agent.play()
    sizes = [Image.open(io.BytesIO(data)).size for data in shown]
    assert sizes == [(420, 240), (240, 240)]


def test_in_a_window(monkeypatch):
    shown = []

    class Window:
        def __init__(self, title, fps): ...

        def show(self, picture):
            shown.append(picture.shape)

        def close(self): ...

    monkeypatch.setattr(playback, "Window", Window)
    assert play.main(["--values", "--window", "--episodes", "1"]) == 0
    assert shown == 9 * [(240, 420, 3)]


def test_the_drawn_action_is_marked():
    """A policy that draws its actions is asked once for each step, and what it drew is what is marked and played."""
    drawn = iter([LEFT, RIGHT, *([LEFT] * 7)])
    env, marked = gymnasium.make("catch_dqn/Catch-v0"), []
    mind = Mind(lambda observation: ActionValues(np.zeros(3)), ("left", "stay", "right"))
    made = playback.moments(env, lambda observation: next(drawn), episodes=1, seed=0, played=[], mind=mind)
    for moment in made:
        if not moment.over:
            marked.append(next(line.split()[0] for line in mind.lines() if "◀" in line))
    assert marked == ["left", "right", *(["left"] * 7)]


def test_a_network_of_action_values_shows_values_also_where_policies_are_played():
    for activation, are_chances in ((None, False), ("softmax", True)):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation=activation)])
        assert LUNAR["cartpole"].outlook(model)(np.zeros(4)).are_chances == are_chances


def test_nobody_knows_better_where_there_is_no_perfect_player():
    assert LUNAR["lunar"].adviser(LUNAR["lunar"].first_settings) is None
    assert CATCH["catch"].adviser(CATCH["catch"].first_settings) is not None


def test_a_person_has_no_values_to_show():
    with pytest.raises(UserError, match="--values: shows what an agent thinks"):
        play.main(["--human", "--values"])
