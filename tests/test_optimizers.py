"""RMSPropGraves against a float64 reference, against Keras' RMSprop, and where rounding turns against it."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from shared.late import load
from shared.names import OPTIMIZERS
from shared.nn.backend import compiled, value_and_gradients
from shared.nn.optimizers import RMSPropGraves

STEPS = 200


def graves(weights, gradients, learning_rate, alpha, momentum, epsilon):
    """Graves 2013, eq. 38-45, in float64."""
    weights = weights.astype(np.float64)
    n, mean, step = np.zeros_like(weights), np.zeros_like(weights), np.zeros_like(weights)
    for gradient in gradients.astype(np.float64):
        n = alpha * n + (1 - alpha) * gradient**2
        mean = alpha * mean + (1 - alpha) * gradient
        step = momentum * step - learning_rate * gradient / np.sqrt(n - mean**2 + epsilon)
        weights = weights + step
    return weights


def descend(optimizer, weights, gradients):
    """Apply each of the gradients in turn to one variable, in a compiled loop."""
    variable = keras.Variable(weights)
    optimizer.build([variable])
    gradients = ops.convert_to_tensor(gradients)

    @compiled
    def loop():
        def step(t):
            optimizer.apply([gradients[t]], [variable])
            return (t + 1,)

        return ops.while_loop(lambda t: t < gradients.shape[0], step, (ops.convert_to_tensor(0),))

    loop()
    return variable.numpy()


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    drift = rng.normal(size=(1, 4, 3))  # so that gradients have a mean as well as a variance
    return rng.normal(size=(4, 3)).astype(np.float32), (drift + rng.normal(size=(STEPS, 4, 3))).astype(np.float32)


SETTINGS = [
    {"learning_rate": 1e-4, "alpha": 0.95, "momentum": 0.9, "epsilon": 1e-4},
    {"learning_rate": 2.5e-4, "alpha": 0.95, "momentum": 0.0, "epsilon": 0.01},
    {"learning_rate": 0.01, "alpha": 0.8, "momentum": 0.5, "epsilon": 1e-6},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_equals_the_reference_and_keras_rmsprop_over_200_steps(problem, settings):
    weights, gradients = problem
    ours = descend(RMSPropGraves(**settings), weights, gradients) - weights
    reference = graves(weights, gradients, **settings) - weights
    others = {**settings, "rho": settings["alpha"], "centered": True}
    del others["alpha"]
    theirs = descend(keras.optimizers.RMSprop(**others), weights, gradients) - weights
    scale = np.abs(reference).max()
    assert scale > STEPS * settings["learning_rate"] / 2  # they went somewhere
    np.testing.assert_allclose(ours, reference, rtol=0, atol=1e-4 * scale)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * scale)


def test_the_first_two_steps_by_hand():
    """Gradients 2 and -1, alpha 0.5, momentum 0.5, rate 0.1, epsilon 1.

    n = 2, ḡ = 1, Δ = -0.1 * 2 / sqrt(2); then n = 1.5, ḡ = 0, Δ = Δ / 2 + 0.1 / sqrt(2.5).
    """
    gradients = np.array([[2.0], [-1.0]], np.float32)
    first = -0.2 / 2**0.5
    expected = 3 + first + first / 2 + 0.1 / 2.5**0.5
    np.testing.assert_allclose(
        descend(RMSPropGraves(0.1, 0.5, 0.5, 1.0), np.array([3.0], np.float32), gradients), [expected], rtol=1e-6
    )


def test_no_nan_where_rounding_makes_the_variance_negative():
    """Steady gradients bring n within rounding of ḡ²; here n is put a little below it."""

    def step_from_there(optimizer):
        weight = keras.Variable(np.zeros(1, np.float32))
        optimizer.build([weight])
        square, mean = optimizer.variables[2:]
        square.assign([1e6])
        mean.assign([np.float32(1e3) * (1 + 2e-7)])
        optimizer.apply([ops.array([1e3])], [weight])
        assert square.numpy()[0] - mean.numpy()[0] ** 2 + 1e-7 < 0, "the case must arise"
        return weight.numpy()

    theirs = keras.optimizers.RMSprop(1e-6, rho=0.95, epsilon=1e-7, centered=True)
    assert np.isnan(step_from_there(theirs)).all()
    ours = RMSPropGraves(1e-6, alpha=0.95, momentum=0.0, epsilon=1e-7)
    np.testing.assert_allclose(step_from_there(ours), [-1e-6 * 1e3 / 1e-7**0.5], rtol=1e-5)


def test_defaults_are_chainers_and_nature_is_the_papers():
    config = RMSPropGraves().get_config()
    assert {key: config[key] for key in SETTINGS[0]} == pytest.approx(SETTINGS[0])
    config = RMSPropGraves.nature().get_config()
    assert {key: config[key] for key in SETTINGS[1]} == pytest.approx(SETTINGS[1])


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_state_survives_saving(tmp_path, momentum):
    """Five updates, saving and loading, five more: the weights of ten updates at a stretch."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 4)).astype(np.float32), rng.normal(size=(8, 2)).astype(np.float32)
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile(RMSPropGraves(0.01, momentum=momentum), "mse")
    start = model.get_weights()[0]
    for _ in range(5):
        model.train_on_batch(x, y)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is RMSPropGraves
    for _ in range(5):
        model.train_on_batch(x, y)
        loaded.train_on_batch(x, y)
    assert np.abs(model.get_weights()[0] - start).max() > 0.05
    for ours, theirs in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_takes_a_schedule(problem):
    weights, gradients = problem
    falling = keras.optimizers.schedules.PolynomialDecay(0.1, 1, 0.0)  # nothing is left after the first step
    one = graves(weights, gradients[:1], 0.1, 0.95, 0.0, 1e-4)
    ours = descend(RMSPropGraves(falling, momentum=0.0), weights, gradients)
    np.testing.assert_allclose(ours, one, rtol=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_named_optimizer_descends(name):
    optimizer = load(OPTIMIZERS, name)(0.01)
    assert float(optimizer.learning_rate) == pytest.approx(0.01)
    weights = keras.Variable(np.array([3.0, -2.0], np.float32))
    optimizer.build([weights])
    values = []
    for _ in range(20):
        value, gradients = value_and_gradients(lambda: ops.sum(ops.square(weights.value)), [weights])
        optimizer.apply(gradients, [weights])
        values.append(float(value))
    assert all(later < earlier for earlier, later in itertools.pairwise(values))
