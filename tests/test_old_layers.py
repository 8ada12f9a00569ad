"""The layers that agents of others have, from the files of every version of Keras, against NumPy.

Four networks have all of them between them. Each is saved by Keras 3, by tf-keras (Keras 2) and by us, and written in
the layout of Keras 1; loaded again, it must give what `shared.nn.numpy_layers` gives.
"""

import warnings

import keras
import keras_1_layers as k1
import numpy as np
import pytest
import tf_keras

from shared import legacy, storage
from shared.errors import UserError
from shared.model_files import architecture, building
from shared.nn import numpy_layers as ref


def sequential(k, shape, layers):
    return k.Sequential([k.layers.Input(shape, name="state"), *layers])


class Image:
    """Padding, convolution, normalisation, pooling; `ReLU` with all its settings came with Keras 2."""

    shape = (9, 8, 2)

    @staticmethod
    def make(k):
        layers = k.layers
        slope = {"negative_slope" if k is keras else "alpha": 0.25}
        return sequential(
            k,
            Image.shape,
            [
                layers.ZeroPadding2D(((1, 0), (2, 1)), name="edge"),
                layers.Conv2D(3, (3, 2), name="conv"),
                layers.BatchNormalization(epsilon=0.01, name="norm"),
                layers.LeakyReLU(**slope, name="leaky"),
                layers.AveragePooling2D(2, name="pool"),
                layers.ReLU(max_value=0.9, negative_slope=0.1, threshold=0.2, name="relu"),
                layers.GlobalAveragePooling2D(name="mean"),
                layers.Dense(2, name="out"),
            ],
        )

    @staticmethod
    def numpy(x, weights, version):
        x = ref.conv(ref.pad(x, 1, 0, 2, 1), *weights["conv"])
        x = ref.average_pool(ref.leaky(ref.batch_normalize(x, *weights["norm"], 0.01), 0.25), (2, 2), (2, 2))
        if version > 1:
            x = np.where(x >= 0.9, 0.9, np.where(x >= 0.2, x, 0.1 * (x - 0.2)))
        return ref.dense(x.mean(axis=(1, 2)), *weights["out"])

    @staticmethod
    def keras_1(weights):
        tf = {"dim_ordering": "tf"}
        normal = {"epsilon": 0.01, "mode": 0, "axis": -1, "momentum": 0.99}
        return k1.chain(
            Image.shape,
            k1.layer("ZeroPadding2D", "edge", padding=(1, 0, 2, 1)),
            k1.layer("Convolution2D", "conv", nb_filter=3, nb_row=3, nb_col=2, activation="linear", **tf),
            k1.layer("BatchNormalization", "norm", **normal, gamma_regularizer=None, beta_regularizer=None),
            k1.layer("LeakyReLU", "leaky", alpha=0.25),
            k1.layer("AveragePooling2D", "pool", pool_size=(2, 2), strides=(2, 2), border_mode="valid", **tf),
            k1.layer("GlobalAveragePooling2D", "mean", **tf),
            k1.layer("Dense", "out", output_dim=2, activation="linear"),
        ), weights


