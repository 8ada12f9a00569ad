"""Networks in NumPy: they compute what Keras computes, and play without it."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from test_old_layers import Image, Recurrent, Vector, sequential

from cartpole_dqn.experiment import SUITE as CARTPOLE
from catch_dqn.ball_game import CatchBall
from catch_dqn.experiment import SUITE as CATCH
from cave_game.experiment import SUITE as CAVE
from lunar_pg.experiment import SUITE as LUNAR
from shared import legacy, storage
from shared.dqn.learners.categorical import Categorical
from shared.dqn.learners.quantile import Quantile
from shared.dqn.settings import Settings
from shared.files import read_json
from shared.model_files import without_keras
from shared.model_files.architecture import ACTIVATIONS, KINDS
from shared.nn import backend, philox
from shared.nn.layers import AGGREGATES, dueling_head
from shared.nn.networks import dense
from shared.nn.numpy_layers import AGGREGATES as NUMPY_AGGREGATES
from shared.nn.numpy_network import COMPUTED, NumpyNetwork
from shared.rollouts import greedy
from shared.rollouts.action_values import outlook

NEAR = {"rtol": 1e-5, "atol": 1e-5}
ALIKE = ("fixed-targets", "double")  # the network of "dqn"
AGENTS = [
    (suite, name)
    for suite in (CATCH, CAVE, CARTPOLE, LUNAR)
    for name in suite.experiments
    if suite.shipped(name) and name not in ALIKE
]
STEPS = 250  # of an episode, at most


def saved(model, folder):
    """The files of a model with weights other than those it began with, and the network of these files in NumPy."""
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.1, 0.9, array.shape).astype("float32") - 0.4 for array in model.get_weights()])
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_variance.assign(np.abs(layer.moving_variance) + 0.5)
    files = storage.save_model(model, folder)
    return without_keras.numpy_network(*files)


def agrees(model, network, rows=7):
    """Whether both compute the same."""
    x = np.random.default_rng(1).normal(0, 1, (rows, *model.input_shape[1:])).astype("float32")
    np.testing.assert_allclose(network(x), model(x), **NEAR)
    assert network(x).dtype == np.float32
    assert network.output_shape == model.output_shape[1:]


@pytest.mark.parametrize(("suite", "name"), AGENTS, ids=lambda value: value if isinstance(value, str) else "")
def test_agents_play_whole_episodes_as_keras_lets_them(suite, name):
    folder = suite.shipped(name)
    choice = suite.of_run(read_json(folder / "config.json"), folder)
    files = folder / "model.yaml", folder / choice.experiment.weights_name
    network, model = without_keras.numpy_network(*files), legacy.open_model(*files)
    env, observations = choice.experiment.env(choice.settings), []
    policy = choice.experiment.policy(network, False, 0)
    observation, _ = env.reset(seed=3)
    for _ in range(STEPS):
        observations.append(observation)
        observation, _, terminated, truncated, _ = env.step(policy(observation))
        if terminated or truncated:
            break
    seen = np.array(observations, np.float32)
    by_keras = np.asarray(model(seen))
    np.testing.assert_allclose(network(seen), by_keras, **NEAR)
    actions = by_keras.argmax(axis=-1) if by_keras.shape[-1] > 1 else by_keras[:, 0] < 0.5  # the chance of action 0
    assert [policy(one) for one in seen] == actions.tolist()


@pytest.mark.parametrize("network", [Image, Vector, Recurrent], ids=lambda one: one.__name__)
def test_networks_of_many_layers(network, tmp_path):
    model = network.make(keras)
    agrees(model, saved(model, tmp_path / "agent"))


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("pool", ["MaxPooling2D", "AveragePooling2D"])
def test_convolutions_and_pools_with_strides_and_borders(pool, padding, tmp_path):
    layers = [
        keras.layers.Conv2D(3, (3, 2), (2, 1), padding, activation="elu"),
        getattr(keras.layers, pool)((2, 3), (1, 2), padding),
        keras.layers.Conv2D(2, 2, 2, padding, use_bias=False),
        keras.layers.Flatten(),
        keras.layers.Dense(2, use_bias=False),
    ]
    model = sequential(keras, (11, 8, 2), layers)
    agrees(model, saved(model, tmp_path / "agent"))


def test_what_joins_layers(tmp_path):
    state = keras.Input((4,))
    pair = [keras.layers.Dense(3, activation="tanh")(state) for _ in range(2)]
    kinds = ("Add", "Subtract", "Multiply", "Average", "Maximum")
    joined = keras.layers.Concatenate()([getattr(keras.layers, kind)()(pair) for kind in kinds])
    model = keras.Model(state, dueling_head(joined, 3, seed=0, aggregate="mean"))
    agrees(model, saved(model, tmp_path / "agent"))


@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name != "keras_1_hard_sigmoid"])
def test_activations(activation, tmp_path):
    model = sequential(keras, (3,), [keras.layers.Dense(40, activation=activation), keras.layers.Dense(2)])
    agrees(model, saved(model, tmp_path / "agent"), rows=40)


@pytest.mark.parametrize("learner", [Categorical, Quantile])
def test_distributions_and_their_means(learner, tmp_path):
    made = learner(Settings(episodes=1, atoms=11, lowest_return=-2.0, highest_return=3.0))
    model = made.head(dense((5,), made.outputs(3), (8,), seed=0), 3)
    network = saved(model, tmp_path / "agent")
    agrees(model, network)
    observation = np.random.default_rng(2).normal(0, 1, 5).astype("float32")
    for said in (outlook(network)(observation), outlook(model)(observation)):
        assert said.returns.shape == said.chances.shape == (11, 3)
        np.testing.assert_allclose(said.chances.sum(axis=0), 1, rtol=1e-5)
        np.testing.assert_allclose((said.returns * said.chances).sum(axis=0), said.values, **NEAR)
    np.testing.assert_allclose(outlook(network)(observation).chances, outlook(model)(observation).chances, **NEAR)


def test_every_kind_of_layer_is_known_but_one():
    assert {"InputLayer", "Dot", *COMPUTED} == set(KINDS)
    assert set(NUMPY_AGGREGATES) == set(AGGREGATES)


@pytest.mark.parametrize(
    ("key", "counter", "count"), [(0, 0, 1), (7, 3, 10), (10_000_019, 499, 101), (2**31 - 1, 5, 8)]
)
def test_the_draws_of_the_compiled_programs(key, counter, count):
    assert np.array_equal(philox.uniform(key, counter, count), np.asarray(backend.uniform(key, counter, count)))


def test_the_same_games_are_played_with_keras_and_without():
    folder = CATCH.shipped("ball8")
    files, game = (folder / "model.yaml", folder / "game_weights.h5"), CatchBall(8, "all")
    starts = greedy.random_starts(game, 20, 1)
    with_keras, without = (
        greedy.play_greedy(game, network, starts, 5, 60)
        for network in (legacy.open_model(*files), without_keras.numpy_network(*files))
    )
    for found, expected in zip(without, with_keras, strict=True):
        assert np.array_equal(found, expected)
        assert found.dtype == expected.dtype


# -- what is left to Keras ----------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    """The files of a small network."""
    model = sequential(keras, (3,), [keras.layers.Dense(4, name="a"), keras.layers.Dense(2, name="b")])
    storage.save_architecture(model, tmp_path / "model.yaml")
    storage.save_weights(model, tmp_path / "weights.h5")
    return tmp_path / "model.yaml", tmp_path / "weights.h5"


def test_files_that_fit_are_read(files):
    assert isinstance(without_keras.numpy_network(*files), NumpyNetwork)


@pytest.mark.parametrize(
    ("old", "new"),
    [("name: a", "name: other"), ("units: 4", "units: 5"), ("shape: [3]", "shape: [4]"), ("format: 1", "format: 2")],
)
def test_files_that_do_not_fit_are_left_to_keras(files, old, new):
    files[0].write_text(files[0].read_text().replace(old, new))
    assert without_keras.numpy_network(*files) is None


def test_weights_that_are_not_finite_are_left_to_keras(files):
    model = legacy.open_model(*files)
    model.set_weights([array * np.nan for array in model.get_weights()])
    storage.save_weights(model, files[1])
    assert without_keras.numpy_network(*files) is None


def test_a_network_of_too_much_work_is_left_to_keras(files, monkeypatch):
    monkeypatch.setattr(without_keras, "MOST_WORK", 20)
    assert without_keras.numpy_network(*files) is None


def test_layers_that_numpy_does_not_know_are_left_to_keras(tmp_path):
    state = keras.Input((4,))
    model = keras.Model(state, keras.layers.Dot(1)([keras.layers.Dense(3)(state), keras.layers.Dense(3)(state)]))
    assert saved(model, tmp_path / "agent") is None


# -- the commands -------------------------------------------------------------------------------------------------

WITHOUT = """
import sys
from {package} import {verb}
status = {verb}.main(sys.argv[1:])
sys.exit(status or sorted({{"keras", "tensorflow"}} & set(sys.modules)) or 0)
"""


@pytest.mark.parametrize(
    ("package", "verb", "words"),
    [
        ("catch_dqn", "play", ["--episodes", "1", "--values"]),
        ("cave_game", "play", ["--episodes", "1", "--time-limit", "5"]),
        ("cartpole_dqn", "evaluate", ["--episodes", "2"]),
        ("lunar_pg", "play", ["--env", "cartpole", "--episodes", "1", "--time-limit", "5", "--values"]),
    ],
)
def test_commands_need_no_keras_for_our_agents(package, verb, words, tmp_path):
    code = WITHOUT.format(package=package, verb=verb)
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=Path(__file__).parent.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
