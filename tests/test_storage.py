"""Weights and whole models on disk: read by every Keras, written by every Keras, equal when they come back."""

import json
import os
import shutil
import time
import warnings
from pathlib import Path

import h5py
import hdf5_many
import keras
import numpy as np
import pytest
import tf_keras
import yaml

from cartpole_dqn.experiment import EXPERIMENTS
from shared import legacy, storage
from shared.errors import UserError
from shared.model_files import hdf5
from shared.nn.losses import ClippedHuber
from shared.nn.optimizers import GeometricDecay, RMSPropGraves

STATES = np.random.default_rng(7).random((5, 8, 8, 1)).astype("float32")  # [B, H, W, C]
TARGETS = np.random.default_rng(8).random((5, 3)).astype("float32")  # [B, A]


def chain(k, seed=1, units=5):
    """The same Sequential in Keras 3 (`keras`) or Keras 2 (`tf_keras`)."""
    k.utils.set_random_seed(seed)
    layers = k.layers
    return k.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(2, 4, strides=2, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(units, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(3),
        ]
    )


def forked(k, seed=1):
    """Two heads on one body, added, as in dueling networks."""
    k.utils.set_random_seed(seed)
    layers = k.layers
    state = layers.Input((8, 8, 1), name="state")
    body = layers.Dense(6, activation="elu")(layers.Flatten()(state))
    value, advantage = layers.Dense(1)(body), layers.Dense(3)(body)
    return k.Model(state, layers.Add()([value, advantage]))


def outputs(model):
    return np.asarray(model(STATES))


