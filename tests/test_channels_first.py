"""Networks whose images are (channels, rows, columns) give the same outputs with the channels last."""

import keras_1_layers as k1
import numpy as np
import pytest
import tf_keras
from test_old_layers import check, filled, keras_files, some_weights, states

from shared import legacy
from shared.nn import numpy_layers as ref


def load(folder, config, weights):
    return legacy.load_legacy_model(*k1.write(folder, config, weights))


def normal(*shape, seed=1):
    return np.random.default_rng(seed).normal(0, 0.6, shape).astype("float32")


def kernel(filters, channels, size, seed=1):
    """A kernel and a bias as Keras 1 stored them for `th`."""
    return [normal(filters, channels, size, size, seed=seed), normal(filters, seed=seed + 1)]


def th_conv(x, kernel, bias):
    """`ref.conv` with relu of a kernel of `th`, on an image that lies as in the new network."""
    return ref.relu(ref.conv(x, kernel.transpose(2, 3, 1, 0), bias))


def th_flat(x):
    """What an old network makes of an image that lies as in the new one: channels, rows, columns."""
    return x.transpose(0, 3, 1, 2).reshape(len(x), -1)


def statistics(size, seed):
    return [normal(size, seed=seed + i) for i in range(3)] + [0.2 + np.abs(normal(size, seed=seed + 3))]


def test_channels_first_padding_normalisation_and_pooling(tmp_path):
    """The normalisation after Flatten must be put into another order, as the rows of the Dense layer."""
    mode = {"epsilon": 0.01, "mode": 0, "momentum": 0.99}
    pool = {"pool_size": (2, 2), "strides": (2, 2), "border_mode": "valid"}
    config = k1.chain(
        (2, 9, 8),
        k1.layer("ZeroPadding2D", "edge", padding=(1, 2)),  # Keras 1 did not write its order
        k1.convolution("conv", 3, 2),
        k1.layer("BatchNormalization", "norm", axis=1, **mode),
        k1.layer("LeakyReLU", "leaky", alpha=0.3),
        k1.layer("AveragePooling2D", "pool", **pool, **k1.TH),
        k1.layer("Flatten", "flat"),
        k1.layer("BatchNormalization", "flat_norm", axis=-1, **mode),
        k1.layer("Dense", "out", output_dim=2, activation="linear"),
    )
    weights = {"conv": kernel(3, 2, 2), "norm": statistics(3, 5), "flat_norm": statistics(75, 20)}
    weights["out"] = [normal(75, 2, seed=9), normal(2, seed=8)]
    x = states(9, 8, 2)
    hidden = th_conv(ref.pad(x, 1, 1, 2, 2), *weights["conv"])
    hidden = ref.average_pool(ref.leaky(ref.batch_normalize(hidden, *weights["norm"], 0.01), 0.3), (2, 2), (2, 2))
    flat = ref.batch_normalize(th_flat(hidden), *weights["flat_norm"], 0.01)
    check(load(tmp_path, config, weights), x, ref.dense(flat, *weights["out"]))


def test_channels_first_normalisation_along_rows_and_columns(tmp_path):
    for axis, size in ((2, 5), (3, 4), (-1, 4), (-3, 2)):
        normalise = k1.layer("BatchNormalization", "norm", axis=axis, epsilon=0.01, mode=0, momentum=0.9)
        out = k1.layer("Dense", "out", output_dim=2, activation="linear")
        config = k1.chain((2, 5, 4), normalise, k1.convolution("conv", 1, 2), k1.layer("Flatten", "flat"), out)
        weights = {"norm": statistics(size, 4), "conv": kernel(1, 2, 2), "out": [normal(12, 2), normal(2)]}
        x = states(5, 4, 2)
        old = np.moveaxis(x, -1, 1)  # as the old network had it
        hidden = np.moveaxis(ref.batch_normalize(np.moveaxis(old, axis, -1), *weights["norm"], 0.01), -1, axis)
        hidden = th_conv(np.moveaxis(hidden, 1, -1), *weights["conv"])
        check(load(tmp_path, config, weights), x, ref.dense(th_flat(hidden), *weights["out"]))


