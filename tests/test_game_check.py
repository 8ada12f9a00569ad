"""What newcomers to the game contract get wrong, each in a game of a few lines, and what they are told."""

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from cartpole_dqn.physics import CartPole
from catch_dqn.ball_game import CatchBall
from catch_dqn.game import Catch
from cave_game.game import Cave
from shared.errors import UserError
from shared.games import check
from shared.games.check import check_game

ROOT = Path(__file__).parent.parent


class State(NamedTuple):
    place: object  # int32 [N]
    warmth: object  # float32 [N]


@dataclasses.dataclass(frozen=True)
class Ring:
    """Eight places in a ring: get to place 0. The floor is slippery."""

    num_actions = 2
    observation_shape = (8,)
    reset_draws = 1
    step_draws = 1

    def reset(self, xp, draws):
        place = xp.array(xp.floor(draws[:, 0] * 8), dtype="int32")
        return State(place, xp.zeros_like(draws[:, 0]))

    def step(self, xp, state, action, draws):
        move = xp.where(draws[:, 0] < 0.1, 0, 2 * action - 1)
        state = State((state.place + move) % 8, 0.9 * state.warmth + 0.1 * draws[:, 0])
        over = state.place == 0
        return state, xp.array(over, dtype="float32"), over

    def observe(self, xp, state):
        return xp.array(xp.arange(8)[None] == state.place[:, None], dtype="float32")


@pytest.mark.parametrize("game", [Ring(), Catch(), CatchBall(8), CatchBall(16, "all"), Cave(), CartPole()])
def test_a_right_game_is_fine(game):
    assert check_game(game) == []


calls = iter(range(10**9))


def stepped(change):
    """A `step` after which `change` alters the state, the reward and whether the game is over."""
    return lambda self, xp, state, action, draws: change(xp, *Ring.step(self, xp, state, action, draws))


def with_place(change):
    """A `step` that alters the place."""
    return stepped(lambda xp, state, reward, over: (state._replace(place=change(xp, state.place)), reward, over))


def written(self, xp, state, action, draws):
    state.place[:] = state.place + 1
    return Ring.step(self, xp, state, action, draws)


