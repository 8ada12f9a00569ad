"""Agents whose state has axes of size 1 that the game's observation has not: they load and play."""

import json

import keras_1_layers as k1
import numpy as np
import pytest

from cartpole_dqn import evaluate, play
from shared.errors import UserError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def agent(folder, *shape):
    """A linear agent that pushes to the side to which the pole leans and turns, as keras-rl's networks begin."""
    config = k1.chain(shape, k1.layer("Flatten", "flat"), k1.layer("Dense", "out", output_dim=2, activation="linear"))
    kernel = np.zeros((int(np.prod(shape)), 2), "float32")
    kernel[2:4] = [-1, 1]
    model, weights = k1.write(folder, config, {"out": [kernel, np.zeros(2, "float32")]}, "json")
    return ["--model", str(model), "--weights", str(weights)]


@pytest.mark.parametrize("shape", [(1, 4), (4, 1)])
def test_an_agent_of_keras_rl_is_scored(tmp_path, capsys, shape):
    assert evaluate.main([*agent(tmp_path, *shape), "--episodes", "20", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["mean_score"] > 150, "this policy holds the pole; a random one holds it for 22 steps"


def test_an_agent_of_keras_rl_plays(tmp_path, capsys):
    assert play.main([*agent(tmp_path, 1, 4), "--episodes", "1"]) == 0
    assert "steps survived: " in capsys.readouterr().out


def test_other_shapes_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"old\.json: the model takes arrays of shape \(2, 2, 1\), dqn wants \(4,\)"):
        evaluate.main(agent(tmp_path, 2, 2))


def test_a_model_of_two_inputs_is_refused(tmp_path):
    layers = [k1.input_layer(name, (4,)) for name in ("a", "b")]
    config = k1.graph([*layers, k1.merge("both", "sum", "a", "b")], ["a", "b"], ["both"])
    model, weights = k1.write(tmp_path, config, {})
    with pytest.raises(UserError, match=r"old\.yaml: the model takes 2 arrays and gives 1, .* wants one of each"):
        evaluate.main(["--model", str(model), "--weights", str(weights)])
