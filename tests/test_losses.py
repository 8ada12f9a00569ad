"""The losses against hand-computed numbers, and against Keras' own."""

import keras
import numpy as np
import pytest
from keras import ops

from shared.late import load
from shared.names import LOSSES
from shared.nn.backend import value_and_gradients
from shared.nn.losses import ClippedHuber, TakenSquaredError, clipped_huber, masked_clipped_huber

#         errors:  0.5   -1     3         0    0   -2
Y_TRUE = np.array([[1.5, 1.0, 4.0], [0.0, 0.0, -2.0]], np.float32)
Y_PRED = np.array([[1.0, 2.0, 1.0], [0.0, 0.0, 0.0]], np.float32)
PER_SAMPLE = [0.125 + 0.5 + 2.5, 0.0 + 0.0 + 1.5]  # at delta 1
PER_SAMPLE_AT_2 = [0.125 + 0.5 + 2.0 * (3 - 1), 0.0 + 0.0 + 2.0]


@pytest.fixture
def values():
    rng = np.random.default_rng(0)
    return rng.normal(scale=2, size=(64, 3)).astype(np.float32), rng.normal(size=(64, 3)).astype(np.float32)


@pytest.mark.parametrize(("delta", "expected"), [(1.0, PER_SAMPLE), (2.0, PER_SAMPLE_AT_2)])
def test_hand_computed_values(delta, expected):
    np.testing.assert_allclose(clipped_huber(Y_TRUE, Y_PRED, delta), expected, rtol=1e-6)
    np.testing.assert_allclose(ClippedHuber(delta)(Y_TRUE, Y_PRED), sum(expected), rtol=1e-6)


@pytest.mark.parametrize(
    ("reduction", "expected"), [("sum", sum(PER_SAMPLE)), ("mean", sum(PER_SAMPLE) / 2), ("none", PER_SAMPLE)]
)
def test_reductions_over_the_batch(reduction, expected):
    np.testing.assert_allclose(ClippedHuber(reduction=reduction)(Y_TRUE, Y_PRED), expected, rtol=1e-6)


def test_sample_weights_count():
    weighted = ClippedHuber()(Y_TRUE, Y_PRED, sample_weight=np.array([2.0, 0.5], np.float32))
    np.testing.assert_allclose(weighted, 2.0 * PER_SAMPLE[0] + 0.5 * PER_SAMPLE[1], rtol=1e-6)


@pytest.mark.parametrize("delta", [0.5, 1.0, 3.0])
def test_equals_keras_huber_times_the_number_of_actions(values, delta):
    mean_over_actions = keras.losses.Huber(delta, reduction="none")(*values)
    np.testing.assert_allclose(clipped_huber(*values, delta), 3 * mean_over_actions, rtol=1e-5)


@pytest.mark.parametrize("delta", [1.0, 2.5])
def test_gradient_is_the_clipped_error(values, delta):
    y_true, y_pred = values
    y_true[0], y_true[1] = y_pred[0], y_pred[1] + delta  # no error; an error on the bend
    prediction = keras.Variable(y_pred)
    _, (gradient,) = value_and_gradients(lambda: ClippedHuber(delta)(y_true, prediction.value), [prediction])
    np.testing.assert_allclose(gradient, np.clip(y_pred - y_true, -delta, delta), rtol=1e-5, atol=1e-6)


def test_one_hot_mask_equals_a_vector_that_is_right_in_untaken_actions(values):
    q, rng = values[1], np.random.default_rng(1)
    action, target = rng.integers(0, 3, 64), rng.normal(scale=2, size=64).astype(np.float32)
    y_true = q.copy()
    y_true[np.arange(64), action] = target
    np.testing.assert_allclose(masked_clipped_huber(q, action, target), clipped_huber(y_true, q), rtol=1e-5)
    # By hand: the errors of the taken actions are 3 (action 2) and 0 (action 1).
    by_hand = masked_clipped_huber(Y_PRED, np.array([2, 1]), np.array([4.0, 0.0], np.float32))
    np.testing.assert_allclose(by_hand, [2.5, 0.0])

    prediction = keras.Variable(q)
    _, (masked,) = value_and_gradients(
        lambda: ops.sum(masked_clipped_huber(prediction.value, action, target)), [prediction]
    )
    _, (whole,) = value_and_gradients(lambda: ClippedHuber()(y_true, prediction.value), [prediction])
    np.testing.assert_allclose(masked, whole, rtol=1e-5)


def test_scale_against_mse():
    """What the module says: below errors of 1 the gradient is 48 times that of mse at B = 32, A = 3."""
    rng = np.random.default_rng(2)
    y_true, q = rng.random((32, 3), dtype=np.float32), keras.Variable(rng.random((32, 3), dtype=np.float32))
    gradients = {
        name: value_and_gradients(lambda loss=loss: loss()(y_true, q.value), [q])[1][0].numpy()
        for name, loss in ((name, load(LOSSES, name)) for name in LOSSES)
    }
    np.testing.assert_allclose(gradients["clipped-huber"], 48 * gradients["mse"], rtol=1e-5)
    np.testing.assert_allclose(gradients["mse-taken"], 3 * gradients["mse"], rtol=1e-5)


def test_squared_error_of_the_taken_action_by_hand():
    q, y_true = np.float32([[1, 2], [3, 4]]), np.float32([[1, 5], [1, 4]])
    assert float(TakenSquaredError()(y_true, q)) == (9 + 4) / 2
    assert float(TakenSquaredError(reduction="sum")(y_true, q)) == 9 + 4


def test_survives_serialisation(values):
    loss = ClippedHuber(delta=0.7, reduction="mean", name="mine")
    copy = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(copy) is ClippedHuber
    assert copy.get_config() == loss.get_config() == {"delta": 0.7, "reduction": "mean", "name": "mine"}
    np.testing.assert_array_equal(copy(*values), loss(*values))