WRONG = {  # what a newcomer writes, and what the line says that they get
    "num_actions: is 2.5; give a whole number from 1 on": {"num_actions": 2.5},
    "num_actions: is 0; ": {"num_actions": 0},
    "step_draws: is None; give a whole number from 0 on": {"step_draws": None},
    "observation_shape: is [8]; ": {"observation_shape": [8]},
    "observe: is missing": {"observe": None},
    # the state
    "reset: the state is a dict; make it a NamedTuple": {"reset": lambda self, xp, draws: {"place": draws[:, 0]}},
    "reset: field warmth is a float; make it an array [N, ...]": {
        "reset": lambda self, xp, draws: Ring.reset(self, xp, draws)._replace(warmth=0.0)
    },
    "reset: field warmth is float32 [1]; make it an array [N, ...]": {
        "reset": lambda self, xp, draws: Ring.reset(self, xp, draws)._replace(warmth=xp.zeros(1, "float32"))
    },
    "step: the state is a tuple; make it a NamedTuple": {
        "step": stepped(lambda xp, state, reward, over: (tuple(state), reward, over))
    },
    'step: field place is float32 [N], not int32 [N]; convert it, as by xp.array(x, dtype="int32")': {
        "step": with_place(lambda xp, place: xp.array(place, dtype="float32"))
    },
    "step: field place is int32 [N, 1], not int32 [N]; keep that shape": {
        "step": with_place(lambda xp, place: place[:, None])
    },
    # draws
    "reset: reset_draws is 1, but it uses 3; set reset_draws = 3": {
        "reset": lambda self, xp, draws: Ring.reset(self, xp, draws[:, 2:])
    },
    "step: step_draws is 0, but it uses 1; set step_draws = 1": {"step_draws": 0},
    "step: field place differs though the draws are the same; take chance from draws alone": {
        "step": with_place(lambda xp, place: place + np.int32(next(calls) % 2))
    },
    # what step and observe give
    "step: gives a State; return three values": {"step": stepped(lambda xp, state, reward, over: state)},
    "step: gives a tuple; return three values": {"step": stepped(lambda xp, *outcome: (*outcome, {}))},
    'step: the reward is float64 [N], not float32 [N]; convert it, as by xp.array(x, dtype="float32")': {
        "step": stepped(lambda xp, state, reward, over: (state, xp.array(reward, dtype="float64"), over))
    },
    "step: the reward is a float; make it an array [N, ...]": {
        "step": stepped(lambda xp, state, reward, over: (state, 1.0, over))
    },
    "step: the reward is float32 [N, 1], not float32 [N]; keep that shape": {
        "step": stepped(lambda xp, state, reward, over: (state, reward[:, None], over))
    },
    "step: the reward holds NaN or infinity": {
        "step": stepped(lambda xp, state, reward, over: (state, xp.log(reward - 2), over))
    },
    'step: terminated is int32 [N], not bool [N]; convert it, as by xp.array(x, dtype="bool")': {
        "step": stepped(lambda xp, state, reward, over: (state, reward, xp.array(over, dtype="int32")))
    },
    "observe: the observation is float32 [N, 8], not float32 [N, 9]; observation_shape says so": {
        "observation_shape": (9,)
    },
    "observe: the observation is int32 [N, 8], not float32 [N, 8]; convert it": {
        "observe": lambda self, xp, state: xp.array(Ring.observe(self, xp, state), dtype="int32")
    },
    "observe: the observation holds NaN or infinity": {
        "observe": lambda self, xp, state: Ring.observe(self, xp, state) / xp.abs(state.warmth[:, None])
    },
    # games that are not on their own
    "step: field place of a game depends on the games beside it; compute along axis 1": {
        "step": with_place(lambda xp, place: place + xp.min(place))
    },
    "observe: the observation of a game depends on the games beside it": {
        "observe": lambda self, xp, state: Ring.observe(self, xp, state) - xp.mean(state.warmth)
    },
    "step: writes into the arrays that it was given; make new ones": {"step": written},
    # on NumPy
    "observe: raises ZeroDivisionError: division by zero (test_game_check.py, line": {
        "observe": lambda self, xp, state: 1 / 0
    },
    "step: asks whether an array is true (if, while, and, or, not, max, min); use xp.where instead of if": {
        "step": with_place(lambda xp, place: 0 if place > 3 else place)
    },
    "observe: with a single game raises IndexError: index 1": {
        "observe": lambda self, xp, state: Ring.observe(self, xp, state) + 0 * state.warmth[1]
    },
    # compiled
    "step: compiled, it asks whether an array is true": {
        "step": with_place(lambda xp, place: place if xp.all(place < 99) else -place)
    },
    "step: compiled, it makes a Python number out of a tensor": {
        "step": with_place(lambda xp, place: place + 0 * int(place[0]))
    },
    "step: compiled, it goes through a tensor in a Python loop": {
        "step": with_place(lambda xp, place: xp.stack(list(place)))
    },
    "observe: compiled, it hands a tensor to NumPy; call xp": {
        "observe": lambda self, xp, state: np.float32(np.arange(8)[None] == np.abs(state.place)[:, None])
    },
    "reset: compiled, it uses .astype of an array": {
        "reset": lambda self, xp, draws: State((draws[:, 0] * 8).astype("int32"), xp.zeros_like(draws[:, 0]))
    },
    "step: compiled, it calls xp.invert, which keras.ops does not have": {
        "step": with_place(lambda xp, place: xp.invert(xp.invert(place)))
    },
    "observe: compiled, it mixes types of numbers; convert one": {
        "observe": lambda self, xp, state: Ring.observe(self, xp, state) + xp.array(0 * state.place[:, None], "int8")
    },
    "observe: compiled, it picks entries by an array of indices; use xp.take": {
        "observe": lambda self, xp, state: xp.eye(8, dtype="float32")[state.place]
    },
    "reset: field warmth is float64 [N] with numpy, float32 [N] with keras.ops; name the type": {
        "reset": lambda self, xp, draws: Ring.reset(self, xp, draws)._replace(warmth=xp.zeros(draws.shape[0]))
    },
    "step: field place is 1 with numpy and 2 with keras.ops, first at step number 1, game 0; ": {
        "step": with_place(lambda xp, place: 0 * place + (1 if xp is np else 2))
    },
    "observe: the observation is 0.0 with numpy and 1.0 with keras.ops, first at observe number 1": {
        "observe": lambda self, xp, state: Ring.observe(self, xp, state) * (0.0 if xp is np else 1.0)
    },
}


