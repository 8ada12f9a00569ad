"""Convolutions as matrix products, against Keras' own."""

import keras
import numpy as np
import pytest
from keras import ops

from shared.nn.backend import compiled, value_and_gradients
from shared.nn.convolutions import MatmulConv2D, can_be_matmul, with_matmul_convolutions


def three_convolutions(size, channels):
    """T3's network for 16x16 catch-ball and for CAVE."""
    conv = {"padding": "same", "activation": "relu"}
    return keras.Sequential(
        [
            keras.Input((size, size, channels)),
            keras.layers.Conv2D(16, 4, strides=2, **conv),
            keras.layers.Conv2D(32, 2, **conv),
            keras.layers.Conv2D(32, 2, **conv),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(3),
        ]
    )


def outputs_and_gradients(model, inputs, wrap=lambda function: function):
    """A model's outputs, and the gradients of a loss that weighs each output differently."""
    inputs = keras.Variable(inputs, name="inputs")
    weights = np.random.default_rng(1).normal(size=model.compute_output_shape(inputs.shape)).astype(np.float32)

    @wrap
    def run():
        variables = [inputs, *model.trainable_variables]
        _, gradients = value_and_gradients(lambda: ops.sum(weights * model(inputs.value)), variables)
        return [model(inputs.value), *gradients]

    return [ops.convert_to_numpy(array) for array in run()]


def assert_alike(ours, theirs):
    """Equal but for rounding: 1e-5 of the largest value in each array, at most."""
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert np.abs(b).max() > 0
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(b).max())


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.parametrize("kernel", [(1, 1), (2, 2), (3, 3), (4, 4), (2, 5), (4, 1)])
@pytest.mark.parametrize("shape", [(8, 8, 1), (7, 10, 3)])
def test_outputs_and_gradients_equal_conv2d(shape, kernel, strides, padding):
    keras.utils.set_random_seed(3)
    layer = keras.layers.Conv2D(
        4, kernel, strides, padding, activation="tanh", use_bias=strides != 2, bias_initializer="normal"
    )
    model = keras.Sequential([keras.Input(shape), layer])
    inputs = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
    clone = with_matmul_convolutions(model)
    assert type(clone.layers[0]) is MatmulConv2D
    assert clone.output_shape == model.output_shape
    assert_alike(outputs_and_gradients(clone, inputs), outputs_and_gradients(model, inputs))


@pytest.mark.parametrize(("size", "channels"), [(16, 1), (24, 4)])
def test_the_three_convolution_network_compiled(size, channels):
    keras.utils.set_random_seed(4)
    model = three_convolutions(size, channels)
    inputs = np.random.default_rng(0).random((32, size, size, channels), dtype=np.float32)
    clone = with_matmul_convolutions(model)
    assert [type(layer) for layer in clone.layers[:3]] == [MatmulConv2D] * 3
    assert_alike(outputs_and_gradients(clone, inputs, compiled), outputs_and_gradients(model, inputs))


def test_the_clone_has_the_same_weights_and_shares_none():
    model = three_convolutions(16, 1)
    clone = with_matmul_convolutions(model)
    assert [weight.path for weight in clone.weights] == [weight.path for weight in model.weights]
    before = model.get_weights()
    for ours, theirs in zip(clone.weights, before, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs)
        ours.assign(ours + 1.0)
    for kept, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(kept, theirs)


def test_a_model_without_convolutions_is_left_as_it_is():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    assert with_matmul_convolutions(model) is model


def test_convolutions_inside_an_inner_model_and_on_two_branches_are_found():
    inner = keras.Sequential([keras.Input((6, 6, 2)), keras.layers.Conv2D(3, 2, padding="same")])
    screen = keras.Input((6, 6, 2))
    both = keras.layers.Add()([inner(screen), keras.layers.Conv2D(3, 3, padding="same")(screen)])
    model = keras.Model(screen, keras.layers.Flatten()(both))
    clone = with_matmul_convolutions(model)
    kinds = [type(layer) for part in clone.layers for layer in getattr(part, "layers", [part])]
    assert kinds.count(MatmulConv2D) == 2
    assert keras.layers.Conv2D not in kinds
    inputs = np.random.default_rng(0).random((2, 6, 6, 2), dtype=np.float32)
    assert_alike(outputs_and_gradients(clone, inputs), outputs_and_gradients(model, inputs))


@pytest.mark.parametrize("option", [{"groups": 2}, {"dilation_rate": 2}, {"data_format": "channels_first"}])
def test_what_cannot_be_a_plain_product_stays_conv2d(option):
    layer = keras.layers.Conv2D(4, 2, **option)
    assert can_be_matmul(keras.layers.Conv2D(4, 2))
    assert not can_be_matmul(layer)
    model = keras.Sequential([keras.Input((6, 6, 2)), layer])
    assert with_matmul_convolutions(model) is model
