"""Where a flight of the training begins: `starts="any"` of both games."""

import dataclasses

import numpy as np
import pytest
from keras import ops

from cave_game import game, game2017
from cave_game.experiment import EXPERIMENTS
from cave_game.game import FLYING, Cave
from cave_game.game2017 import CELL, Cave2017
from shared.errors import UserError

GAMES = [
    (Cave(starts="any"), game.NARROWEST, (30, 18)),
    (Cave2017("halved", starts="any"), game2017.NARROWEST, (1320, 720)),
]
DRAWS = np.array([[0.0], [0.3], [0.7], [np.nextafter(np.float32(1), np.float32(0))]], np.float32)


def flown(state):
    """How many steps the cave is old."""
    return state.distance if isinstance(state, game.State) else state.steps


@pytest.mark.parametrize(("rules", "narrowest", "gaps"), GAMES, ids=["cave", "cave2017"])
def test_a_start_is_as_narrow_as_the_cave_is_after_its_steps(rules, narrowest, gaps):
    state = rules.reset(np, DRAWS)
    assert flown(state).tolist()[::3] == [0, narrowest]
    gap = np.asarray(state.floor, int) - state.ceiling
    assert (gap[0] == gaps[0]).all()
    assert (gap[-1] == gaps[1]).all()
    assert (gap[1:3] < gaps[0]).all()
    assert (gap[1:3] > gaps[1]).all()
    wide = dataclasses.replace(rules, starts="wide").reset(np, DRAWS[:1, :0])
    for found, expected in zip(state, wide, strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found[:1], expected)
    on_the_other_side = rules.reset(ops, ops.convert_to_tensor(DRAWS))
    for ours, theirs in zip(state, on_the_other_side, strict=True):
        np.testing.assert_array_equal(ours, ops.convert_to_numpy(theirs))


@pytest.mark.parametrize(("rules", "narrowest", "gaps"), GAMES, ids=["cave", "cave2017"])
def test_what_follows_is_the_same_cave_as_in_a_game_that_came_there(rules, narrowest, gaps):
    rng, state = np.random.default_rng(0), rules.reset(np, DRAWS)
    for _ in range(120):
        draws = rng.random((len(DRAWS), rules.step_draws), dtype=np.float32)
        state, _, _ = rules.step(np, state, np.ones(len(DRAWS), np.int32), draws)
        state = state._replace(ending=np.full_like(state.ending, FLYING))
        gap = np.asarray(state.floor, int) - state.ceiling
        assert (np.diff(gap, axis=1) <= 0).all()  # a cave never widens
        assert (gap[-1] == gaps[1]).all()
        kept = rules.unpack(np, rules.pack(np, state))  # says again how wide each column is, from the steps alone
        np.testing.assert_array_equal(rules.observe(np, kept), rules.observe(np, state))
    assert (state.block < (game.NO_BLOCK if isinstance(rules, Cave) else game2017.NO_BLOCK)).any()
    if isinstance(rules, Cave2017):
        assert (gap[0] == 1320 - 2 * 12 * ((flown(state)[0] - np.arange(56)[::-1]) // 51).clip(0)).all()
        assert CELL * 26.4 == 1320


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_only_the_compiled_training_has_them(name):
    experiment = EXPERIMENTS[name]
    settings = dataclasses.replace(experiment.first_settings, starts="any", replay_states=False)
    assert experiment.training_game(settings).starts == "any"
    assert experiment.game(settings).starts == "wide"  # what scores and playing are by
    with pytest.raises(UserError, match="--starts any: the readable loop cannot do this"):
        experiment.trainer(settings, "readable")