@pytest.mark.parametrize(("line", "changes"), WRONG.items(), ids=WRONG.keys())
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_mistake_is_one_line_with_its_remedy(line, changes):
    (found,) = check_game(type("Wrong", (Ring,), changes)())
    assert line in found
    assert found.startswith(line[:20])


def test_all_that_is_wrong_in_one_place_is_said():
    changes = {"num_actions": -1, "reset_draws": "two"}
    assert [line.split(":")[0] for line in check_game(type("Wrong", (Ring,), changes)())] == list(changes)

    def step(self, xp, state, action, draws):
        _, reward, over = Ring.step(self, xp, state, action, draws)
        return State(draws, xp.zeros(6, "int64")), xp.array(reward, dtype="float64"), over

    lines = check_game(type("Wrong", (Ring,), {"step": step})())
    assert [line.split(" is ")[0] for line in lines] == ["step: field place", "step: field warmth", "step: the reward"]


def test_draws_that_change_nothing_are_a_remark():
    (line,) = check_game(type("Wasteful", (Ring,), {"step_draws": 3})())
    assert line == "remark: step: draws [1, 2] of a game change nothing; are step_draws too many?"


# -- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder with a game in it, where Python looks for modules."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    source = Path(__file__).read_text()
    ring = source[source.index("class State(") : source.index("@pytest.mark")]
    Path("ring.py").write_text(f"import dataclasses\nfrom typing import NamedTuple\n\n{ring}")
    Path("broken.py").write_text("def step(:\n")
    yield tmp_path
    sys.modules.pop("ring", None)


def test_the_command_says_that_all_is_well_or_what_is_not(elsewhere, capsys):
    assert check.main(["ring:Ring"]) == 0
    assert capsys.readouterr().out.startswith("ring:Ring: fine, ")
    path = elsewhere / "worse.py"
    path.write_text(Path("ring.py").read_text().replace("num_actions = 2", "num_actions = 0"))
    assert check.main(["worse:Ring"]) == 1
    assert capsys.readouterr().out == "worse:Ring: num_actions: is 0; give a whole number from 1 on\n"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rings:Ring", "rings cannot be imported (ModuleNotFoundError: No module named 'rings'); "),
        ("broken:Ring", "broken cannot be imported (SyntaxError: "),
        ("ring", "ring: names no class; give MODULE:CLASS"),
        ("ring.py:Ring", "ring.py:Ring: names no class; give MODULE:CLASS"),
        ("ring:Rung", "ring has no Rung; its games: Ring"),
        ("catch_dqn.envs:CatchBallEnv", "cannot be made without arguments (TypeError: "),
    ],
)
def test_what_is_no_game_is_one_line(elsewhere, name, words):
    with pytest.raises(UserError) as error:
        check.main([name])
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_the_command_helps_at_once_and_ends_with_status_2_without_a_module(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for arguments, status in ((["--help"], 0), (["nowhere:Game"], 2)):
        began = time.monotonic()
        ended = subprocess.run(
            [sys.executable, "-m", "shared.games.check", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
        )
        assert time.monotonic() - began < 1.5
        assert ended.returncode == status
    assert ended.stderr.startswith("python -m shared.games.check: nowhere:Game: nowhere cannot be imported")
    assert ended.stderr.count("\n") == 1
