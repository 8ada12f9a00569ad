"""Copies of models, the model with the loss inside, and dueling heads."""

import keras
import numpy as np
import pytest
from keras import ops

from shared.errors import UserError
from shared.nn.backend import compiled
from shared.nn.copies import clone_model, copy_weights
from shared.nn.layers import Dueling, Grid, dueling_head
from shared.nn.loss_inside import OutputAsLoss, with_loss_inside
from shared.nn.losses import ClippedHuber
from shared.nn.optimizers import RMSPropGraves


class Doubled(keras.layers.Layer):
    """A custom layer that nobody registered."""

    def __init__(self, times=2.0, **kwargs):
        super().__init__(**kwargs)
        self.times = times

    def build(self, shape):
        self.offset = self.add_weight(shape=(shape[-1],), initializer="normal")

    def call(self, inputs):
        return self.times * inputs + self.offset

    def get_config(self):
        return {**super().get_config(), "times": self.times}


def network(seed=0):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(3)])


def odd_network():
    """Two branches, an inner model, a custom layer, weights that are not trained."""
    keras.utils.set_random_seed(1)
    state = keras.Input((4,))
    hidden = keras.layers.BatchNormalization(moving_mean_initializer="normal")(state)
    hidden = Doubled(3.0)(hidden)
    return keras.Model(state, keras.layers.Add()([network()(hidden), keras.layers.Dense(3)(state)]))


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return {
        "state": rng.normal(size=(16, 4)).astype(np.float32),
        "action": rng.integers(0, 3, 16).astype(np.int32),
        "y_true": rng.normal(scale=2, size=16).astype(np.float32),
    }


