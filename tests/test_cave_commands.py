"""CAVE's network, its commands, and a person at its button."""

import json
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from PIL import Image

from cave_game import evaluate, play, stage, train
from cave_game.envs import CRAFT_COLOUR, ROCK_COLOUR
from cave_game.experiment import EXPERIMENTS
from cave_game.game import HELD, RELEASED, Cave
from cave_game.networks import three_convolutions
from shared import storage
from shared.display.playback import Episode

CAVE = EXPERIMENTS["cave"]
SMALL = [
    "--preset", "tuned", "--steps", "640", "--num-envs", "8", "--train-every", "8", "--learning-starts", "0",
    "--replay-capacity", "400", "--batch-size", "4", "--time-limit", "60",
]  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def network(**options):
    return three_convolutions(**{"observation_shape": (24, 24, 4), "outputs": 2, "hidden": (128,), "seed": 3} | options)


def test_network_has_the_published_shape():
    model = network()
    shapes = [layer.output.shape[1:] for layer in model.layers]
    assert shapes == [(12, 12, 16), (12, 12, 32), (12, 12, 32), (4608,), (128,), (2,)]
    assert model.count_params() == 1040 + 2080 + 4128 + 589_952 + 258


@pytest.mark.parametrize("name", ["cave", "cave2017"])
def test_columns_go_through_normalised_dense_layers_and_screens_through_convolutions(name):
    experiment = EXPERIMENTS[name]
    told, shown = (experiment.model(experiment.presets[preset]) for preset in ("tuned", "screens"))
    kinds = [type(layer).__name__ for layer in told.layers]
    assert kinds == ["InputLayer", *["Dense", "LayerNormalization", "Activation"] * 3, "Dense"]
    assert told.input_shape[1:] == experiment.spaces(experiment.presets["tuned"]).observation_shape
    assert [layer.units for layer in told.layers if hasattr(layer, "units")] == [512, 256, 256, 2]
    kinds = [type(layer).__name__ for layer in shown.layers]
    assert kinds == ["Conv2D"] * 3 + ["Flatten", "Dense", "Dense"]
    for preset, model in (("tuned", told), ("screens", shown)):
        assert experiment.settings_for(model.input_shape[1:]).observation == experiment.presets[preset].observation


def test_networks_first_value_and_seed():
    nothing = np.zeros((1, 24, 24, 4), np.float32)
    np.testing.assert_array_equal(network(first_value=20.0)(nothing), [[20, 20]])
    first, second, other = (network(seed=seed).get_weights() for seed in (1, 1, 2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.abs(first[0] - other[0]).max() > 0.01


def test_training_leaves_a_run_that_evaluates_to_the_same_score(capsys):
    assert train.main([*SMALL, "--out", "run"]) == 0
    shown = capsys.readouterr().out
    assert "steps survived on average in 100 caves, " in shown
    summary = json.loads(Path("run/summary.json").read_text())
    assert summary["flown"] + summary["ceiling"] + summary["floor"] + summary["block"] == summary["episodes"] == 100
    assert summary["steps"] == 640
    assert 10 < summary["mean_score"] <= 60
    assert {path.name for path in Path("run").iterdir()} >= {"config.json", "metrics.csv", "curve.png", "model.yaml"}

    assert evaluate.main(["--weights", "run/game_weights.h5", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again == {key: summary[key] for key in again}


def test_an_agents_flight_is_recorded(tmp_path):
    path = tmp_path / "weights.h5"
    storage.save_weights(CAVE.model(CAVE.presets["tutorial"]), path)
    assert play.main(["--weights", str(path), "--episodes", "1", "--gif", "flight.gif"]) == 0
    with Image.open("flight.gif") as picture:
        assert picture.size == (192, 192)  # half the size, every second picture
        assert picture.n_frames > 5


def test_flights_are_cut_where_asked(capsys):
    assert play.main(["--episodes", "2", "--time-limit", "7", "--gif", "flight.gif"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "steps survived: 7, 7"


def presses(button, *frames):
    """What a button says in frames in which these keys came."""
    actions = []
    for keys in frames:
        button.keys = list(keys)
        actions.append(button(None))
    return actions


def test_a_flight_waits_for_its_first_press():
    button = stage.Button()
    for _ in range(2):
        button.begin()
        ready = []
        for button.keys in ([], ["x"], [" "], []):
            ready.append(button.ready())
            button(None)
        assert ready == [False, False, True, True]
    button.begin()
    assert presses(button, "") == [RELEASED]  # nothing is left of the last flight


def test_a_press_counts_as_held_for_three_frames_and_key_repeat_goes_on():
    button = stage.Button()
    assert presses(button, " ", "", "", "", "") == [HELD, HELD, HELD, RELEASED, RELEASED]
    assert presses(button, " ", "", "  ", "", "", "") == [HELD] * 5 + [RELEASED]


def test_the_stage_shows_all_rows_but_those_that_are_always_rock():
    env = gymnasium.make("cave_game/Cave-v0")
    env.reset(seed=1)
    lines, picture = stage.view(env)
    assert picture.shape == (42, 48, 3)
    screen = Cave().screen(np, env.unwrapped.state)[0, 3:45]
    np.testing.assert_array_equal((picture == ROCK_COLOUR).all(axis=-1), screen == 0.5)
    np.testing.assert_array_equal((picture == CRAFT_COLOUR).all(axis=-1), screen == 1)
    assert len(lines) == 21  # with three lines under them they fit into a window of 24
    assert lines[0] == "#" * 48
    assert lines[10] == " " * 8 + "@@" + " " * 38  # rows 23 and 24
    env.step(RELEASED)
    env.step(RELEASED)
    lines, _ = stage.view(env)
    assert lines[10][:20] == " " * 8 + "oo" + " " * 10  # the craft is in the lower row of this pair
    assert lines[11][:20] == " " * 8 + "@@" + " " * 10


def test_verdicts():
    verdict = stage.STAGES["cave"].verdict
    assert verdict(Episode(score=2000, length=2000)) == "through!"
    assert verdict(Episode(score=15, length=15)) == "through!"  # of an agent that was trained with --time-limit 15
    assert verdict(Episode(score=137, length=138)) == "crashed after 137 steps"
    assert stage.STAGES["cave"].tally([Episode(137, 138), Episode(2000, 2000)]) == "steps survived: 137, 2000"


def test_the_agent_that_comes_with_the_project(capsys):
    assert evaluate.main(["--episodes", "20", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mean_score"] > 1900