class Vector:
    """What comes with a window of one observation, as every network of keras-rl has it."""

    shape = (1, 6)

    @staticmethod
    def make(k):
        layers = k.layers
        return sequential(
            k,
            Vector.shape,
            [
                layers.Flatten(name="flat"),
                layers.Rescaling(0.5, 0.1, name="scale"),
                layers.LayerNormalization(epsilon=0.02, name="layernorm"),
                layers.Dense(6, activation="hard_sigmoid", name="hidden"),
                layers.BatchNormalization(center=False, scale=False, name="norm"),
                layers.Reshape((2, 3), name="shape"),
                layers.Permute((2, 1), name="swap"),
                layers.Flatten(name="flat_again"),
                layers.Dense(2, name="out"),
            ],
        )

    @staticmethod
    def numpy(x, weights, version):
        x = x.reshape(len(x), 6)
        if version > 1:
            x = ref.layer_normalize(0.5 * x + 0.1, *weights["layernorm"], 0.02)
        hard_sigmoid = ref.hard_sigmoid_of_keras_3 if version == 3 else ref.hard_sigmoid_of_keras_1
        x = hard_sigmoid(ref.dense(x, *weights["hidden"]))
        if version > 1:
            x = ref.batch_normalize(x, 1, 0, *weights["norm"], 1e-3)
        x = x.reshape(len(x), 2, 3).transpose(0, 2, 1)
        return ref.dense(x.reshape(len(x), 6), *weights["out"])

    @staticmethod
    def keras_1(weights):
        return k1.chain(
            Vector.shape,
            k1.layer("Flatten", "flat"),
            k1.layer("Dense", "hidden", output_dim=6, activation="hard_sigmoid"),
            k1.layer("Reshape", "shape", target_shape=(2, 3)),
            k1.layer("Permute", "swap", dims=(2, 1)),
            k1.layer("Flatten", "flat_again"),
            k1.layer("Dense", "out", output_dim=2, activation="linear"),
        ), {name: weights[name] for name in ("hidden", "out")}


class Merged:
    """Two layers, put together in every way."""

    shape = (4,)
    modes = ("sum", "mul", "ave", "max", "dot")

    @staticmethod
    def make(k):
        layers = k.layers
        state = layers.Input(Merged.shape, name="state")
        pair = [layers.Dense(3, name=name)(state) for name in ("a", "b")]
        kinds = (layers.Add, layers.Multiply, layers.Average, layers.Maximum)
        merged = [kind(name=mode)(pair) for kind, mode in zip(kinds, Merged.modes, strict=False)]
        merged.append(layers.Dot(axes=1, name="dot")(pair))
        together = layers.Concatenate(axis=1, name="together")(merged)
        return k.Model(state, layers.Dense(2, name="out")(together))

    @staticmethod
    def numpy(x, weights, version):
        a, b = (ref.dense(x, *weights[name]) for name in ("a", "b"))
        merged = [a + b, a * b, (a + b) / 2, np.maximum(a, b), (a * b).sum(axis=1, keepdims=True)]
        return ref.dense(np.concatenate(merged, axis=1), *weights["out"])

    @staticmethod
    def keras_1(weights):
        layers = [k1.input_layer("state", Merged.shape)]
        layers += [k1.layer("Dense", name, "state", output_dim=3, activation="linear") for name in ("a", "b")]
        layers += [k1.merge(mode, mode, "a", "b") for mode in Merged.modes]
        layers.append(k1.merge("together", "concat", *Merged.modes, concat_axis=1))
        layers.append(k1.layer("Dense", "out", "together", output_dim=2, activation="linear"))
        return k1.graph(layers, ["state"], ["out"]), weights


class Recurrent:
    """The author's recurrent network for CAVE (2017), smaller."""

    shape = (5, 7, 6, 1)

    @staticmethod
    def make(k):
        layers = k.layers
        return sequential(
            k,
            Recurrent.shape,
            [
                layers.TimeDistributed(layers.Conv2D(2, 3, activation="relu"), name="conv"),
                layers.TimeDistributed(layers.AveragePooling2D(2), name="pool"),
                layers.TimeDistributed(layers.Flatten(), name="flat"),
                layers.LSTM(3, activation="relu", recurrent_activation="hard_sigmoid", name="lstm"),
                layers.Dense(2, name="out"),
            ],
        )

    @staticmethod
    def numpy(x, weights, version):
        x = ref.relu(ref.each_step(ref.conv, x, *weights["conv"]))
        x = ref.each_step(ref.average_pool, x, (2, 2), (2, 2)).reshape(len(x), 5, -1)
        inner = ref.hard_sigmoid_of_keras_3 if version == 3 else ref.hard_sigmoid_of_keras_1
        return ref.dense(ref.lstm(x, k1.gates(*weights["lstm"]), ref.relu, inner)[:, -1], *weights["out"])

    @staticmethod
    def keras_1(weights, consume_less="cpu"):
        tf = {"dim_ordering": "tf"}
        size = {"nb_filter": 2, "nb_row": 3, "nb_col": 3, "subsample": (1, 1), "border_mode": "valid"}
        pool = {"pool_size": (2, 2), "strides": (2, 2), "border_mode": "valid"}
        return k1.chain(
            Recurrent.shape,
            k1.each_step("conv", "Convolution2D", activation="relu", **size, **tf),
            k1.each_step("pool", "AveragePooling2D", **pool, **tf),
            k1.each_step("flat", "Flatten"),
            k1.lstm("lstm", 3, consume_less),
            k1.layer("Dense", "out", output_dim=2, activation="linear"),
        ), {**weights, "lstm": k1.lstm_arrays(weights["lstm"], consume_less)}


