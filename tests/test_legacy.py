"""Agents of Keras 1 and 2 give the Q-values they always gave, channels last, and no code of theirs is run.

The reference is a forward pass in NumPy with the channels first, as the old files have them.
"""

import json
import re
import warnings
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tf_keras
import yaml
from data import make_keras_1 as keras_1

from shared import legacy, storage
from shared.errors import UserError
from shared.model_files import building, channels, keras_graph, safe_yaml

DATA = Path(__file__).parent / "data"


def states(*shape, seed=5):
    return np.random.default_rng(seed).normal(0, 1, (4, *shape)).astype("float32")


# -- the reference -----------------------------------------------------------------------------------------------------


def conv(image, kernel, bias, stride, border):
    """Cross-correlation of [B, C, H, W] with (filters, channels, rows, columns), then relu, one cell at a time."""
    filters, _, rows, columns = kernel.shape
    batch, channels, height, width = image.shape
    if border == "same":
        high, wide = -(-height // stride), -(-width // stride)
        down, right = max((high - 1) * stride + rows - height, 0), max((wide - 1) * stride + columns - width, 0)
        padded = np.zeros((batch, channels, height + down, width + right))
        padded[:, :, down // 2 : down // 2 + height, right // 2 : right // 2 + width] = image
    else:
        padded, high, wide = image, (height - rows) // stride + 1, (width - columns) // stride + 1
    result = np.zeros((batch, filters, high, wide))
    for y in range(high):
        for x in range(wide):
            patch = padded[:, :, y * stride : y * stride + rows, x * stride : x * stride + columns]
            result[:, :, y, x] = np.einsum("bcij,fcij->bf", patch, kernel) + bias
    return np.maximum(result, 0)


def q_values(image, weights, strides, border):
    """The network of the old agents on [B, C, H, W]: convolutions with relu, a flat layer with relu, a linear one.

    `weights` is a list of (kernel, bias), the convolutions' as (filters, channels, rows, columns).
    """
    for (kernel, bias), stride in zip(weights, strides, strict=False):
        image = conv(image, kernel, bias, stride, border)
    flat = image.reshape(len(image), -1)
    for kernel, bias in weights[len(strides) : -1]:
        flat = np.maximum(flat @ kernel + bias, 0)
    return flat @ weights[-1][0] + weights[-1][1]


def as_reference(weights, ordering):
    """Weights of `make_keras_1.agent` for `q_values`; `tf` agents flatten (rows, columns, channels)."""
    pairs = [(arrays[0][1], arrays[1][1]) for _, arrays in weights]
    if ordering == "th":
        return pairs
    *convolutions, (dense, bias), last = pairs
    channels = convolutions[-1][0].shape[-1]
    side = int((len(dense) / channels) ** 0.5)
    dense = dense.reshape(side, side, channels, -1).transpose(2, 0, 1, 3).reshape(dense.shape)
    return [(kernel.transpose(3, 2, 0, 1), bias) for kernel, bias in convolutions] + [(dense, bias), last]


def check(model, expected, image):
    """`model` on the image with its channels moved last gives what is expected."""
    found = np.asarray(model(image.transpose(0, 2, 3, 1)))
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


# -- Keras 1 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ordering", ["th", "tf"])
@pytest.mark.parametrize("border", ["same", "valid"])
@pytest.mark.parametrize("size", [9, 16])
def test_a_keras_1_agent_gives_its_q_values(tmp_path, ordering, border, size):
    config, weights = keras_1.agent(ordering, size=size, filters=(3, 4, 2), hidden=7, border=border)
    model = legacy.load_legacy_model(*keras_1.write(tmp_path, "old", config, weights))
    assert [tensor.name for tensor in model.inputs] == ["state"]
    assert model.input_shape == (None, size, size, 1)
    assert model.output_names == ["main_output"]
    assert [layer.name for layer in model.layers][1:4] == [f"convolution2d_{i}" for i in (1, 2, 3)]
    image = states(1, size, size)
    check(model, q_values(image, as_reference(weights, ordering), (2, 1, 1), border), image)


def test_the_network_of_2017_at_its_full_size(tmp_path):
    config, weights = keras_1.agent("th", size=16, filters=(16, 32, 32), hidden=128)
    model = legacy.load_legacy_model(*keras_1.write(tmp_path, "old", config, weights))
    assert model.count_params() == 16 * 17 + 32 * 65 + 32 * 129 + 2049 * 128 + 129 * 3
    image = states(1, 16, 16)
    expected = q_values(image, as_reference(weights, "th"), (2, 1, 1), "same")
    np.testing.assert_allclose(np.asarray(model(image.transpose(0, 2, 3, 1))), expected, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("ordering", ["th", "tf"])
def test_the_files_in_the_repository_load(ordering):
    """`tests/data/make_keras_1.py` wrote them once; here they are read as they lie there."""
    paths = DATA / f"keras_1_{ordering}.yaml", DATA / f"keras_1_{ordering}.hdf5"
    with h5py.File(paths[1]) as file:
        groups = [file[name.decode()] for name in file.attrs["layer_names"]]
        arrays = [[(key, group[key][()]) for key in group.attrs["weight_names"]] for group in groups]
    weights = [("", pair) for pair in arrays if pair]
    image = states(1, 8, 8)
    check(legacy.load_legacy_model(*paths), q_values(image, as_reference(weights, ordering), (2, 1, 1), "same"), image)


@pytest.mark.parametrize("shape", [(1, 8, 8), (8, 8), (8, 8, 1)])
def test_an_agent_without_convolutions_takes_the_screen_as_the_game_shows_it(tmp_path, shape):
    config, weights = keras_1.flat_agent(shape)
    model = legacy.load_legacy_model(*keras_1.write(tmp_path, "old", config, weights))
    assert type(model) is keras.Sequential
    assert model.input_shape == (None, 8, 8, 1)
    image = states(1, 8, 8)
    check(model, q_values(image, [(arrays[0][1], arrays[1][1]) for _, arrays in weights], (), ""), image)


def test_several_frames_flattened_channels_first_are_told_by_their_number(tmp_path):
    config, weights = keras_1.flat_agent((4, 6, 6))
    model = legacy.load_legacy_model(*keras_1.write(tmp_path, "old", config, weights))
    assert model.input_shape == (None, 6, 6, 4)
    image = states(4, 6, 6)
    check(model, q_values(image, [(arrays[0][1], arrays[1][1]) for _, arrays in weights], (), ""), image)


def test_layers_that_keep_the_order_stand_between_flatten_and_dense(tmp_path):
    config, weights = keras_1.agent("th")
    layers = config["config"]["layers"]
    position = next(i for i, layer in enumerate(layers) if layer["name"] == "dense_1")
    layers[position]["inbound_nodes"] = [[["dropout_1", 0, 0]]]
    before = "flatten_1"
    for name, kind, settings in (("act_1", "Activation", {"activation": "tanh"}), ("dropout_1", "Dropout", {"p": 0.5})):
        nodes = [[[before, 0, 0]]]
        layer = {"class_name": kind, "name": name, "config": {"name": name, **settings}, "inbound_nodes": nodes}
        layers.insert(position, layer)
        position, before = position + 1, name
    model = legacy.load_legacy_model(*keras_1.write(tmp_path, "old", config, weights))
    *convolutions, dense, last = as_reference(weights, "th")
    image = states(1, 8, 8)
    hidden = image
    for (kernel, bias), stride in zip(convolutions, (2, 1, 1), strict=True):
        hidden = conv(hidden, kernel, bias, stride, "same")
    check(model, q_values(np.tanh(hidden), [dense, last], (), ""), image)


def test_pooling_and_two_channels(tmp_path):
    config, weights = keras_1.agent("th", size=12)
    layers = config["config"]["layers"]
    layers[0]["config"]["batch_input_shape"] = (None, 2, 12, 12)
    kernel = np.random.default_rng(3).normal(0, 1, (2, 2, 4, 4)).astype("float32")
    weights[0] = (weights[0][0], [(weights[0][1][0][0], kernel), weights[0][1][1]])
    pool = {"pool_size": (2, 2), "strides": (2, 2), "border_mode": "valid", "dim_ordering": "th", "name": "pool"}
    nodes = [[["convolution2d_1", 0, 0]]]
    layers.insert(2, {"class_name": "MaxPooling2D", "name": "pool", "config": pool, "inbound_nodes": nodes})
    layers[3]["inbound_nodes"] = [[["pool", 0, 0]]]
    dense = np.random.default_rng(4).normal(0, 1, (3 * 3 * 3, 5)).astype("float32")
    weights[3] = (weights[3][0], [(weights[3][1][0][0], dense), weights[3][1][1]])
    model = legacy.load_legacy_model(*keras_1.write(tmp_path, "old", config, weights))
    reference = as_reference(weights, "th")
    image = states(2, 12, 12)
    hidden = conv(image, *reference[0], 2, "same")  # [B, 2, 6, 6]
    hidden = hidden.reshape(4, 2, 3, 2, 3, 2).max(axis=(3, 5))
    check(model, q_values(hidden, reference[1:], (1, 1), "same"), image)


def test_a_sequential_without_an_input_layer_tells_the_shape_in_its_first(tmp_path):
    config, weights = keras_1.flat_agent((8, 8, 1))
    config["config"] = config["config"][1:]
    config["config"][0]["config"]["batch_input_shape"] = (None, 8, 8, 1)
    model = legacy.load_legacy_model(*keras_1.write(tmp_path, "old", config, weights))
    image = states(1, 8, 8)
    check(model, q_values(image, [(arrays[0][1], arrays[1][1]) for _, arrays in weights], (), ""), image)


def test_weights_under_other_names_are_matched_in_order_as_keras_did(tmp_path):
    config, weights = keras_1.agent("th")
    paths = keras_1.write(tmp_path, "old", config, weights)
    expected = legacy.load_legacy_model(*paths).get_weights()
    renamed = [(f"other_{name}", arrays) for name, arrays in weights]
    keras_1.write_weights(paths[1], renamed, [name for name, _ in renamed])
    for ours, theirs in zip(legacy.load_legacy_model(*paths).get_weights(), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


# -- Keras 2 -----------------------------------------------------------------------------------------------------------


def keras_2(data_format="channels_last", flatten=None):
    """Two convolutions and two Dense layers in tf-keras, with random biases."""
    tf_keras.utils.set_random_seed(3)
    layers = tf_keras.layers
    shape = (9, 9, 2) if data_format == "channels_last" else (2, 9, 9)
    settings = {"data_format": data_format, "activation": "relu", "bias_initializer": "random_normal"}
    return tf_keras.Sequential(
        [
            layers.Input(shape),
            layers.Conv2D(3, 4, strides=2, padding="same", **settings),
            layers.Conv2D(4, 2, **settings),
            layers.Flatten(data_format=flatten),
            layers.Dense(6, activation="relu", bias_initializer="random_normal"),
            layers.Dense(3, bias_initializer="random_normal"),
        ]
    )


def keras_2_files(model, folder, form):
    """The files of a Keras 2 model: architecture and weights, or one for both."""
    if form == "whole":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.compile("rmsprop", "mse")
            model.save(folder / "x.h5")
        return (folder / "x.h5",)
    text = yaml.dump(model._updated_config()) if form == "yaml" else model.to_json()  # what to_yaml() dumped
    (folder / f"old.{form}").write_text(text)
    model.save_weights(folder / "old.h5")
    return folder / f"old.{form}", folder / "old.h5"


@pytest.mark.parametrize("form", ["yaml", "json", "whole"])
def test_keras_2_files_load(tmp_path, form):
    old = keras_2()
    paths = keras_2_files(old, tmp_path, form)
    if form == "yaml":
        assert "!!python/tuple" in paths[0].read_text()
    model = legacy.load_legacy_model(*paths)
    state = states(9, 9, 2)
    assert type(model) is keras.Sequential
    np.testing.assert_allclose(np.asarray(model(state)), old(state).numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", ["json", "whole"])
@pytest.mark.parametrize("flatten", ["channels_first", "channels_last"])
def test_keras_2_files_with_channels_first_load(tmp_path, form, flatten):
    """Keras 2 keeps its kernels as (rows, columns, channels, filters), and Flatten may move the channels itself."""
    old = keras_2("channels_first", flatten)
    model = legacy.load_legacy_model(*keras_2_files(old, tmp_path, form))
    arrays = [weight.numpy() for weight in old.weights]
    pairs = list(zip(arrays[::2], arrays[1::2], strict=True))
    convolutions = [(kernel.transpose(3, 2, 0, 1), bias) for kernel, bias in pairs[:2]]
    image = states(2, 9, 9)
    hidden = conv(conv(image, *convolutions[0], 2, "same"), *convolutions[1], 1, "valid")
    if flatten == "channels_first":
        hidden = hidden.transpose(0, 2, 3, 1)
    check(model, q_values(hidden, pairs[2:], (), ""), image)


def test_a_keras_2_graph_and_weights_in_the_layout_of_keras_3(tmp_path):
    state = tf_keras.layers.Input((4,), name="state")
    body = tf_keras.layers.Dense(5, activation="elu")(state)
    heads = tf_keras.layers.Dense(1)(body), tf_keras.layers.Dense(3)(body)
    old = tf_keras.Model(state, tf_keras.layers.Add()(heads))
    (tmp_path / "old.json").write_text(old.to_json())
    old.save_weights(tmp_path / "old.weights.h5")
    model = legacy.load_legacy_model(tmp_path / "old.json", tmp_path / "old.weights.h5")
    np.testing.assert_allclose(np.asarray(model(states(4))), old(states(4)).numpy(), rtol=1e-5, atol=1e-6)


def test_keras_3_files_load_too(tmp_path):
    keras.utils.set_random_seed(1)
    state = keras.layers.Input((6, 6, 1))
    body = keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(state))
    heads = [keras.layers.Dense(1)(body), keras.layers.Dense(3)(body)]
    model = keras.Model(state, keras.layers.Add()(heads))
    model.save(tmp_path / "x.h5")
    (tmp_path / "x.json").write_text(model.to_json())
    model.save_weights(tmp_path / "x.weights.h5")
    image = states(6, 6, 1)
    for paths in ((tmp_path / "x.h5",), (tmp_path / "x.json", tmp_path / "x.weights.h5")):
        np.testing.assert_array_equal(np.asarray(legacy.load_legacy_model(*paths)(image)), np.asarray(model(image)))


def test_json_that_was_dumped_twice_is_read(tmp_path):
    """`json.dump(model.to_json(), file)`, as many repositories of 2016 have it: a text that holds the object."""
    old = keras_2()
    paths = keras_2_files(old, tmp_path, "json")
    state = states(9, 9, 2)
    paths[0].write_text(json.dumps(old.to_json()))
    model = legacy.load_legacy_model(*paths)
    np.testing.assert_allclose(np.asarray(model(state)), old(state).numpy(), rtol=1e-5, atol=1e-5)
    paths[0].write_text(json.dumps(json.dumps(old.to_json())))
    refused("holds a single str, not a list of settings", *paths)


def test_an_archive_of_keras_3_is_opened_and_converted(tmp_path, capsys):
    keras.utils.set_random_seed(1)
    state = keras.layers.Input((6, 6, 1))
    model = keras.Model(state, keras.layers.Dense(3)(keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(state))))
    model.compile("ftrl", "log_cosh")  # which we do not have, and need not have to play
    model.save(tmp_path / "agent.keras")
    image = states(6, 6, 1)
    for load in (legacy.open_model, legacy.load_legacy_model):
        np.testing.assert_array_equal(load(tmp_path / "agent.keras")(image), model(image))
    assert legacy.main([str(tmp_path / "agent.keras"), str(tmp_path / "new")]) == 0
    assert capsys.readouterr().out.startswith("(6, 6, 1) -> (3,): ")
    with pytest.raises(UserError, match=r"agent.keras: is there already"):
        legacy.main([str(tmp_path / "agent.keras"), str(tmp_path / "agent.keras")])
    new = storage.load_model(tmp_path / "new/dqn_model.yaml", tmp_path / "new/dqn_model_weights.hdf5")
    np.testing.assert_array_equal(new(image), model(image))


def test_weights_in_the_layout_of_keras_3_are_matched_by_the_numbers_of_the_whole_model(tmp_path):
    """The part with the loss, which falls away, has layers of its own that count."""
    layers = keras.layers
    state, y_true = layers.Input((4,), name="state"), layers.Input((3,), name="y_true")
    loss = layers.Lambda(lambda both: both[0] - both[1], name="loss", output_shape=(3,))
    q = layers.Dense(3, name="q")(layers.Dense(3, name="body")(state))
    model = keras.Model([y_true, state], [loss([layers.Dense(3, name="other")(y_true), q]), q])
    network = keras.Model(state, q)
    for weight in model.weights:
        weight.assign(np.random.default_rng(1).normal(size=weight.shape))
    model.save(tmp_path / "agent.keras")
    np.testing.assert_array_equal(legacy.open_model(tmp_path / "agent.keras")(states(4)), network(states(4)))


# -- what is refused ---------------------------------------------------------------------------------------------------


def change(path, before, after):
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


@pytest.fixture
def old(tmp_path):
    """A Keras 1 agent's files."""
    return keras_1.write(tmp_path, "old", *keras_1.agent("th"))


def refused(words, *paths):
    with pytest.raises(UserError, match=words) as caught:
        legacy.load_legacy_model(*paths)
    assert str(caught.value).startswith(tuple(map(str, paths)))
    assert "\n" not in str(caught.value)


def test_code_in_the_yaml_is_refused_and_does_not_run(old, tmp_path):
    mark = tmp_path / "ran"
    change(old[0], "name: model_1", f"name: !!python/object/apply:os.system ['touch {mark}']")
    refused("line .*: !!python/object/apply:os.system would run Python code", *old)
    assert not mark.exists()


def test_a_lambda_on_the_way_to_the_output_is_named(tmp_path):
    config, weights = keras_1.agent("th")
    layers = config["config"]["layers"]
    function, nodes = {"name": "trick", **keras_1.loss_settings()}, [[["dense_1", 0, 0]]]
    layers.append({"class_name": "Lambda", "name": "trick", "config": function, "inbound_nodes": nodes})
    next(layer for layer in layers if layer["name"] == "main_output")["inbound_nodes"] = [[["trick", 0, 0]]]
    refused("layer trick: a Lambda holds Python code", *keras_1.write(tmp_path, "old", config, weights))


def test_only_losses_leave_nothing_to_play(old):
    change(old[0], "  - [main_output, 0, 0]\nkeras", "keras")
    refused("0 outputs that no Lambda computes", *old)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("class_name: Flatten", "class_name: GaussianNoise", "layer flatten_1: GaussianNoise is not a supported layer"),
        ("nb_filter: 2", "nb_filter: 1e12", "layer convolution2d_1: filters 1000000000000.0: must be a whole number"),
        ("nb_filter: 2", "nb_filter: -3", "filters -3: must be a whole number"),
        ("nb_filter: 2", "nb_filter: 4", r"convolution2d_1: the file has \(2, 1, 4, 4\) .* has \(4, 1, 4, 4\)"),
        ("border_mode: same", "border_mode: full", "padding 'full': must be one of"),
        ("activation: relu", "activation: my_relu", "activation 'my_relu': must be one of"),
        (
            "dim_ordering: th",
            "dim_ordering: tf",
            "convolution2d_2 and convolution2d_1 differ in where the channels are",
        ),
        ("[flatten_1, 0, 0]", "[nothing, 0, 0]", "layer nothing, which feeds dense_1, is missing"),
        ("[flatten_1, 0, 0]", "[dense_1, 0, 0]", "layer dense_1 feeds itself by a circle"),
        ("[flatten_1, 0, 0]", "[flatten_1, 1, 0]", "not the one output of a layer"),
        ("    - - [flatten_1, 0, 0]", "    - - [flatten_1, 0, 0]\n    - - [state, 0, 0]", "dense_1 is used 2 times"),
        ("[null, 1, 8, 8]", "[null, 1, null, 8]", "layer state: shape .*: must be a whole number"),
        ("[null, 1, 8, 8]", "[null, 1, 5, 8]", "layer dense_1: the file has"),
        ("class_name: Model", "class_name: Graph", "class_name 'Graph' is no Keras model"),
        ("name: flatten_1", "name: no", "layer name|missing|no"),
        ("\n  layers:", "\n  layer_list:", "the layers must be a list"),
    ],
)
def test_a_changed_architecture_is_refused_by_name(old, before, after, words):
    change(old[0], before, after)
    refused(words, *old)


def test_dense_on_an_image_and_softmax_over_an_axis_that_moves_are_refused(tmp_path):
    config, weights = keras_1.agent("th")
    layers = config["config"]["layers"]
    flatten = next(layer for layer in layers if layer["name"] == "flatten_1")
    flatten.update(class_name="Activation", config={"name": "flatten_1", "activation": "softmax"})
    refused("layer flatten_1: Activation on channels-first data", *keras_1.write(tmp_path, "old", config, weights))


def test_a_missing_layer_and_one_too_many_are_named(tmp_path):
    config, weights = keras_1.agent("th")
    paths = keras_1.write(tmp_path, "old", config, weights)
    names = [name for name, _ in weights]
    keras_1.write_weights(paths[1], weights[:-1], names[:-1])
    refused(r"layer main_output: the file has no such layer, the network has \(5, 3\) and \(3,\)", *paths)
    extra = [*weights, ("dense_9", weights[-1][1])]
    keras_1.write_weights(paths[1], extra, [*names, "dense_9"])
    refused(r"layer dense_9: the file has \(5, 3\) and \(3,\), the network has no such layer", *paths)


def test_theano_weights_are_refused(old):
    with h5py.File(old[1], "r+") as file:
        file.attrs["backend"] = b"theano"
    refused("Theano", *old)


def test_files_in_the_wrong_places_are_told_apart(old, tmp_path):
    refused("holds weights only; give its YAML or JSON first", old[1], old[0])
    refused("without weights; give the HDF5 file as well", old[0])
    (tmp_path / "copy.yaml").write_bytes(old[0].read_bytes())
    refused("not an HDF5 file", old[0], tmp_path / "copy.yaml")


def test_a_whole_model_with_a_broken_configuration_is_refused(tmp_path):
    (path,) = keras_2_files(keras_2(), tmp_path, "whole")
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1]["class_name"] = "Lambda"
        file.attrs["model_config"] = json.dumps(config)
    refused("a Lambda holds Python code|Lambda is not a supported layer", path)


