"""Distributional learners against numbers worked by hand, and through the whole of a training."""

import dataclasses

import numpy as np
import pytest
from keras import ops

from cartpole_dqn.experiment import EXPERIMENTS as CARTPOLE
from catch_dqn.experiment import EXPERIMENTS as CATCH
from cave_game.experiment import EXPERIMENTS as CAVE
from shared import storage
from shared.dqn.learners.categorical import project
from shared.dqn.learners.quantile import quantile_huber_loss
from shared.dqn.replay import Replay
from shared.errors import UserError


def test_quantile_huber_loss_by_hand():
    theta, samples = np.array([[0.0, 1.0]], np.float32), np.array([[0.5, 3.0]], np.float32)
    # τ = 0.25 and 0.75; u = 0.5, 3 and -0.5, 2; Huber 0.125, 2.5 and 0.125, 1.5
    first, second = (0.25 * 0.125 + 0.25 * 2.5) / 2, (0.25 * 0.125 + 0.75 * 1.5) / 2
    np.testing.assert_allclose(quantile_huber_loss(ops.array(theta), ops.array(samples)), [first + second], rtol=1e-6)


def test_quantile_loss_is_least_at_the_quantiles():
    samples = ops.array(np.linspace(0, 10, 101, dtype=np.float32)[None])
    at = [float(quantile_huber_loss(ops.array([[x, 5.0, 10 - x]]), samples)[0]) for x in (0.5, 1.66, 3.0)]
    assert min(at) == at[1]


@pytest.mark.parametrize(
    ("returns", "expected"),
    [([0.0, 0.5, 1.0], [0, 0.35, 0.65]), ([2.0, 2.0, 2.0], [0, 0, 1]), ([-1.0, 0.0, 1.0], [0.2, 0.3, 0.5])],
)
def test_projection_by_hand(returns, expected):
    chances, support = ops.array([[0.2, 0.3, 0.5]]), np.array([-1, 0, 1], np.float32)
    np.testing.assert_allclose(project(ops.array([returns]), chances, support), [expected], atol=1e-6)


@pytest.mark.parametrize("name", ["quantile", "categorical"])
def test_values_are_the_mean_of_the_distribution(catch, small, name):
    settings = dataclasses.replace(small, learner=name, atoms=5, lowest_return=-1.0, highest_return=1.0)
    model, learner = catch.model(settings), catch.learner(settings)
    learner.prepare(model, model)
    seen = np.random.default_rng(0).random((4, 100), np.float32)
    if name == "quantile":
        means = np.mean(learner.quantiles(seen), axis=1)
    else:
        chances = np.exp(np.asarray(learner.logits(seen)))
        chances /= chances.sum(axis=1, keepdims=True)
        means = np.sum(chances * np.linspace(-1, 1, 5)[None, :, None], axis=1)
    np.testing.assert_allclose(model(seen), means, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["quantile", "categorical"])
def test_the_target_of_a_terminal_step_is_its_reward(catch, small, name):
    settings = dataclasses.replace(small, learner=name, atoms=5, lowest_return=-2.0, highest_return=2.0)
    model, learner = catch.model(settings), catch.learner(settings)
    learner.prepare(model, model)
    seen = ops.array(np.random.default_rng(0).random((2, 100), np.float32))
    batch = Replay(seen, ops.array([0, 2]), ops.array([1.0, -1.0]), ops.array([0.0, 0.0]), seen)
    targets = np.asarray(learner.targets(batch))
    if name == "quantile":
        np.testing.assert_allclose(targets, [[1.0] * 5, [-1.0] * 5])
    else:
        np.testing.assert_allclose(targets, [[0, 0, 0, 1, 0], [0, 1, 0, 0, 0]], atol=1e-6)
    rows, errors = learner.loss(batch, ops.array(targets))
    assert rows.shape == errors.shape == (2,)


@pytest.mark.parametrize("name", ["quantile", "categorical"])
def test_an_agent_is_saved_and_read_like_any_other(catch, small, name, tmp_path):
    settings = dataclasses.replace(small, learner=name, atoms=5, lowest_return=-2.0, highest_return=2.0)
    model = catch.model(settings)
    saved = storage.save_model(model, tmp_path)
    seen = np.random.default_rng(0).random((4, 100), np.float32)
    np.testing.assert_allclose(storage.load_model(*saved)(seen), model(seen), rtol=1e-6)


@pytest.mark.parametrize("name", ["quantile", "categorical"])
def test_every_network_has_room_for_a_distribution_or_says_that_it_has_not(name):
    for experiment in (*CATCH.values(), *CAVE.values(), CARTPOLE["dqn"]):
        settings = dataclasses.replace(experiment.presets["tuned"], learner=name, atoms=5)
        online, target = experiment.model(settings), experiment.model(settings)
        experiment.learner(settings).prepare(online, target)
        assert online.output_shape == (None, experiment.spaces(settings).num_actions)
    settings = dataclasses.replace(CARTPOLE["dueling"].presets["tuned"], learner=name)
    with pytest.raises(UserError, match=f"--learner {name}: a network with two heads"):
        CARTPOLE["dueling"].model(settings)
