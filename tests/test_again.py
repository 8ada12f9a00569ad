"""A trainer that begins again with another seed is, bit for bit, the one that would have been made for that seed."""

import dataclasses
import gc
import weakref

import keras
import numpy as np
import pytest

from cartpole_dqn.experiment import SUITE as CARTPOLE
from catch_dqn.experiment import SUITE as CATCH
from catch_dqn.game import Catch
from lunar_pg.experiment import SUITE as POLICIES
from shared.dqn.settings import Settings
from shared.errors import UserError
from shared.nn import backend
from shared.rollouts.greedy import greedy_choice, greedy_policy
from shared.runs import training
from shared.runs.notes import Notes
from shared.runs.own import ANY_ENV, GameExperiment, any_env

SMALL = {"hidden": (8,), "batch_size": 8, "replay_capacity": 60, "episodes": None, "steps": 200}
BY_EPISODES = {"steps": None, "train_by": "episodes", "restore_best": True}
ENVS = {"num_envs": 2, "learning_starts": 20, "train_every": 2, "hidden": (8,), "batch_size": 8, "steps": 200}
POLICY = {"iterations": 2, "num_envs": 3, "hidden": (8,), "time_limit": 20, "learning_rate_end": 0.0}
POLICY |= {"baseline": True, "epochs": 2, "minibatch": 8}


class Noisy(keras.layers.Dense):
    """A Dense layer whose outputs are noisy, whenever it is asked."""

    def __init__(self, *args, seed, **kwargs):
        super().__init__(*args, **kwargs)
        self.seed, self.chance = seed, keras.random.SeedGenerator(seed)

    def call(self, inputs):
        outputs = super().call(inputs)
        return outputs + keras.random.normal(keras.ops.shape(outputs), seed=self.chance)

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


def noisy(shape, outputs, hidden, seed):
    start = keras.initializers.GlorotUniform(seed)
    return keras.Sequential([keras.Input(shape), Noisy(outputs, seed=seed, kernel_initializer=start)])


CASES = {
    "prioritized, noisy": (None, "noisy", "compiled", {**SMALL, "prioritized": True, "n_step": 3}),
    "c51": (CATCH, "catch", "compiled", {**SMALL, "learner": "categorical", "target_sync": 10, "optimizer": "nadam"}),
    "quantile, the best weights": (
        *(CATCH, "catch", "compiled"),
        {**SMALL, **BY_EPISODES, "episodes": 30, "learner": "quantile", "atoms": 4},
    ),
    "convolutions, a falling step size, mean weights": (
        *(CATCH, "ball16", "compiled"),
        {**SMALL, "learning_rate_decay": 50, "optimizer": "rmsprop-graves", "target_sync": 5, "weight_average": 0.9},
    ),
    "readable": (CATCH, "catch", "readable", {**SMALL, "steps": 60, "target_sync": 10, "optimizer": "adam"}),
    "readable, a target from the first sync on": (
        *(CATCH, "catch", "readable"),
        {**SMALL, "steps": 60, "target_sync": 10, "first_target": "shared", "double": True},
    ),
    "readable, the best weights": (
        *(CATCH, "catch", "readable"),
        {**SMALL, **BY_EPISODES, "episodes": 6},
    ),
    "table": (CARTPOLE, "tabular", "readable", {"episodes": 6}),
    "network without memory": (CARTPOLE, "neural", "readable", {"hidden": (8,), "episodes": 6}),
    "environments": (any_env("CartPole-v1"), "", "vector", ENVS | {"target_sync": 10, "n_step": 3}),
    "policy": (POLICIES, "cartpole", "compiled", POLICY),
}


def case(name):
    """The experiment, the engine and the settings of a case."""
    suite, game, engine, changes = CASES[name]
    if name == "environments":
        return suite, engine, dataclasses.replace(ANY_ENV, **changes)
    if suite is None:
        experiment = GameExperiment(game, game, {"": Settings(**changes)}, rules=Catch(), make_network=noisy)
        return experiment, engine, experiment.first_settings
    experiment = suite.find(game)
    return experiment, engine, dataclasses.replace(experiment.first_settings, **changes)


def trained(trainer, settings):
    """Train to the end; returns the rows of metrics as text, the snapshots at the start and at the end, the weights."""
    notes, snapshots = Notes(), []

    def note(state):
        snapshots.append({name: np.copy(array) for name, array in trainer.snapshot(state).items()})
        return over(state)

    over, trainer.finished = trainer.finished, note
    training.train(trainer, notes, settings, show=False)
    trainer.finished = over
    for row in notes.rows:
        del row["seconds"]
    return repr(notes.rows), [snapshots[0], snapshots[-1]], trainer.export().get_weights()


@pytest.mark.parametrize("name", CASES)
def test_a_trainer_begins_again_as_a_new_one(name, monkeypatch):
    experiment, engine, settings = case(name)
    other = dataclasses.replace(settings, seed=7)
    rows, snapshots, weights = trained(experiment.trainer(other, engine), other)
    first = experiment.trainer(settings, engine)
    other_rows, _, _ = trained(first, settings)
    assert other_rows != rows

    programs = [part for part in vars(first).values() if hasattr(part, "experimental_get_tracing_count")]
    counts = [program.experimental_get_tracing_count() for program in programs]
    monkeypatch.setattr(backend.tf, "function", None)  # it compiles nothing
    again = experiment.again(first, other, engine)
    rows_again, snapshots_again, weights_again = trained(again, other)
    assert [program.experimental_get_tracing_count() for program in programs] == counts

    assert rows_again == rows
    for found, wanted in zip(snapshots_again, snapshots, strict=True):
        assert found.keys() == wanted.keys()
        for key, array in wanted.items():
            assert (found[key].dtype, found[key].shape) == (array.dtype, array.shape)
            assert found[key].tobytes() == array.tobytes(), key
    for ours, theirs in zip(weights_again, weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("engine", ["compiled", "readable"])
def test_only_the_seed_may_change(catch, small, engine):
    trainer = catch.trainer(small, engine)
    with pytest.raises(UserError, match=r"^--discount 0\.5: this trainer was compiled for 0\.9, "):
        catch.again(trainer, dataclasses.replace(small, seed=1, discount=0.5), engine)
    with pytest.raises(UserError, match=r"^model: its layers are not those"):
        trainer.again(small, catch.model(dataclasses.replace(small, hidden=(16, 16, 16))))
    with pytest.raises(UserError, match=r"^layer dense\w*: another seed gives it another units, which is compiled"):
        trainer.again(small, catch.model(dataclasses.replace(small, hidden=(16, 15))))


def test_a_network_is_compiled_once_to_be_scored(catch, small, monkeypatch):
    model = catch.model(small)
    before = catch.evaluate(model, small, 20, 0)
    greedy_policy(model), greedy_choice(model, 4)
    monkeypatch.setattr(backend.tf, "function", None)  # it compiles nothing
    assert catch.evaluate(model, small, 20, 0) == before
    assert catch.evaluate(model, small, 20, 2**31)["mean_score"] != before["mean_score"]
    model.set_weights(catch.model(dataclasses.replace(small, seed=1)).get_weights())
    assert catch.evaluate(model, small, 20, 0) != before  # the weights are read, not compiled
    assert greedy_policy(model)(np.ones(100, np.float32)) == greedy_choice(model, 4)(np.ones((1, 100)), None)[0]


def test_what_was_compiled_goes_with_its_network(catch, small):
    model = catch.model(small)
    catch.evaluate(model, small, 5, 0)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