def test_channels_first_images_merged_and_joined_by_a_vector(tmp_path):
    layers = [
        k1.input_layer("state", (2, 6, 6)),
        k1.input_layer("speed", (3,)),
        k1.convolution("a", 2, 3, "state"),
        k1.convolution("b", 3, 3, "state"),
        k1.merge("channels", "concat", "a", "b", concat_axis=1),
        k1.convolution("c", 5, 1, "channels"),
        k1.merge("largest", "max", "channels", "c"),
        k1.layer("GlobalAveragePooling2D", "mean", "largest", **k1.TH),
        k1.layer("Flatten", "flat", "largest"),
        k1.merge("together", "concat", "speed", "flat", "mean"),
        k1.layer("Dense", "out", "together", output_dim=2, activation="linear"),
    ]
    weights = {"a": kernel(2, 2, 3), "b": kernel(3, 2, 3, seed=3), "c": kernel(5, 5, 1, seed=5)}
    weights["out"] = [normal(3 + 80 + 5, 2), normal(2)]
    model = load(tmp_path, k1.graph(layers, ["state", "speed"], ["out"]), weights)
    x, speed = states(6, 6, 2), states(3, seed=8)
    channels = np.concatenate([th_conv(x, *weights[name]) for name in "ab"], axis=3)
    largest = np.maximum(channels, th_conv(channels, *weights["c"]))
    together = np.concatenate([speed, th_flat(largest), largest.mean(axis=(1, 2))], axis=1)
    check(model, [x, speed], ref.dense(together, *weights["out"]))


@pytest.mark.parametrize("ordering", ["th", "tf"])
def test_the_permute_of_keras_rl_takes_screens_as_the_game_shows_them(tmp_path, ordering):
    """Its window of frames comes first; a Permute before the convolutions puts it where the backend wants it."""
    before = k1.layer("Permute", "order", dims=(2, 3, 1) if ordering == "tf" else (1, 2, 3))
    out = k1.layer("Dense", "out", output_dim=2, activation="linear")
    conv = k1.convolution("conv", 3, 2, dim_ordering=ordering)
    config = k1.chain((4, 6, 6), before, conv, k1.layer("Flatten", "flat"), out)
    th = kernel(3, 4, 2)
    tf = [th[0].transpose(2, 3, 1, 0), th[1]]
    weights = {"conv": th if ordering == "th" else tf, "out": [normal(75, 2), normal(2)]}
    x = states(6, 6, 4)
    hidden = th_conv(x, *th)
    flat = th_flat(hidden) if ordering == "th" else hidden.reshape(4, -1)
    check(load(tmp_path, config, weights), x, ref.dense(flat, *weights["out"]))


@pytest.mark.parametrize("shape", [(6, 6), (36,)])
def test_a_reshape_makes_an_image_of_one_channel(tmp_path, shape):
    out = k1.layer("Dense", "out", output_dim=2, activation="linear")
    before = k1.layer("Reshape", "image", target_shape=(1, 6, 6))
    config = k1.chain(shape, before, k1.convolution("conv", 3, 2), k1.layer("Flatten", "flat"), out)
    weights = {"conv": kernel(3, 1, 2), "out": [normal(75, 2), normal(2)]}
    x = states(*shape)
    hidden = th_conv(x.reshape(4, 6, 6, 1), *weights["conv"])
    check(load(tmp_path, config, weights), x, ref.dense(th_flat(hidden), *weights["out"]))