NETWORKS = [Image, Vector, Merged, Recurrent]


# -- files of every version --------------------------------------------------------------------------------------------


def some_weights(model, seed=3):
    """Random arrays for each layer of a model, by its name; variances are positive."""
    rng = np.random.default_rng(seed)
    made = {}
    for one in model.layers:
        arrays = [rng.normal(0, 0.6, weight.shape).astype("float32") for weight in one.weights]
        if type(one).__name__ == "BatchNormalization":
            arrays[-1] = 0.2 + np.abs(arrays[-1])
        if arrays:
            made[one.name] = arrays
    return made


def filled(model, weights):
    for name, arrays in weights.items():
        model.get_layer(name).set_weights(arrays)
    return model


def keras_files(model, folder, whole):
    """What Keras 2 or 3 writes: one file of the whole model, or an architecture as JSON and weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if whole:
            model.save(folder / "x.h5")
            return (folder / "x.h5",)
        (folder / "x.json").write_text(model.to_json())
        path = folder / ("x.weights.h5" if isinstance(model, keras.Model) else "x.h5")
        model.save_weights(path)
        return folder / "x.json", path


def states(*shape, seed=5):
    return np.random.default_rng(seed).normal(0, 1, (4, *shape)).astype("float32")


def check(model, x, expected):
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(np.asarray(model(x)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("network", NETWORKS)
def test_our_own_files_bring_it_back(tmp_path, network):
    weights = some_weights(network.make(keras))
    model = storage.load_model(*storage.save_model(filled(network.make(keras), weights), tmp_path))
    x = states(*network.shape)
    check(model, x, network.numpy(x, weights, 3))


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "JSON and weights"])
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("network", NETWORKS)
def test_files_of_keras_2_and_3_load(tmp_path, network, version, whole):
    weights = some_weights(network.make(keras))
    old = filled(network.make({2: tf_keras, 3: keras}[version]), weights)
    model = legacy.load_legacy_model(*keras_files(old, tmp_path, whole))
    x = states(*network.shape)
    check(model, x, network.numpy(x, weights, version))


def test_pixels_as_whole_numbers_are_rescaled(tmp_path):
    state = keras.Input((3, 3, 1), dtype="uint8")
    old = keras.Model(state, keras.layers.Rescaling(1 / 255, name="scale")(state))
    model = legacy.load_legacy_model(*keras_files(old, tmp_path, whole=True))
    x = np.random.default_rng(1).integers(0, 256, (4, 3, 3, 1)).astype("uint8")
    check(model, x, x / 255)


@pytest.mark.parametrize("form", ["yaml", "json"])
@pytest.mark.parametrize("network", NETWORKS)
def test_files_of_keras_1_load_and_become_ours(tmp_path, network, form):
    weights = some_weights(network.make(keras))
    model = legacy.load_legacy_model(*k1.write(tmp_path, *network.keras_1(weights), form))
    x = states(*network.shape)
    check(model, x, network.numpy(x, weights, 1))
    again = storage.load_model(*storage.save_model(model, tmp_path))
    np.testing.assert_array_equal(np.asarray(again(x)), np.asarray(model(x)))


def test_plain_keras_reads_the_weights_that_we_write(tmp_path):
    model = filled(Recurrent.make(keras), some_weights(Recurrent.make(keras)))
    storage.save_weights(model, tmp_path / "x.h5")
    x = states(*Recurrent.shape)
    for k in (keras, tf_keras):
        other = Recurrent.make(k)
        other.load_weights(str(tmp_path / "x.h5"))
        for ours, theirs in zip(other.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    storage.load_weights(other := Recurrent.make(keras), tmp_path / "x.h5")
    np.testing.assert_array_equal(np.asarray(other(x)), np.asarray(model(x)))


@pytest.mark.parametrize("consume_less", ["cpu", "mem", "gpu"])
def test_the_arrays_of_an_lstm_of_keras_1_for_every_processor(tmp_path, consume_less):
    weights = some_weights(Recurrent.make(keras))
    config, stored = Recurrent.keras_1(weights, consume_less)
    assert len(stored["lstm"]) == (3 if consume_less == "gpu" else 12)
    x = states(*Recurrent.shape)
    check(legacy.load_legacy_model(*k1.write(tmp_path, config, stored)), x, Recurrent.numpy(x, weights, 1))


def test_models_merged_at_the_start_of_a_sequential(tmp_path):
    """Keras 1 kept the merged models inside the `Merge`, and their weights before those of the rest."""
    rng = np.random.default_rng(2)
    shapes = {"a": [(3, 4), (4,)], "b": [(2, 4), (4,)], "out": [(8, 2), (2,)]}
    weights = {name: [rng.normal(0, 1, shape).astype("float32") for shape in listed] for name, listed in shapes.items()}
    branches = [
        k1.chain((3,), k1.layer("Dense", "a", output_dim=4, activation="relu")),
        k1.chain((2,), k1.layer("Dense", "b", output_dim=4, activation="linear")),
    ]
    together = k1.merge("merge_1", "concat")
    together["config"]["layers"] = [{key: model[key] for key in ("class_name", "config")} for model in branches]
    config = k1.chain((), together, k1.layer("Dense", "out", output_dim=2, activation="linear"))
    del config["config"][0]["config"]["batch_input_shape"]
    model = legacy.load_legacy_model(*k1.write(tmp_path, config, weights))
    x, y = states(3), states(2, seed=6)
    both = np.concatenate([ref.relu(ref.dense(x, *weights["a"])), ref.dense(y, *weights["b"])], axis=1)
    assert [tensor.name for tensor in model.inputs] == ["a_input", "b_input"]
    check(model, [x, y], ref.dense(both, *weights["out"]))


# -- what is refused ---------------------------------------------------------------------------------------------------


def normalise(**changes):
    return k1.layer("BatchNormalization", "norm", **k1.NORM | changes)


def each(class_name, **config):
    return k1.each_step("each", class_name, **config)


def shaped(*target):
    return k1.layer("Reshape", "shape", target_shape=target)


CONV = k1.convolution("conv", 3, 2)
LSTM = k1.lstm("lstm", 3, "cpu")
POOL = k1.layer("AveragePooling2D", "pool", pool_size=(2, 2), border_mode="valid", dim_ordering="tf")
STEPS = [k1.each_step(f"each_{i}", "Flatten") for i in range(11)]
LOOPS = [k1.lstm(f"loop_{i}", 3, "cpu", sequences=True) for i in range(9)]
WIDE = k1.layer("ZeroPadding2D", "edge", padding=(1000, 1000))


@pytest.mark.parametrize(
    ("shape", "layers", "words"),
    [
        ((4,), [normalise(mode=1)], "norm: mode 1 normalises by the states at hand; only mode 0"),
        ((4,), [normalise(mode=2)], "norm: mode 2 normalises by the states at hand; only mode 0"),
        ((4,), [normalise(axis=0)], "norm: axis 0: must be an axis"),
        ((4,), [normalise(axis=-2)], "norm: BatchNormalization does not fit its input"),
        ((4,), [normalise(epsilon=-1)], "norm: epsilon -1: must be a number from 0 to 1"),
        ((4,), [LSTM], r"lstm: LSTM does not fit its input \(4,\)"),
        ((2, 3, 4), [LSTM], r"lstm: LSTM does not fit its input \(2, 3, 4\)"),
        ((5, 4), LOOPS, "loop_8: more than 8 LSTMs"),
        ((5000, 4), [LSTM], "lstm: 5,000 time steps are more than 128"),
        ((5, 4), [k1.lstm("lstm", 1 << 20, "cpu")], "lstm: more than 67,108,864 weights"),
        ((5, 4), [k1.lstm("lstm", 1e300, "cpu")], "lstm: units 1e.300: must be a whole number"),
        ((5, 4), [k1.lstm("lstm", 3, "cpu", stateful=True)], "lstm: stateful True is not supported"),
        ((5000, 4), [each("Dense", output_dim=3)], "each: 5,000 time steps are more than 128"),
        ((4,), [each("Dense", output_dim=3)], r"each: TimeDistributed does not fit its input \(4,\)"),
        ((5, 4), [each("Permute", dims=(2, 1))], r"each: Permute does not fit its input \(4,\)"),
        ((5, 4), [each("Dense", output_dim=1 << 26)], "each: units 67108864: must be a whole number"),
        ((5, 4), [each("GRU", output_dim=3)], "each: GRU is not a supported layer"),
        ((5, 4), [each("Embedding", input_dim=2, output_dim=3)], "each: layer: Embedding cannot be done at each time"),
        ((5, 4), [k1.layer("TimeDistributed", "each", layer=None)], "each: does not say which layer it is made of"),
        ((100, 4), STEPS, "each_9: more than 1000 layers and time steps"),
        ((4,), [shaped(3, 2)], r"shape: Reshape does not fit its input \(4,\)"),
        ((4,), [shaped(-1, -1)], "shape: target_shape .*: must have one -1 at most"),
        ((4,), [k1.layer("Permute", "order", dims=(2, 1))], r"order: Permute does not fit its input \(4,\)"),
        ((4, 4), [k1.layer("Permute", "order", dims=(1, 1))], "order: dims .*: must have each of the axes 1 to 2 once"),
        ((4, 4), [k1.layer("LeakyReLU", "leaky", alpha=float("nan"))], "leaky: negative_slope nan: must be a number"),
        ((9, 9), [POOL], "pool: AveragePooling2D does not fit its input"),
        ((9, 9), [WIDE], "edge: ZeroPadding2D does not fit its input"),
        ((99, 99, 99), [WIDE], "edge: the layers up to here make more than"),
        ((2, 6, 6), [CONV, each("Flatten")], "each: TimeDistributed on channels-first data is not supported"),
        ((2, 6, 6), [CONV, shaped(15, 5)], "shape: Reshape on channels-first data is not supported"),
        ((2, 6, 6), [CONV, k1.layer("Dense", "d", output_dim=3)], "d: Dense on channels-first data is not supported"),
        ((8,), [shaped(2, 2, 2), CONV], "conv: Conv2D with the channels first, on data that cannot be turned"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(tmp_path, shape, layers, words):
    paths = k1.write(tmp_path, k1.chain(shape, *layers), {})
    with pytest.raises(UserError, match=f"old.yaml: layer {words}") as caught:
        legacy.load_legacy_model(*paths)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mode": "cos"}, "layer both: Merge mode 'cos' is not supported; supported are sum, mul"),
        ({"mode": "marshalled", "mode_type": "lambda"}, "layer both: a Merge with Python code, which is never run"),
        ({"mode": "concat", "concat_axis": 0}, "layer both: axis 0: must be an axis"),
        ({"mode": "concat", "concat_axis": -2}, "layer both: Concatenate does not fit its input"),
        ({"mode": "dot", "dot_axes": "all"}, "layer both: axes 'all': must be a list"),
    ],
)
def test_merges_that_are_refused(tmp_path, change, words):
    both = k1.merge("both", "sum", "a", "b")
    both["config"] |= change
    layers = [k1.input_layer(name, (3,)) for name in ("a", "b")]
    config = k1.graph([*layers, both], ["a", "b"], ["both"])
    with pytest.raises(UserError, match=words):
        legacy.load_legacy_model(*k1.write(tmp_path, config, {}))


def test_statistics_that_theano_wrote_are_refused(tmp_path):
    """Some versions of Keras 1 kept variances there and some standard deviations; nothing in the file says which."""
    paths = k1.write(tmp_path, k1.chain((4,), normalise()), {"norm": [np.ones(4, "float32")] * 4}, end="")
    with pytest.raises(UserError, match=r"layer norm: a BatchNormalization of Keras 1 under Theano"):
        legacy.load_legacy_model(*paths)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"kernel_regularizer": "l2"}, "layer each: kernel_regularizer is not supported"),
        ({"data_format": "channels_first"}, "layer each: data_format channels_first is not supported"),
        ({"trainable": False}, "layer each: trainable: false is not supported"),
    ],
)
def test_what_our_yaml_cannot_keep_is_seen_inside_a_time_distributed(tmp_path, option, words):
    each = keras.layers.TimeDistributed(keras.layers.Conv2D(2, 2, **option), name="each")
    model = keras.Sequential([keras.Input((3, 4, 4, 4)), each])
    with pytest.raises(UserError, match=words):
        storage.save_model(model, tmp_path)


# -- sizes before anything is built ------------------------------------------------------------------------------------

SHAPES = [(4,), (4, 6), (5, 5, 4), (3, 5, 5, 4)]
# Settings for each kind of layer, and which of the shapes it takes, by the number of their axes.
SETTINGS = {
    "Dense": ({"units": 3}, (1, 2, 3, 4)),
    "Conv2D": ({"filters": 2, "kernel_size": 2}, (3,)),
    "MaxPooling2D": ({"strides": 1}, (3,)),
    "AveragePooling2D": ({"strides": 1}, (3,)),
    "GlobalAveragePooling2D": ({}, (3,)),
    "ZeroPadding2D": ({}, (3,)),
    "BatchNormalization": ({"axis": 2}, (2, 3, 4)),
    "LayerNormalization": ({"axis": [-2, -1]}, (2, 3, 4)),
    "LSTM": ({"units": 3}, (2,)),
    "TimeDistributed": ({"layer": {"class": "Conv2D", "filters": 2, "kernel_size": 2}}, (4,)),
    "Rescaling": ({"scale": 2}, (1, 2, 3, 4)),
    "LeakyReLU": ({}, (1, 2, 3, 4)),
    "ReLU": ({}, (1, 2, 3, 4)),
    "Reshape": ({"target_shape": [2, -1]}, (1, 2, 3, 4)),
    "Permute": ({"dims": [2, 1]}, (2,)),
    "Flatten": ({}, (1, 2, 3, 4)),
    "Grid": ({"edges": [[0.0], [1.0], [2.0], [3.0]]}, (1,)),
    "Activation": ({"activation": "keras_1_hard_sigmoid"}, (1, 2, 3, 4)),
    "Dropout": ({"rate": 0.5}, (1, 2, 3, 4)),
    "Add": ({}, (1, 2, 3, 4)),
    "Average": ({}, (1, 2, 3, 4)),
    "Maximum": ({}, (1, 2, 3, 4)),
    "Concatenate": ({"axis": 2}, (2, 3, 4)),
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_sizes_are_known_before_anything_is_built(kind):
    settings, fitting = SETTINGS[kind]
    names = ("a", "b") if architecture.KINDS[kind].many_inputs else ("a",)
    made = architecture.make_layer(kind, "made", names, settings, "x")
    for shape in SHAPES:
        inputs = (architecture.make_layer("InputLayer", name, (), {"shape": shape}, "x") for name in names)
        described = architecture.Architecture((*inputs, made), ("made",))
        if len(shape) not in fitting:
            with pytest.raises(UserError, match=r"x: layer made: .* does not fit its input"):
                building.output_shapes(described, "x")
            continue
        model = building.build(described, "x")
        assert model.output_shape[1:] == building.output_shapes(described, "x")["made"]
        weights = [tuple(weight.shape) for weight in model.get_layer("made").weights]
        assert architecture.weight_shapes(made, [shape] * len(names)) == weights