@pytest.mark.parametrize("make", [chain, forked])
@pytest.mark.parametrize("k", [keras, tf_keras], ids=["Keras 3", "Keras 2"])
@pytest.mark.parametrize("name", ["game_weights.h5", "weights.hdf5"])
def test_plain_keras_loads_our_weights(tmp_path, make, k, name):
    model, other = make(keras), make(k, seed=2)
    storage.save_weights(model, tmp_path / name)
    assert not np.allclose(outputs(other), outputs(model))
    other.load_weights(str(tmp_path / name))
    np.testing.assert_allclose(outputs(other), outputs(model), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("make", [chain, forked])
@pytest.mark.parametrize("k", [keras, tf_keras], ids=["Keras 3", "Keras 2"])
@pytest.mark.parametrize("layout", ["weights", "legacy weights", "whole model"])
def test_we_load_what_plain_keras_wrote(tmp_path, make, k, layout):
    source, model = make(k, seed=2), make(keras)
    source.compile("adam", "mse")
    source.train_on_batch(STATES, TARGETS)  # so that there is an optimizer state in the file, too
    path = tmp_path / ("x.weights.h5" if layout == "weights" else "x.h5")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras calls its own layout a legacy
        if layout == "whole model" or (k is keras and layout == "legacy weights"):
            source.save(str(path))
        else:
            source.save_weights(str(path))
    if layout == "legacy weights":  # the layout is seen from the content, whatever the name says
        path = path.rename(tmp_path / "legacy.weights.h5")
    storage.load_weights(model, path)
    np.testing.assert_allclose(outputs(model), outputs(source), rtol=1e-6, atol=1e-6)


def test_the_same_weights_give_the_same_bytes(tmp_path):
    model = chain(keras)
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    storage.save_weights(model, tmp_path / "a.h5")
    time.sleep(1.1)  # HDF5 keeps times in seconds, where it keeps them
    storage.save_weights(copy, tmp_path / "b.h5")
    copy.layers[0].bias.assign([1.0, 2.0])
    storage.save_weights(copy, tmp_path / "c.h5")
    a, b, c = ((tmp_path / f"{name}.h5").read_bytes() for name in "abc")
    assert a == b != c


def test_layers_are_matched_by_kind_and_number_in_the_layout_of_keras_3(tmp_path):
    """The groups of eleven Dense layers stand in the file as dense, dense_1, dense_10, dense_2, ..."""

    def deep(seed):
        keras.utils.set_random_seed(seed)
        return keras.Sequential([keras.layers.Input((4,)), *(keras.layers.Dense(4) for _ in range(11))])

    source, model = deep(2), deep(1)
    source.save_weights(tmp_path / "x.weights.h5")
    storage.load_weights(model, tmp_path / "x.weights.h5")
    for ours, theirs in zip(model.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("layout", ["x.h5", "x.weights.h5"])
def test_weights_of_another_network_name_the_layer_and_leave_the_network_alone(tmp_path, layout):
    source, model = chain(keras, units=6), chain(keras)
    before = model.get_weights()
    (source.save_weights if "weights" in layout else lambda path: storage.save_weights(source, path))(tmp_path / layout)
    with pytest.raises(UserError, match=r"has \(8, 6\) and \(6,\), the network has \(8, 5\) and \(5,\)") as caught:
        storage.load_weights(model, tmp_path / layout)
    assert f"layer {model.layers[3].name}: " in str(caught.value)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


# -- whole models ------------------------------------------------------------------------------------------------------


def decaying():
    return keras.optimizers.schedules.PolynomialDecay(1e-2, 10, 1e-4)


TRAINING = {
    "not compiled": None,
    "graves, clipped huber": lambda: (RMSPropGraves(3e-4, momentum=0.5), ClippedHuber(delta=0.5)),
    "graves without momentum": lambda: (RMSPropGraves.nature(), ClippedHuber()),
    "sgd, by name": lambda: ("sgd", "mse"),
    "rmsprop, centered": lambda: (keras.optimizers.RMSprop(1e-3, centered=True, momentum=0.9), "huber"),
    "adam, decaying": lambda: (keras.optimizers.Adam(decaying(), clipnorm=1.0), keras.losses.MeanSquaredError("sum")),
    "adam, decaying by factors": lambda: (keras.optimizers.Adam(GeometricDecay(1e-2, 10, 1e-4)), "mse"),
    "nadam, huber with a delta": lambda: (keras.optimizers.Nadam(), keras.losses.Huber(delta=0.25)),
}


def test_tables_and_dueling_heads_come_back(tmp_path):
    for name in ("tabular", "dueling"):
        model = EXPERIMENTS[name].model(EXPERIMENTS[name].presets["tutorial"])
        rng = np.random.default_rng(0)
        model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
        back = storage.load_model(*storage.save_model(model, tmp_path / name))
        states = np.float32(rng.normal(size=(50, 4)))
        np.testing.assert_array_equal(back(states), model(states))


@pytest.mark.parametrize("name", TRAINING)
def test_a_model_comes_back_with_its_outputs_loss_and_optimizer(tmp_path, name):
    make, training = forked if name in ("not compiled", "sgd, by name") else chain, TRAINING[name]
    model = make(keras)
    if training:
        optimizer, loss = training()
        model.compile(optimizer=optimizer, loss=loss)
        for _ in range(3):
            model.train_on_batch(STATES, TARGETS)
    saved = storage.save_model(model, tmp_path / "new" / "folder")
    assert saved == (tmp_path / "new/folder/dqn_model.yaml", tmp_path / "new/folder/dqn_model_weights.hdf5")
    back = storage.load_model(*saved)
    assert type(back) is type(model)
    np.testing.assert_array_equal(outputs(back), outputs(model))
    if not training:
        assert getattr(back, "optimizer", None) is None
        return
    assert type(back.optimizer) is type(model.optimizer)
    for ours, theirs in zip(back.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    for one in (model, back):  # Dropout draws from its own generator; without it both learn the same
        for layer in one.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0.0
        one.compile(one.optimizer, one.loss)
    for _ in range(3):
        assert back.train_on_batch(STATES, TARGETS) == model.train_on_batch(STATES, TARGETS)
    np.testing.assert_array_equal(outputs(back), outputs(model))


def test_plain_keras_loads_the_weights_of_a_whole_model(tmp_path):
    model = chain(keras)
    model.compile("adam", "mse")
    model.train_on_batch(STATES, TARGETS)
    saved = storage.save_model(model, tmp_path)
    for k in (keras, tf_keras):
        other = chain(k, seed=2)
        other.load_weights(str(saved.weights))
        np.testing.assert_allclose(outputs(other), outputs(model), rtol=1e-6, atol=1e-6)


def test_an_architecture_alone_is_the_same_text_without_the_weights(tmp_path):
    model = forked(keras)
    model.compile("adam", "mse")
    saved = storage.save_model(model, tmp_path)
    storage.save_architecture(model, tmp_path / "model.yaml")
    alone = (tmp_path / "model.yaml").read_text()
    assert saved.architecture.read_text().startswith(alone)
    storage.load_model(tmp_path / "model.yaml", saved.weights)


def test_the_yaml_is_plain_and_as_short_as_a_person_wants_it(tmp_path):
    model = chain(keras)
    model.compile(keras.optimizers.SGD(1e-3), ClippedHuber())
    saved = storage.save_model(model, tmp_path)
    document = yaml.safe_load(saved.architecture.read_text())
    assert document["layers"][1] == {
        "name": model.layers[0].name,
        "class": "Conv2D",
        "filters": 2,
        "kernel_size": [4, 4],
        "strides": [2, 2],
        "padding": "same",
        "activation": "relu",
        "use_bias": True,
    }
    assert document["optimizer"] == {
        "class": "SGD",
        "learning_rate": 0.001,
        "momentum": 0.0,
        "nesterov": False,
        "state": False,
    }
    assert document["loss"] == {"class": "ClippedHuber", "delta": 1.0, "reduction": "sum"}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A trained model on disk."""
    model = chain(keras)
    model.compile("adam", "mse")
    model.train_on_batch(STATES, TARGETS)
    return storage.save_model(model, tmp_path_factory.mktemp("original"))


@pytest.fixture
def saved(original, tmp_path):
    """A copy of it, to edit."""
    return storage.Saved(*(Path(shutil.copy(path, tmp_path)) for path in original))


def edit(path, before, after):
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


def test_a_person_can_change_the_learning_rate_and_the_loss(saved):
    edit(saved.architecture, "learning_rate: 0.001", "learning_rate: 1e-4")
    edit(saved.architecture, "class: MeanSquaredError", "class: ClippedHuber")
    model = storage.load_model(*saved)
    assert float(model.optimizer.learning_rate) == np.float32(1e-4)
    assert int(model.optimizer.iterations) == 1
    assert type(model.loss) is ClippedHuber


def test_a_person_can_change_the_optimizer_when_its_state_is_let_go(saved):
    text = saved.architecture.read_text()
    head, rest = text.split("optimizer:\n")
    changed = "optimizer:\n  class: SGD\n  learning_rate: 0.01\n  state: {}\nloss:\n" + rest.split("loss:\n")[1]
    saved.architecture.write_text(head + changed.format("true"))
    with pytest.raises(UserError, match=r"hold.* another optimizer \(Adam\).*state: false"):
        storage.load_model(*saved)
    saved.architecture.write_text(head + changed.format("false"))
    assert type(storage.load_model(*saved).optimizer) is keras.optimizers.SGD


def test_files_from_two_saves_are_not_mixed_up(saved, tmp_path):
    other = storage.save_model(chain(keras, seed=2), tmp_path / "other")
    with pytest.raises(UserError, match=f"^{other.weights}: not the weights that {saved.architecture} was saved with"):
        storage.load_model(saved.architecture, other.weights)
    text = saved.architecture.read_text()
    saved.architecture.write_text(text[: text.index("weights:")].replace("state: true", "state: false"))
    model = storage.load_model(saved.architecture, other.weights)
    np.testing.assert_array_equal(outputs(model), outputs(chain(keras, seed=2)))


def test_a_save_that_ended_between_the_two_files_is_noticed(saved, tmp_path, monkeypatch):
    """`tests/test_files.py` kills for real; here the second rename does not come."""
    rename = os.replace

    def stop(source, place):
        if str(place) == str(saved.architecture):
            raise KeyboardInterrupt
        rename(source, place)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            storage.save_model(chain(keras, seed=2), tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["dqn_model.yaml", "dqn_model_weights.hdf5"]
    with pytest.raises(UserError, match="not the weights that"):
        storage.load_model(*saved)


def test_an_existing_model_is_pointed_out(saved, tmp_path):
    storage.refuse_existing(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"dqn_model.yaml: is there already; choose another folder"):
        storage.refuse_existing(tmp_path)


@pytest.mark.parametrize("name", storage.Saved._fields)
def test_a_file_of_something_else_is_not_replaced_by_a_model(tmp_path, name):
    mine = tmp_path / {"architecture": "dqn_model.yaml", "weights": "dqn_model_weights.hdf5"}[name]
    mine.write_text("a file of mine")
    with pytest.raises(UserError, match=f"^{mine}: is there already; choose another folder"):
        storage.save_model(chain(keras), tmp_path)
    assert os.listdir(tmp_path) == [mine.name]
    assert mine.read_text() == "a file of mine"


# -- archives of Keras 3 -----------------------------------------------------------------------------------------------


def trained(make, optimizer, loss):
    model = make(keras)
    model.compile(optimizer, loss, run_eagerly=True)
    model.train_on_batch(STATES, TARGETS)
    return model


@pytest.mark.parametrize("make", [chain, forked])
def test_an_archive_comes_back_here_and_in_plain_keras(tmp_path, make):
    model = trained(make, keras.optimizers.Adam(decaying(), clipnorm=1.0), keras.losses.Huber(delta=0.25))
    saved = storage.save_model(model, tmp_path / "agent.keras")
    assert saved == (tmp_path / "agent.keras", tmp_path / "agent.keras")
    expected = float(model.loss(TARGETS, outputs(model)))
    for back in (storage.load_model(*saved), storage.load_model(saved.weights), keras.saving.load_model(saved.weights)):
        assert type(back) is type(model)
        np.testing.assert_array_equal(outputs(back), outputs(model))
        assert float(back.loss(TARGETS, outputs(back))) == expected
        for ours, theirs in zip(back.optimizer.variables, model.optimizer.variables, strict=True):
            np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    other = make(keras, seed=2)
    storage.load_weights(other, saved.weights)
    np.testing.assert_array_equal(outputs(other), outputs(model))


@pytest.mark.parametrize("training", [("sgd", "mse"), ("adam", keras.losses.mean_squared_error), None])
def test_an_archive_of_plain_keras_is_read_with_its_training(tmp_path, training):
    model = chain(keras)
    if training:
        model.compile(*training)
    model.save(tmp_path / "agent.keras")
    back = storage.load_model(tmp_path / "agent.keras")
    np.testing.assert_array_equal(outputs(back), outputs(model))
    assert back.compiled == bool(training)
    if training:
        assert type(back.optimizer) is type(model.optimizer)
        assert type(back.loss) is keras.losses.MeanSquaredError


def test_the_same_model_gives_the_same_archive(tmp_path):
    loss = keras.losses.MeanSquaredError()
    model = trained(chain, "adam", loss)
    first = storage.save_model(model, tmp_path / "a.keras").weights.read_bytes()
    time.sleep(1.1)  # an archive keeps times in steps of two seconds
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(tmp_path / "x.h5")  # takes the optimizer out of what Keras keeps about the model
    assert storage.save_model(model, tmp_path / "b.keras").weights.read_bytes() == first
    model.layers[0].bias.assign([1.0, 2.0])
    assert storage.save_model(model, tmp_path / "c.keras").weights.read_bytes() != first


def test_weights_alone_are_no_archive(tmp_path):
    with pytest.raises(UserError, match=r"^.*agent.keras: such a file holds a whole model; write it with save_model"):
        storage.save_weights(chain(keras), tmp_path / "agent.keras")
    assert not (tmp_path / "agent.keras").exists()


@pytest.mark.parametrize(
    ("compiled", "words"),
    [
        (("ftrl", "mse"), "optimizer: needs class, one of SGD"),
        (("adam", "log_cosh"), "loss: needs class, one of"),
        (("adam", ["mse"]), "not one object of Keras"),
        (("adam", "mse", [0.5]), "without loss_weights"),
    ],
)
def test_a_training_that_we_do_not_have_is_refused_and_the_network_read_all_the_same(tmp_path, compiled, words):
    model = chain(keras)
    model.compile(*compiled)
    model.save(tmp_path / "agent.keras")
    with pytest.raises(UserError, match=words):
        storage.load_model(tmp_path / "agent.keras")
    np.testing.assert_array_equal(outputs(legacy.open_model(tmp_path / "agent.keras")), outputs(model))


def test_weights_of_layers_inside_layers_are_found_in_the_layout_of_keras_3(tmp_path):
    def nested(seed):
        keras.utils.set_random_seed(seed)
        layers = keras.layers
        inner = keras.Sequential([layers.Input((4,)), layers.Dense(4)])
        return keras.Sequential([layers.Input((3, 5)), layers.TimeDistributed(layers.Dense(2)), layers.LSTM(4), inner])

    source, model = nested(2), nested(1)
    source.save_weights(tmp_path / "x.weights.h5")
    storage.load_weights(model, tmp_path / "x.weights.h5")
    for ours, theirs in zip(model.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


# -- files made under Theano -------------------------------------------------------------------------------------------


def dense(k, seed=1):
    k.utils.set_random_seed(seed)
    return k.Sequential([k.layers.Input((8, 8, 1)), k.layers.Flatten(), k.layers.Dense(3)])


def one_by_one(k, seed=1):
    k.utils.set_random_seed(seed)
    layers = k.layers
    return k.Sequential([layers.Input((8, 8, 1)), layers.Conv2D(2, 1), layers.Flatten(), layers.Dense(3)])


def ways_to_load(make, folder, mark):
    """A model of Keras 2 in files that bear a mark of Theano: each way to read one, by name."""
    old = make(tf_keras, seed=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old.save(folder / "whole.h5")
    old.save_weights(folder / "weights.h5")
    document = json.loads(old.to_json())
    ours = storage.save_model(make(keras), folder / "ours").architecture
    ours.write_text(ours.read_text().split("weights:")[0])
    if mark == "document":
        (folder / "old.json").write_text(json.dumps(document | {"backend": "theano"}))
        return {"document": lambda: legacy.open_model(folder / "old.json", folder / "weights.h5")}
    (folder / "old.json").write_text(json.dumps({key: document[key] for key in ("class_name", "config")}))
    for path in (folder / "whole.h5", folder / "weights.h5"):
        with h5py.File(path, "r+") as file:
            for group in (file, file.get("model_weights", file)):
                group.attrs.pop("backend", None)
            file.get("model_weights", file).attrs[mark] = b"theano"
    return {
        "load_weights": lambda: storage.load_weights(make(keras), folder / "weights.h5"),
        "load_weights of a whole model": lambda: storage.load_weights(make(keras), folder / "whole.h5"),
        "our YAML": lambda: storage.load_model(ours, folder / "weights.h5"),
        "Keras' JSON": lambda: legacy.open_model(folder / "old.json", folder / "weights.h5"),
        "whole model": lambda: legacy.open_model(folder / "whole.h5"),
        "load_legacy_model": lambda: legacy.load_legacy_model(folder / "whole.h5"),
    }


@pytest.mark.parametrize("mark", ["backend", "keras_backend", "document"])
def test_kernels_that_theano_flips_are_refused_on_every_path_and_other_networks_load(tmp_path, monkeypatch, mark):
    with hdf5_many.Parser(hdf5.CPU_SECONDS) as parser:
        monkeypatch.setattr(hdf5, "parse", parser.parse)
        _check_every_path(tmp_path, mark)


def _check_every_path(tmp_path, mark):
    for make in (chain, dense, one_by_one):
        folder = tmp_path / make.__name__
        folder.mkdir()
        for way in ways_to_load(make, folder, mark).values():
            if make is chain:
                with pytest.raises(UserError, match=r"layer conv2d.*: written under Theano, which flips kernels"):
                    way()
            else:
                way()


# -- what is refused ---------------------------------------------------------------------------------------------------


class Odd(keras.layers.Layer):
    """A layer that no table knows."""

    def call(self, inputs):
        """Return the inputs."""
        return inputs


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (lambda: Odd(name="odd"), "layer odd: Odd is not a supported layer"),
        (lambda: keras.layers.Lambda(lambda x: x, name="odd"), "layer odd: Lambda is not a supported layer"),
        (lambda: keras.layers.Dense(2, name="odd", kernel_regularizer="l2"), "layer odd: kernel_regularizer"),
        (lambda: keras.layers.Dense(2, name="odd", trainable=False), "layer odd: trainable"),
        (lambda: keras.layers.Dense(2, name="odd", activation="gelu"), "layer odd: activation 'gelu'"),
        (lambda: keras.layers.Dense(2, name="odd", dtype="float16"), "layer odd: dtype 'float16'"),
    ],
)
def test_what_the_yaml_cannot_hold_is_named_and_nothing_is_written(tmp_path, layer, words):
    model = keras.Sequential([keras.layers.Input((4,)), layer()])
    with pytest.raises(UserError, match=words):
        storage.save_model(model, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def huber(y_true, y_pred):
    """A loss of the user's own, which is called like one of Keras."""
    return y_pred - y_true


def test_an_optimizer_or_a_loss_outside_the_tables_is_named(tmp_path):
    model = chain(keras)
    model.compile("ftrl", "mse")
    with pytest.raises(UserError, match="optimizer Ftrl is not supported"):
        storage.save_model(model, tmp_path)
    for loss, words in (
        (keras.losses.LogCosh(), "loss LogCosh is not supported"),
        (["mse"], "loss: one for each output is not supported"),
        (lambda y_true, y_pred: y_pred, "loss function is not supported"),
        (huber, "loss function is not supported"),
    ):
        model.compile("adam", loss)
        with pytest.raises(UserError, match=words):
            storage.save_model(model, tmp_path)
    model.compile("adam", "mse", loss_weights=[0.5])
    with pytest.raises(UserError, match="loss_weights are not supported"):
        storage.save_model(model, tmp_path)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("format: 1", "format: 2", "format 2 is not 1"),
        ("format: 1", "format: true", "format True is not 1"),
        ("format: 1", "format: [1]", r"format \[1\] is not 1"),
        ("format: 1", "format: !!bool maybe", "'maybe' is neither true nor false"),
        ("format: 1\n", "", "add the line format: 1"),
        ("class: Dropout", "class: [Dense]", r"layer dropout.*: \['Dense'\] is not a supported layer"),
        ("class: Dropout", "class: {a: b}", "layer dropout.*: .* is not a supported layer"),
        ("class: Adam", "class: [Adam]", "optimizer: needs class, one of SGD"),
        ("class: Adam", "class: Adam\n  [a]: 1", "is no name"),
        ("learning_rate: 0.001", "learning_rate: {class: [Cubic]}", "learning_rate: needs class, one of Poly"),
        ("learning_rate: 0.001", "learning_rate: {class: PolynomialDecay}", "needs initial_learning_rate; add it"),
        ("learning_rate: 0.001", "learning_rate: {class: GeometricDecay, start: x}", "start 'x': must be a number"),
        ("learning_rate: 0.001", "learning_rate: null", "learning_rate None: must be a number"),
        ("learning_rate: 0.001", "learning_rate: true", "learning_rate True: must be a number"),
        ("amsgrad: false", "amsgrad: 1", "amsgrad 1: must be true or false"),
        ("reduction: sum_over_batch_size", "reduction: [sum]", "reduction .*: must be a word"),
        ("class: MeanSquaredError", "class: 7", "loss: needs class"),
        ("weights:\n", "weights: [1]\nmodel:\n", "stands twice"),
        ("format: 1", "format: 1\ncolour: red", "unknown entry colour"),
        ("class: Dropout", "class: Lambda", "layer dropout.*: Lambda is not a supported layer"),
        ("class: Dropout", "class: 7", "layer dropout.*: 7 is not a supported layer"),
        ("class: Flatten", "class: Flatten\n  units: 3", "Flatten has no setting units"),
        ("units: 5", "units: 1e12", r"layer dense.*: units 1000000000000.0: must be a whole number"),
        ("units: 5", "units: 1000000000000", "units 1000000000000: must be a whole number"),
        ("units: 5", "units: -3", "units -3: must be a whole number"),
        ("units: 5", "units: .nan", "units nan: must be a whole number"),
        ("units: 5", "units: true", "units True: must be a whole number"),
        ("units: 5", "units: 1000000", "layer dense.*: the file has"),
        ("units: 5", "neurons: 5", "Dense has no setting neurons"),
        ("  units: 5\n", "", "Dense needs units"),
        ("rate: 0.1", "rate: 1.0", "rate 1.0: must be a number from 0 to below 1"),
        ("strides: [2, 2]", "strides: [2, 2, 2]", "strides.*: must be a list of 2"),
        ("padding: same", "padding: full", "padding 'full': must be one of valid, same"),
        ("activation: relu", "activation: os.system", "activation 'os.system': must be one of"),
        ("use_bias: true", "use_bias: maybe", "use_bias 'maybe': must be true or false"),
        ("shape: [8, 8, 1]", "shape: [8, 8, 0]", "shape.*: must be a whole number from 1"),
        ("shape: [8, 8, 1]", "shape: [8]", "layer conv2d.*: Conv2D does not fit its input"),
        ("shape: [8, 8, 1]", "shape: 8", "shape 8: must be a list"),
        ("model: Sequential", "model: Recurrent", "model 'Recurrent'"),
        ("class: Adam", "class: Ftrl", "optimizer: needs class, one of SGD"),
        ("learning_rate: 0.001", "learning_rate: fast", "learning_rate 'fast': must be a number"),
        ("learning_rate: 0.001", "learning_rate: .nan", "learning_rate nan: must be a number"),
        ("learning_rate: 0.001", "learning_rate: {class: Cubic}", "learning_rate: needs class"),
        ("state: true", "state: perhaps", "optimizer: state 'perhaps': must be true or false"),
        ("reduction: sum", "state: true\n  reduction: sum", "MeanSquaredError has no setting state"),
        ("beta_1: 0.9", "rho: 0.9", "Adam has no setting rho"),
        ("reduction: sum_over_batch_size", "reduction: product", "loss: .*reduction"),
        ("optimizer:", "optimiser:", "unknown entry optimiser"),
    ],
)
def test_a_slip_of_the_editor_is_pointed_out(saved, before, after, words):
    edit(saved.architecture, before, after)
    with pytest.raises(UserError, match=words) as caught:
        storage.load_model(*saved)
    assert str(caught.value).startswith((str(saved.architecture), str(saved.weights)))
    assert "\n" not in str(caught.value)


GRAPH = """
format: 1
layers:
- {name: a, class: InputLayer, shape: [4]}
- {name: b, class: Dense, units: 2, inputs: [INPUT]}
- {name: c, class: Dense, units: 2, inputs: [b]}
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GRAPH.replace("INPUT", "c"), "layer b feeds itself by a circle"),
        (GRAPH.replace("INPUT", "b"), "layer b feeds itself by a circle"),
        (GRAPH.replace("INPUT", "z"), "layer z, which feeds b, is missing"),
        (GRAPH.replace("INPUT", "a, a"), "layer b: Dense takes one input, not 2"),
        (GRAPH.replace("INPUT", "a") + "- {name: d, class: Grid, edges: [[0, 1], [1, 0]]}", "hold ascending numbers"),
        (GRAPH.replace("INPUT", "a") + "- {name: d, class: Grid, edges: [[0, .inf]]}", "hold ascending numbers"),
        (GRAPH.replace("INPUT", "a") + "- {name: d, class: Grid, edges: [0, 1]}", "list of up to 8 lists"),
        (GRAPH.replace("INPUT", "a") + "- {name: d, class: Grid, edges: [[0, 1]]}", "layer d: Grid does not fit"),
        (GRAPH.replace("INPUT", "a") + "- {name: d, class: Embedding, input_dim: 3, output_dim: 0}", "output_dim 0"),
        (
            GRAPH.replace("INPUT", "a") + "- {name: d, class: Dueling, inputs: [b, c], aggregate: min}",
            "one of mean, max",
        ),
        (GRAPH.replace("INPUT", "a").replace("name: c", "name: b"), "two layers are called b"),
        (GRAPH.replace("INPUT", "a").replace("name: c", "name: c/d"), "layer name 'c/d'"),
        (GRAPH.replace("INPUT", "a") + "outputs: [z]", "layer z, which feeds the output, is missing"),
        (GRAPH.replace("INPUT", "a") + "outputs: b", "outputs 'b': must be a list"),
        (GRAPH.replace("INPUT", "a") + "model: Sequential\noutputs: [b]", "Sequential model is one chain"),
        (GRAPH.replace("INPUT", "a") + "- {name: d, class: Add}", "layer d: Add takes two or more inputs, not 1"),
        (GRAPH.replace("units: 2", "units: 1000000").replace("INPUT", "a"), "layer c: more than 67,108,864 weights"),
        ("format: 1\nlayers: []", "layers must be a list"),
        ("format: 1\nlayers: [1, 2]", "layers must be a list"),
        ("format: 1\nlayers: [{name: a, class: Dense, units: 3}]", "Dense takes one input, not 0"),
        (GRAPH.replace("INPUT", "a") + "- {name: d, class: Flatten}\n" * 2000, "2,003 layers are more than 1000"),
        (GRAPH.replace("INPUT", "a") + "- {name: d, class: Flatten}\n" * 20_000, "more than 50,000 values"),
        (GRAPH.replace("INPUT", "a") + "- {name: d, class: Flatten}\n" * 100_000, "larger than"),
        ("class_name: Sequential\nconfig: []", "python -m shared.legacy"),
    ],
)
def test_a_graph_that_makes_no_sense_is_refused(saved, text, words):
    saved.architecture.write_text(text)
    with pytest.raises(UserError, match=words) as caught:
        storage.load_model(*saved)
    assert str(caught.value).startswith(f"{saved.architecture}: ")


def layers_like(count, line):
    """A document of one input and `count` layers, each made from `line` with its number and that of the one before."""
    lines = [line.format(number, number - 1) for number in range(1, count + 1)]
    return "format: 1\nlayers:\n- {name: a0, class: InputLayer, shape: [64, 64, 1]}\n" + "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (layers_like(999, "- {{name: a{}, class: Flatten}}"), "layer a256: more than 256 layers one after the other"),
        (layers_like(14, "- {{name: a{0}, class: Concatenate, inputs: [a{1}, a{1}]}}"), "layer a10: .* numbers of one"),
        (
            layers_like(14, "- {{name: a{0}, class: Add, inputs: [" + "a{1}, " * 200 + "a{1}]}}"),
            "2,815 links between layers are more than 2,000",
        ),
        (
            layers_like(1, "- {{name: a{}, class: Conv2D, filters: 64, kernel_size: 1000, padding: same}}"),
            "weights|take",
        ),
        (
            layers_like(1, "- {{name: a{}, class: MaxPooling2D, pool_size: 1024, strides: 1, padding: same}}"),
            "layer a1: .* take",
        ),
        (
            layers_like(4, "- {{name: a{0}, class: Conv2D, filters: 99, kernel_size: 32, padding: same}}"),
            "layer a2: .* take",
        ),
        (
            layers_like(60, "- {{name: a{0}, class: Conv2D, filters: 16, kernel_size: 24, padding: same}}"),
            "layer a9: .* take",
        ),
    ],
)
def test_a_network_that_would_cost_much_is_refused_before_it_is_built(saved, text, words):
    saved.architecture.write_text(text)
    began = time.process_time()
    with pytest.raises(UserError, match=words):
        storage.load_model(*saved)
    assert time.process_time() - began < 5


def test_the_network_on_the_page_plays_weights_that_come_without_one(tmp_path):
    """`docs/files.md` shows what to write."""
    page = (Path(__file__).parent.parent / "docs" / "files.md").read_text()
    (tmp_path / "agent.yaml").write_text(page.split("```yaml\n")[1].split("```")[0])
    tf_keras.utils.set_random_seed(3)
    layers = tf_keras.layers
    old = tf_keras.Sequential(
        [
            layers.Input((16, 16, 1)),
            layers.Conv2D(16, 4, strides=2, padding="same", activation="relu"),
            layers.Conv2D(32, 2, padding="same", activation="relu"),
            layers.Conv2D(32, 2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(3),
        ]
    )
    old.save_weights(str(tmp_path / "agent.h5"))
    screens = np.random.default_rng(0).random((4, 16, 16, 1)).astype("float32")
    model = legacy.open_model(tmp_path / "agent.yaml", tmp_path / "agent.h5")
    np.testing.assert_allclose(model(screens), old(screens), rtol=1e-5, atol=1e-6)
    with pytest.raises(UserError, match=r"agent.h5: holds weights only.*docs/files.md"):
        legacy.open_model(tmp_path / "agent.h5")