@pytest.mark.parametrize("steps", [True, False], ids=["TimeDistributed", "Reshape"])
def test_channels_first_screens_before_an_lstm(tmp_path, steps):
    if steps:
        settings = k1.convolution("conv", 3, 2)["config"]
        del settings["name"]
        before = [k1.each_step("conv", "Convolution2D", **settings), k1.each_step("flat", "Flatten")]
        x = states(5, 4, 4, 2)
    else:
        before = [
            k1.convolution("conv", 3, 2),
            k1.layer("Flatten", "flat"),
            k1.layer("Reshape", "step", target_shape=(1, 27)),
        ]
        x = states(4, 4, 2)
    out = k1.layer("Dense", "out", output_dim=2, activation="linear")
    config = k1.chain((5, 2, 4, 4) if steps else (2, 4, 4), *before, k1.lstm("lstm", 3, "cpu"), out)
    arrays = [normal(27, 12, seed=4), normal(3, 12, seed=5), normal(12, seed=6)]
    weights = {"conv": kernel(3, 2, 2), "lstm": k1.lstm_arrays(arrays), "out": [normal(3, 2), normal(2)]}
    screens = x if steps else x[:, None]
    hidden = ref.each_step(lambda image: th_flat(th_conv(image, *weights["conv"])), screens)
    hidden = ref.lstm(hidden, k1.gates(*arrays), ref.relu, ref.hard_sigmoid_of_keras_1)[:, -1]
    check(load(tmp_path, config, weights), x, ref.dense(hidden, *weights["out"]))


def test_screens_at_several_steps_are_no_channels(tmp_path):
    """Without a convolution nothing says where the channels are, but time steps come first everywhere."""
    out = k1.layer("Dense", "out", output_dim=2, activation="linear")
    config = k1.chain((5, 3, 3), k1.each_step("flat", "Flatten"), k1.lstm("lstm", 3, "cpu"), out)
    arrays = [normal(9, 12, seed=4), normal(3, 12, seed=5), normal(12, seed=6)]
    weights = {"lstm": k1.lstm_arrays(arrays), "out": [normal(3, 2), normal(2)]}
    x = states(5, 3, 3)
    hidden = ref.lstm(x.reshape(4, 5, 9), k1.gates(*arrays), ref.relu, ref.hard_sigmoid_of_keras_1)[:, -1]
    check(load(tmp_path, config, weights), x, ref.dense(hidden, *weights["out"]))


@pytest.mark.parametrize("flatten", ["channels_first", "channels_last"])
def test_files_of_keras_2_with_channels_first(tmp_path, flatten):
    tf_keras.utils.set_random_seed(3)
    layers = tf_keras.layers
    first = {"data_format": "channels_first"}
    state = layers.Input((2, 7, 7), name="state")
    norm = layers.LayerNormalization(axis=1, name="layernorm")(layers.ZeroPadding2D((0, 1), **first)(state))
    convolved = [layers.Conv2D(3, 2, **first, name=name)(norm) for name in "ab"]
    pooled = layers.AveragePooling2D(2, **first)(layers.Concatenate(axis=1)(convolved))
    pooled = layers.BatchNormalization(axis=1, name="norm")(pooled)
    flat = layers.Flatten(data_format=flatten)(pooled)
    means = layers.GlobalAveragePooling2D(**first)(pooled)
    old = tf_keras.Model(state, layers.Dense(2, name="out")(layers.Concatenate()([flat, means])))
    weights = some_weights(old)
    filled(old, weights)
    x = states(7, 7, 2)
    hidden = ref.layer_normalize(ref.pad(x, 0, 0, 1, 1), *weights["layernorm"], 1e-3)
    hidden = np.concatenate([ref.conv(hidden, *weights[name]) for name in "ab"], axis=3)
    hidden = ref.batch_normalize(ref.average_pool(hidden, (2, 2), (2, 2)), *weights["norm"], 1e-3)
    flat = hidden.reshape(4, -1) if flatten == "channels_first" else th_flat(hidden)
    expected = ref.dense(np.concatenate([flat, hidden.mean(axis=(1, 2))], axis=1), *weights["out"])
    check(legacy.load_legacy_model(*keras_files(old, tmp_path, whole=False)), x, expected)