def assert_equal_weights(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("make", [network, odd_network])
def test_a_clone_is_equal_and_shares_nothing(make, batch):
    model = make()
    clone = clone_model(model)
    np.testing.assert_array_equal(clone(batch["state"]), model(batch["state"]))
    assert_equal_weights(clone.get_weights(), model.get_weights())
    before = model.get_weights()
    for weight in clone.weights:
        weight.assign(weight + 1.0)
    assert_equal_weights(model.get_weights(), before)
    assert not clone.compiled


def test_a_compiled_model_is_cloned_with_its_loss_and_its_optimizers_state(batch):
    model, y = network(), np.zeros((16, 3), np.float32)
    model.compile(RMSPropGraves(0.01), ClippedHuber(0.5))
    model.train_on_batch(batch["state"], y)
    clone = clone_model(model)
    after_one = model.get_weights()
    clone.train_on_batch(batch["state"], y)
    assert_equal_weights(model.get_weights(), after_one)
    model.train_on_batch(batch["state"], y)
    assert np.abs(model.get_weights()[0] - after_one[0]).max() > 0
    assert_equal_weights(clone.get_weights(), model.get_weights())
    assert_equal_weights(clone.optimizer.variables, model.optimizer.variables)


def two_headed():
    """A body with two outputs, dropout and a table of weights that are not trained."""
    keras.utils.set_random_seed(2)
    state = keras.Input((4,), name="state")
    body = keras.layers.Dropout(0.3)(keras.layers.BatchNormalization()(keras.layers.Dense(5)(state)))
    return keras.Model(state, [keras.layers.Dense(3, name="q")(body), keras.layers.Dense(1, name="v")(body)])


COMPILED = {
    "huber with a delta": lambda: {"loss": keras.losses.Huber(delta=2.0)},
    "a loss for each output": lambda: {"loss": {"q": keras.losses.Huber(delta=0.1), "v": "mse"}},
    "weights of losses": lambda: {"loss": ["mse", "mae"], "loss_weights": [0.3, 2.0]},
    "metrics": lambda: {"loss": "mse", "metrics": [["mae"], [keras.metrics.TopKCategoricalAccuracy(k=2)]]},
    "weighted metrics": lambda: {"loss": "mse", "weighted_metrics": {"q": ["mae", "mse"], "v": "mae"}},
    "how it runs": lambda: {"loss": "mse", "steps_per_execution": 3},
}


@pytest.mark.parametrize("name", COMPILED)
def test_a_clone_computes_the_losses_and_the_metrics_of_its_model_and_learns_alike(name, batch):
    model = two_headed()
    model.compile(keras.optimizers.Adam(0.01, clipnorm=1.0), **COMPILED[name](), run_eagerly=True)
    state, targets = batch["state"], [10 * np.ones((16, 3), np.float32), np.ones((16, 1), np.float32)]
    model.train_on_batch(state, targets)
    clone = clone_model(model)
    assert clone.evaluate(state, targets, verbose=0) == model.evaluate(state, targets, verbose=0)
    assert clone.metrics_names == model.metrics_names
    assert clone.train_on_batch(state, targets) == model.train_on_batch(state, targets)  # with the same dropout
    assert_equal_weights(clone.get_weights(), model.get_weights())
    assert (clone.run_eagerly, clone.steps_per_execution) == (model.run_eagerly, model.steps_per_execution)


@keras.saving.register_keras_serializable(package="tests")
class ForgetfulLoss(keras.losses.Loss):
    """`get_config` does not say the power."""

    def __init__(self, power=2.0, **kwargs):
        super().__init__(**kwargs)
        self.power = power

    def call(self, y_true, y_pred):
        return ops.mean(ops.abs(y_true - y_pred) ** self.power, axis=-1)


@keras.saving.register_keras_serializable(package="tests")
class ForgetfulMetric(keras.metrics.MeanAbsoluteError):
    """`get_config` does not say the scale."""

    def __init__(self, scale=1.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale


class ForgetfulLayer(keras.layers.Layer):
    """`get_config` does not say the times."""

    def __init__(self, times=2.0, **kwargs):
        super().__init__(**kwargs)
        self.times = times

    def call(self, inputs):
        return self.times * inputs

    def get_config(self):
        return {"name": self.name}


def without_decay_of_biases():
    optimizer = keras.optimizers.AdamW(0.01)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


@pytest.mark.parametrize(
    ("compiled", "words"),
    [
        ({"loss": ForgetfulLoss(3.0)}, "forgetful_loss: cannot be copied: its power 3.0 is not in what get_config"),
        ({"loss": "mse", "metrics": [ForgetfulMetric(3.0)]}, "cannot be copied: its scale 3.0"),
        ({"loss": "mse", "optimizer": without_decay_of_biases()}, "adam_w.*: cannot be copied: its exclude_from"),
    ],
)
def test_what_keras_would_change_in_a_clone_is_refused(compiled, words):
    model = network()
    model.compile(**{"optimizer": "adam", **compiled})
    with pytest.raises(UserError, match=words):
        clone_model(model)


def test_a_layer_that_forgets_a_setting_is_refused():
    model = keras.Sequential([keras.Input((4,)), ForgetfulLayer(3.0, name="odd")])
    with pytest.raises(UserError, match=r"layer odd: cannot be copied: its times 3.0 is not"):
        clone_model(model)
    model = keras.Sequential([keras.Input((4,)), ForgetfulLayer(2.0, name="odd")])
    np.testing.assert_array_equal(clone_model(model)(np.ones((1, 4))), np.full((1, 4), 2.0))


@pytest.mark.parametrize("tau", [0.0, 0.3, 1.0])
def test_weights_move_by_their_share(tau):
    source, target = network(1), network(2)
    theirs, before = source.get_weights(), target.get_weights()
    copy_weights(source, target, tau)
    for ours, a, b in zip(target.get_weights(), before, theirs, strict=True):
        np.testing.assert_allclose(ours, (1 - tau) * a + tau * b, rtol=1e-6)
    assert_equal_weights(source.get_weights(), theirs)


def test_weights_are_copied_to_the_bit_whatever_was_there(batch):
    source, target = odd_network(), odd_network()
    for weight in target.weights:
        weight.assign(ops.full_like(weight, np.nan))
    source.layers[1].gamma.assign([0.0, -0.0, 1e-38, -1e38])
    copy_weights(source, target)
    for ours, theirs in zip(target.get_weights(), source.get_weights(), strict=True):
        assert ours.tobytes() == theirs.tobytes()


def test_the_model_with_its_loss_inside_learns_what_the_plain_one_learns(batch):
    plain, inner = network(), network()
    trainer = with_loss_inside(inner)
    trainer.compile(RMSPropGraves(0.01), loss={"loss": OutputAsLoss()})
    optimizer = RMSPropGraves(0.01)
    plain.compile(optimizer, ClippedHuber())
    start = plain.get_weights()
    rows = np.arange(16)
    for _ in range(20):
        y_true = plain(batch["state"]).numpy()
        y_true[rows, batch["action"]] = batch["y_true"]
        loss = plain.train_on_batch(batch["state"], y_true)
        loss_inside = trainer.train_on_batch(batch, {"loss": np.zeros(16, np.float32)})
        assert loss_inside == pytest.approx(loss, rel=1e-4)
    for ours, theirs, first in zip(inner.get_weights(), plain.get_weights(), start, strict=True):
        assert np.abs(theirs - first).max() > 0.05
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_model_with_its_loss_inside_by_hand(batch):
    model = network()
    outputs = with_loss_inside(model, delta=0.5)(batch)
    q = model(batch["state"]).numpy()
    np.testing.assert_array_equal(outputs["main_output"], q)
    error = np.abs(batch["y_true"] - q[np.arange(16), batch["action"]])
    expected = np.where(error <= 0.5, 0.5 * error**2, 0.5 * (error - 0.25))
    np.testing.assert_allclose(outputs["loss"], expected, rtol=1e-5)


VALUE = np.array([[10.0], [0.0]], np.float32)
ADVANTAGE = np.array([[1.0, 2.0, 6.0], [0.0, -3.0, 0.0]], np.float32)


@pytest.mark.parametrize(
    ("aggregate", "expected"), [("max", [[5, 6, 10], [0, -3, 0]]), ("mean", [[8, 9, 13], [1, -2, 1]])]
)
def test_dueling_by_hand(aggregate, expected):
    np.testing.assert_allclose(Dueling(aggregate)([VALUE, ADVANTAGE]), expected, rtol=1e-6)


@pytest.mark.parametrize("aggregate", ["max", "mean"])
def test_a_dueling_network_is_its_two_heads_put_together(tmp_path, batch, aggregate):
    state = keras.Input((4,))
    features = keras.layers.Dense(8, activation="elu")(state)
    model = keras.Model(state, dueling_head(features, 3, seed=5, aggregate=aggregate))
    assert model.output_shape == (None, 3)
    heads = keras.Model(state, [model.get_layer("value").output, model.get_layer("advantage").output])
    value, advantage = (head.numpy() for head in heads(batch["state"]))
    q = compiled(model)(batch["state"]).numpy()
    taken_off = getattr(np, aggregate)(advantage, axis=1, keepdims=True)
    np.testing.assert_allclose(q, value + advantage - taken_off, rtol=1e-4, atol=1e-5)

    model.save(tmp_path / "dueling.keras")
    loaded = keras.models.load_model(tmp_path / "dueling.keras")
    np.testing.assert_array_equal(loaded(batch["state"]), model(batch["state"]))
    np.testing.assert_array_equal(clone_model(model)(batch["state"]), model(batch["state"]))


def test_the_seed_of_the_heads_decides_their_weights():
    def weights(seed):
        features = keras.Input((4,))
        return keras.Model(features, dueling_head(features, 3, seed)).get_weights()

    assert_equal_weights(weights(1), weights(1))
    assert not np.array_equal(weights(1)[0], weights(2)[0])


def test_unknown_aggregate_is_refused():
    with pytest.raises(ValueError, match="aggregate='median'"):
        Dueling("median")


# -- a grid of cells ------------------------------------------------------------------------------------------------


def test_cells_of_a_grid_are_those_of_numpys_digitize():
    rng = np.random.default_rng(0)
    edges = [(-1.0, 0.0, 2.0), (0.5,), (), (-0.1, 0.1)]
    points = np.float32(rng.normal(size=(500, 4)))
    points[0] = [0.0, 0.5, 0.0, -0.1]  # an edge belongs to the bin above it
    bins = [np.digitize(points[:, i], np.float32(axis)) for i, axis in enumerate(edges)]
    expected = np.ravel_multi_index(bins, (4, 2, 1, 3))
    grid = Grid(edges)
    assert grid.cells == 24
    np.testing.assert_array_equal(compiled(grid)(points), expected)
    assert grid(keras.Input((4,))).shape == (None,)
    np.testing.assert_array_equal(Grid.from_config(grid.get_config())(points), expected)


@pytest.mark.parametrize("edges", [[], [(0.0, 0.0)], [(0.0, 1.0), (2.0, 1.0)]])
def test_edges_that_do_not_ascend_are_refused(edges):
    with pytest.raises(ValueError, match="ascending"):
        Grid(edges)
