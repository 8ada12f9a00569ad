"""Agents for the author's CAVE: files as his program left them, the planner, and what the commands make of them."""

import dataclasses
import json

import keras
import keras_1_layers as k1
import numpy as np
import pytest

from cave_game import evaluate, networks, planner, play, players
from cave_game.experiment import EXPERIMENTS
from cave_game.flights import fly
from cave_game.game import FLYING
from cave_game.game2017 import ACCELERATION, BLOCK_HEIGHT, CELL, NO_BLOCK, Cave2017
from cave_game.planner2017 import Planner2017, free_heights
from cave_game.players import Held
from shared import legacy, storage
from shared.errors import UserError
from shared.nn.convolutions import with_matmul_convolutions
from shared.nn.copies import copy_of

GAME = Cave2017()
CAVE = EXPERIMENTS["cave2017"]
CONVOLUTIONS = ((16, 4, 2), (32, 2, 1), (32, 2, 1))
TF = {"dim_ordering": "tf", "border_mode": "same", "activation": "relu"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def arrays(rng, **shapes):
    """Random weights and biases by layer: each shape is a kernel's."""
    made = {}
    for name, shape in shapes.items():
        scale = np.sqrt(2 / np.prod(shape[:-1]))
        made[name] = [rng.normal(0, scale, shape).astype("float32"), rng.normal(0, 0.1, shape[-1:]).astype("float32")]
    return made


def dqn_files(folder, seed):
    """A network as `dqn_model.yaml` and `dqn_model_weights.hdf5` of 2017 have it, with random weights."""
    layers = [
        k1.layer("Convolution2D", f"convolution2d_{i}", nb_filter=f, nb_row=s, nb_col=s, subsample=(d, d), **TF)
        for i, (f, s, d) in enumerate(CONVOLUTIONS, 1)
    ]
    dense = [
        k1.layer("Dense", "dense_1", output_dim=128, input_dim=np.int64(2304), activation="relu"),
        k1.layer("Dense", "dense_2", output_dim=2, input_dim=128, activation="linear"),
    ]
    weights = arrays(
        np.random.default_rng(seed),
        convolution2d_1=(4, 4, 48, 16),
        convolution2d_2=(2, 2, 16, 32),
        convolution2d_3=(2, 2, 32, 32),
        dense_1=(2304, 128),
        dense_2=(128, 2),
    )
    return k1.write(folder, k1.chain((5, 48, 48), *layers, k1.layer("Flatten", "flatten_1"), *dense), weights)


def drqn_files(folder, seed, units=6):
    """A network as `drqn_model.yaml` of 2017 has it, with fewer units and random weights."""
    rng = np.random.default_rng(seed)
    layers = [
        k1.each_step(f"timedistributed_{i}", "Convolution2D", nb_filter=f, nb_row=s, nb_col=s, subsample=(d, d), **TF)
        for i, (f, s, d) in enumerate(CONVOLUTIONS, 1)
    ]
    recurrent = [
        rng.normal(0, 0.1, shape).astype("float32") for shape in ((768, 4 * units), (units, 4 * units), (4 * units,))
    ]
    weights = arrays(
        rng,
        timedistributed_1=(4, 4, 48, 16),
        timedistributed_2=(2, 2, 16, 32),
        timedistributed_3=(2, 2, 32, 32),
        dense_1=(units, 2),
    ) | {"lstm_1": k1.lstm_arrays(recurrent)}
    flat, lstm = k1.each_step("timedistributed_4", "Flatten"), k1.lstm("lstm_1", units, "cpu")
    dense = k1.layer("Dense", "dense_1", output_dim=2, input_dim=units, activation="linear")
    return k1.write(folder, k1.chain((5, 1, 48, 48), *layers, flat, lstm, dense), weights)


def plain_player(model, shape):
    """What a network does of whose making nothing is known here."""
    return lambda state: np.argmax(model(GAME.observe(np, state).reshape(-1, *shape)), axis=-1).astype(np.int32)


@pytest.mark.parametrize(
    ("write", "shape", "hold"),
    [(dqn_files, (5, 48, 48), 1), (dqn_files, (5, 48, 48), 3), (drqn_files, (5, 1, 48, 48), 1)],
)
def test_agents_of_2017_are_scored_on_their_own_observation(write, shape, hold, tmp_path, capsys):
    model, weights = write(tmp_path, seed=4)
    player = plain_player(legacy.load_legacy_model(model, weights), shape)
    expected = fly(Held(player, hold), 3, 5, 200, GAME).summary()
    named = ["--game", "cave2017", "--model", str(model), "--weights", str(weights), "--hold", str(hold)]
    assert evaluate.main([*named, "--episodes", "3", "--seed", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == expected
    assert 10 < expected["mean_score"] < 200


def test_an_agent_of_2017_is_shown(tmp_path, capsys):
    model, weights = dqn_files(tmp_path, seed=4)
    named = ["--game", "cave2017", "--model", str(model), "--weights", str(weights), "--hold", "3"]
    assert play.main([*named, "--episodes", "1", "--time-limit", "12", "--gif", "flight.gif"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "steps made: 12"


def test_a_network_for_halved_screens_gets_them(tmp_path, capsys):
    layers = [keras.Input((24, 24, 4)), keras.layers.Flatten(), keras.layers.Dense(2)]
    storage.save_model(keras.Sequential(layers), tmp_path / "own.keras")
    assert CAVE.settings_for((24, 24, 4)).observation == "halved"
    assert CAVE.settings_for((100,)).observation == "columns"
    assert CAVE.settings_for((5, 1, 48, 48)).observation == CAVE.settings_for((7,)).observation == "published"
    assert evaluate.main(["--game", "cave2017", "--model", "own.keras", "--episodes", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mean_score"] > 10


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--game", "cave", "--hold", "3"], "--hold 3: an agent of cave decides at every step; leave it out"),
        (["--game", "cave2017", "--hold", "0"], "--hold 0: out of range"),
        (["--game", "cave2017", "--hold", "often"], "--hold: 'often' is not a whole number"),
    ],
)
def test_an_action_cannot_be_held_for_nothing(flags, words, tmp_path):
    if flags[1] == "cave2017":
        model, weights = dqn_files(tmp_path, seed=4)
        flags = [*flags, "--model", str(model), "--weights", str(weights)]
    with pytest.raises(UserError, match=words):
        evaluate.main(flags)


def test_a_shown_agent_decides_at_every_third_step_only():
    settings = dataclasses.replace(CAVE.first_settings, hold=3)
    env, speeds = CAVE.env(settings), []
    for _ in range(2):
        env.reset(seed=0)
        for action in (1, 0, 0, 0, 1, 1, 1):
            env.step(action)
            speeds.append(int(env.unwrapped.state.speed[0]) // ACCELERATION)
    assert speeds == [-1, -2, -3, -2, -1, 0, -1] * 2


# -- the planner ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [NO_BLOCK, 700, 703, 401, 1500])
def test_free_heights_are_those_that_the_rules_let_pass(block):
    ceiling, floor = 541, 1859
    found = free_heights(ceiling, floor, [NO_BLOCK, block])
    first = ceiling // ACCELERATION
    for bit in range(400):
        height = np.array([(first + bit) * ACCELERATION], np.int32)
        profiles = [np.full((1, 56), value, np.int32) for value in (ceiling, floor, block)]
        assert (found >> bit & 1) == (GAME._hit(np, height, *profiles)[0] == FLYING)
    assert found >> 400 == 0
    assert BLOCK_HEIGHT * CELL == 300


def test_planner_flies_a_sample_of_caves():
    flights = fly(Planner2017(3, 1, 1500), 3, 1, 1500, GAME)
    np.testing.assert_array_equal(flights.scores, [1500] * 3)
    np.testing.assert_array_equal(flights.endings, [FLYING] * 3)


def test_the_commands_fly_the_authors_caves(capsys, monkeypatch):
    monkeypatch.setitem(planner.TIME_LIMITS, "cave2017", 300)
    assert planner.main(["--game", "cave2017", "--caves", "2", "--seed", "5"]) == 0
    assert capsys.readouterr().out.startswith("2 of 2 caves flown for 300 steps")
    assert players.main(["--game", "cave2017", "--caves", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["random", "random, held 3 steps", "planner"]


# -- the recurrent network ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(24, 24, 4), (5, 48, 48)])
def test_the_recurrent_network_reads_the_screens_in_their_order(shape):
    model = networks.recurrent(shape, 2, (6, 5), seed=1, first_value=20.0)
    lstm = next(layer for layer in model.layers if isinstance(layer, keras.layers.LSTM))
    frames = min(shape)
    assert lstm.input.shape[1] == frames
    np.testing.assert_allclose(model(np.zeros((1, *shape), np.float32)), [[20, 20]])

    seen = np.random.default_rng(0).random((3, *shape), np.float32)
    features = keras.Model(model.inputs[0], lstm.input)(seen)
    other = seen.copy()
    newest = (..., -1) if shape[-1] == frames else (slice(None), -1)
    other[newest] = 0
    changed = np.asarray(keras.Model(model.inputs[0], lstm.input)(other) != features).any(axis=(0, 2))
    assert changed.tolist() == [False] * (frames - 1) + [True]

    fast = with_matmul_convolutions(model)
    assert sum(type(layer.layer).__name__ == "MatmulConv2D" for layer in fast.layers if hasattr(layer, "layer")) == 3
    np.testing.assert_allclose(fast(seen), model(seen), atol=1e-5)
    np.testing.assert_array_equal(copy_of(fast)(seen), fast(seen))


def test_a_recurrent_network_needs_screens():
    with pytest.raises(UserError, match="--network recurrent: reads screens"):
        dataclasses.replace(CAVE.presets["recurrent"], observation="columns")


def test_the_recurrent_network_is_saved_and_read_again(tmp_path):
    model = CAVE.model(dataclasses.replace(CAVE.presets["recurrent"], hidden=(4,)))
    storage.save_architecture(model, tmp_path / "model.yaml")
    storage.save_weights(model, tmp_path / "weights.h5")
    seen = np.random.default_rng(0).random((2, 24, 24, 4), np.float32)
    np.testing.assert_array_equal(
        legacy.open_model(tmp_path / "model.yaml", tmp_path / "weights.h5")(seen), model(seen)
    )