def test_our_own_yaml_needs_no_conversion(tmp_path):
    saved = storage.save_model(keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)]), tmp_path)
    refused("a YAML of this project, which needs no conversion; give it to --model as it is", *saved)


@pytest.mark.parametrize("dtype", ["S", h5py.string_dtype()], ids=["fixed", "any length"])
def test_a_configuration_that_is_no_utf_8_is_refused(tmp_path, dtype):
    (path,) = keras_2_files(keras_2(), tmp_path, "whole")
    with h5py.File(path, "r+") as file:
        text = file.attrs["model_config"].encode()
        file.attrs["model_config"] = np.array(text[:100] + b"\xff\xfe" + text[100:], dtype)
    refused(r"not UTF-8 text \(byte 100\)", path)


def test_a_class_that_is_a_list_is_refused(old):
    change(old[0], "class_name: Flatten", "class_name: [Flatten]")
    refused("a layer without class_name, config and name", *old)


def test_a_setting_of_another_kind_of_layer_says_nothing(old):
    image = states(8, 8, 1)
    expected = np.asarray(legacy.load_legacy_model(*old)(image))
    change(old[0], "output_dim: 3", "output_dim: 3, nb_filter: 3")
    np.testing.assert_array_equal(legacy.load_legacy_model(*old)(image), expected)


def test_scrambled_configurations_are_refused_in_one_line(old):
    """Values of wrong types everywhere: whatever is wrong is said, nothing else is raised."""
    text = old[0].read_text()
    rng = np.random.default_rng(9)
    strange = ["[]", "{}", "7", "-1", "null", "[[1]]", "{a: {b: 1}}", "'x'", "true", ".inf", "[a, 0, 0]"]
    understood, messages = 0, []
    for match in [*re.finditer(r"[:,\[] ?([^\n\[\]{}!&,]+)(?=[\n,\]])", text)] * 3:
        start, end = match.span(1)
        spoiled = text[:start] + strange[rng.integers(len(strange))] + text[end:]
        try:
            graph = keras_graph.parse(safe_yaml.parse(spoiled.encode(), "old.yaml", keras_1=True), "old.yaml")
            described, _ = channels.channels_last(keras_graph.without_losses(graph, "old.yaml"), "old.yaml")
            building.output_shapes(described, "old.yaml")
            understood += 1
        except UserError as error:
            messages.append(str(error))
    assert understood > 100
    assert len(messages) > 100
    assert all(message.startswith("old.yaml: ") and "\n" not in message for message in messages)


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_converts_an_old_agent(old, tmp_path, capsys):
    assert legacy.main([*map(str, old), str(tmp_path / "new")]) == 0
    assert capsys.readouterr().out.startswith("(8, 8, 1) -> (3,): ")
    new = storage.load_model(tmp_path / "new/dqn_model.yaml", tmp_path / "new/dqn_model_weights.hdf5")
    image = states(8, 8, 1)
    np.testing.assert_array_equal(np.asarray(new(image)), np.asarray(legacy.load_legacy_model(*old)(image)))
    with pytest.raises(UserError, match=r"dqn_model\.yaml: is there already"):
        legacy.main([*map(str, old), str(tmp_path / "new")])


def test_the_command_takes_a_whole_model(tmp_path):
    (path,) = keras_2_files(keras_2(), tmp_path, "whole")
    assert legacy.main([str(path), str(tmp_path / "new")]) == 0
    assert (tmp_path / "new/dqn_model_weights.hdf5").is_file()


def test_a_failed_conversion_leaves_nothing(old, tmp_path):
    change(old[0], "nb_filter: 2", "nb_filter: 4")
    with pytest.raises(UserError):
        legacy.main([*map(str, old), str(tmp_path / "new")])
    assert not (tmp_path / "new").exists()


def test_open_model_tells_ours_from_theirs(old, tmp_path):
    converted = storage.save_model(legacy.load_legacy_model(*old), tmp_path / "new")
    image = states(8, 8, 1)
    theirs, ours = legacy.open_model(*old), legacy.open_model(*converted)
    np.testing.assert_array_equal(np.asarray(theirs(image)), np.asarray(ours(image)))
