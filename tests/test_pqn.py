"""PQN: its targets, its updates, its rollouts, and that it goes on to the bit."""

import dataclasses
import re

import gymnasium
import keras
import numpy as np
import pytest
from keras import ops

from shared.dqn.env_memory import EnvMemory
from shared.dqn.lambda_returns import lambda_returns
from shared.dqn.pqn_settings import PQNSettings
from shared.errors import UserError
from shared.nn.backend import value_and_gradients
from shared.nn.convolutions import better_in_a_plain_graph
from shared.nn.networks import dense, fitting
from shared.rollouts.side_by_side import SideBySide
from shared.runs.own import ANY_ENV, any_env

SMALL = PQNSettings(
    steps=256, num_envs=4, rollout=8, hidden=(16,), batch_size=8, epsilon_decay=200, learning_rate_decay=0, epochs=2
)


def small(**changes):
    return dataclasses.replace(SMALL, **changes)


def trained(trainer, state):
    """Train to the end; returns the weights."""
    while not trainer.finished(state):
        state, _ = trainer.run(state)
    return trainer.export().get_weights()


def forward_view(reward, discount, value, cut, lam):
    """The lambda return of one game as a mean of returns of n steps, weighted by (1 - lambda) lambda^(n - 1)."""
    returns = []
    for start in range(len(reward)):
        total, weight, so_far, product = 0.0, 1.0, 0.0, 1.0
        for t in range(start, len(reward)):
            so_far += product * reward[t]
            product *= discount[t]
            last = cut[t] or t == len(reward) - 1 or product == 0
            total += weight * (1.0 if last else 1 - lam) * (so_far + product * value[t])
            weight *= lam
            if last:
                break
        returns.append(total)
    return returns


@pytest.mark.parametrize("lam", [0.0, 0.65, 1.0])
def test_lambda_returns_are_a_mean_of_returns_of_all_numbers_of_steps(lam):
    rng = np.random.default_rng(0)
    reward, value = rng.normal(size=(2, 20, 6)).astype(np.float32)
    discount = (0.9 * (rng.random((20, 6)) > 0.1)).astype(np.float32)
    cut = (rng.random((20, 6)) < 0.1) & (discount > 0)
    found = lambda_returns(reward, discount, value, cut, lam)
    assert found.dtype == np.float32
    for game in range(6):
        columns = (array[:, game] for array in (reward, discount, value, cut))
        np.testing.assert_allclose(found[:, game], forward_view(*columns, lam), rtol=1e-4, atol=1e-5)


def test_two_lambda_returns_by_hand():
    reward, value = np.array([[1.0], [2.0]], np.float32), np.array([[10.0], [20.0]], np.float32)
    discount, cut = np.full((2, 1), 0.5, np.float32), np.zeros((2, 1), bool)
    # G_1 = 2 + 0.5 * 20 = 12; G_0 = 1 + 0.5 (0.25 * 10 + 0.75 * 12)
    np.testing.assert_allclose(lambda_returns(reward, discount, value, cut, 0.75), [[6.75], [12.0]])
    np.testing.assert_allclose(lambda_returns(reward, discount, value, np.array([[1], [0]]) > 0, 0.75), [[6.0], [12.0]])


class Scripted(gymnasium.Env):
    """Counts its steps; step 2 costs a life, step 4 pays 7, and after 5 the episode is over."""

    observation_space = gymnasium.spaces.Box(0, 255, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, length=5):
        self.length = length

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.steps += 1
        reward = 7.0 if self.steps == 4 else 0.0
        info = {"life_lost": self.steps == 2}
        return np.full(1, self.steps, np.float32), reward, self.steps == self.length, False, info


def test_a_lost_life_is_an_end_for_learning_only_and_scores_are_not_clipped():
    games = SideBySide(Scripted, 2, seed=0, clip_rewards=True)
    games.start()
    played = [games.step(np.zeros(2, int)) for _ in range(6)]
    assert [bool(steps.over[0]) for steps in played] == [False, True, False, False, True, False]
    assert [bool(steps.ended[0]) for steps in played] == [False, False, False, False, True, False]
    assert [steps.reward[0] for steps in played] == [0, 0, 0, 1, 0, 0]
    assert (played[4].score[0], played[4].length[0]) == (7.0, 5)
    assert played[4].final[0] == 5
    assert games.seen[0] == 1


def test_a_time_limit_cuts_an_episode():
    games = SideBySide(Scripted, 1, seed=0, time_limit=3)
    games.start()
    played = [games.step(np.zeros(1, int)) for _ in range(3)]
    assert (played[2].truncated[0], played[2].terminated[0], played[2].over[0]) == (True, False, False)
    assert played[2].final[0] == 3
    assert games.seen[0] == 0


def constant_values(slope):
    """A network whose values of both actions are `slope` times what is observed."""
    model = dense((1,), 2, (), 0)
    model.set_weights([np.full((1, 2), slope, np.float32), np.zeros(2, np.float32)])
    return model


def test_targets_ask_for_the_value_of_the_last_observation_where_an_episode_was_cut():
    from shared.dqn.pqn import PQN

    settings = small(num_envs=1, rollout=4, batch_size=4, time_limit=3, return_lambda=0.5, discount=0.5)
    trainer = PQN(lambda: Scripted(9), constant_values(10.0), settings)
    rollout, _ = trainer._play(trainer.start())
    # Observed after the steps: 1; 2, a life less; 3, cut, then 0 again; 1.
    values, ends = [10.0, 20.0, 30.0, 10.0], [1, 0, 1, 1]
    last = 0.5 * values[3]
    third = 0.5 * values[2]
    first = 0.5 * (0.5 * values[0] + 0.5 * 0.0)
    assert ends[1] == 0
    np.testing.assert_allclose(rollout.target[:, 0], [first, 0.0, third, last])
    np.testing.assert_array_equal(rollout.seen[:, 0, 0], [0, 1, 2, 0])
    trainer.close()


def test_each_rollout_is_played_and_judged_by_the_weights_that_the_one_before_has_led_to(monkeypatch):
    """In greedy play, its actions and targets follow from the weights before it; and that rollout is learned from."""
    from shared.dqn.pqn import PQN

    settings = small(epsilon=0.0, epsilon_end=0.0, return_lambda=0.0, learning_rate=0.05)
    trainer = any_env("CartPole-v1").trainer(settings, "vector")
    state, played, learned = trainer.start(), [], []

    def play(self, state, play=PQN._play):
        rollout, rows = play(self, state)
        played.append(rollout)
        return rollout, rows

    def learn_from(self, rollout, state, learn_from=PQN._learn_from):
        learned.append(rollout)
        return learn_from(self, rollout, state)

    monkeypatch.setattr(PQN, "_play", play)
    monkeypatch.setattr(PQN, "_learn_from", learn_from)
    for _ in range(3):
        before = keras.models.clone_model(trainer.model)
        before.set_weights(trainer.export().get_weights())
        state, trace = trainer.run(state)
        rollout = played[-1]
        assert learned[-1] is rollout
        q = np.stack([ops.convert_to_numpy(before(seen)) for seen in rollout.seen])
        np.testing.assert_array_equal(rollout.action, q.argmax(-1))
        goes_on = ~trace.ended[:-1]
        expected = 1 + settings.discount * q[1:].max(-1)
        np.testing.assert_allclose(rollout.target[:-1][goes_on], expected[goes_on], rtol=1e-4)
    assert len(played) == len(learned) == 3
    trainer.close()


def test_updates_are_those_of_plain_keras():
    settings = small(optimizer="sgd", clip_gradient=0.0, epochs=1)
    trainer = any_env("CartPole-v1").trainer(settings, "vector")
    state = trainer.start()
    model = keras.models.clone_model(trainer.model)
    model.set_weights(trainer.model.get_weights())
    rollout, _ = trainer._play(state)
    loss, _ = trainer._learn_from(rollout, state)
    optimizer, losses = keras.optimizers.SGD(settings.learning_rate), []
    rows = [array.reshape(32, *array.shape[2:]) for array in rollout]
    for part in np.random.default_rng([settings.seed, 0, 1]).permutation(32).reshape(4, 8):
        seen, action, target = (array[part] for array in rows)

        def squared(seen=seen, action=action, target=target):
            q = ops.take_along_axis(model(seen), action[:, None], axis=-1)[:, 0]
            return ops.mean(ops.square(q - target)) / 2

        value, gradients = value_and_gradients(squared, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        losses.append(float(value))
    assert loss == pytest.approx(np.mean(losses), rel=1e-5)
    for ours, theirs in zip(trainer.export().get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_a_cut_and_resumed_training_equals_an_unbroken_one_and_begins_again_with_another_seed():
    settings = small(weight_average=0.9, learning_rate_decay=256)
    experiment = any_env("CartPole-v1")
    first, second = (experiment.trainer(settings, "vector") for _ in range(2))
    state = first.start()
    for _ in range(3):
        state, _ = first.run(state)
    arrays = {name: array.copy() for name, array in first.snapshot(state).items()}
    expected = trained(first, state)
    for ours, theirs in zip(trained(second, second.restore(arrays)), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    other = dataclasses.replace(settings, seed=1)
    fresh = experiment.trainer(other, "vector")
    again = experiment.again(second, other, "vector")
    for ours, theirs in zip(trained(again, again.start()), trained(fresh, fresh.start()), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_weights_that_are_no_longer_finite_show_in_the_loss():
    trainer = any_env("CartPole-v1").trainer(small(optimizer="sgd", learning_rate=1e30, clip_gradient=0.0), "vector")
    state, _ = trainer.run(trainer.start())
    for _ in range(3):
        state, trace = trainer.run(state)
    assert np.isnan(trace.loss).all()


def test_cart_pole_is_learned():
    """Random play lasts 20 steps. (20,000 steps; the preset makes 300,000.)"""
    settings = dataclasses.replace(
        any_env("CartPole-v1").presets["pqn"],
        steps=20_000,
        epsilon_decay=4_000,
        learning_rate_decay=20_000,
        hidden=(64,),
    )
    experiment = any_env("CartPole-v1")
    trainer = experiment.trainer(settings, "vector")
    trained(trainer, trainer.start())
    assert experiment.evaluate(trainer.export(), settings, 10, 0)["mean_score"] > 60


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"batch_size": 33}, "--batch-size 33: larger than a rollout; give at most 32, --rollout times --num-envs"),
        ({"num_envs": 4096, "rollout": 4096}, "--rollout 4096: 16777216 steps with --num-envs 4096; give at most 256"),
    ],
)
def test_what_does_not_go_together_is_one_line(changes, complaint):
    with pytest.raises(UserError, match=f"^{re.escape(complaint)}$"):
        small(**changes)


def test_what_the_loop_to_read_cannot_do_is_said_in_one_line():
    with pytest.raises(UserError, match=r"^--engine readable: PQN has no loop to read; leave it out$"):
        any_env("CartPole-v1").trainer(small(), "readable")
    clipped = dataclasses.replace(ANY_ENV, clip_rewards=True)
    with pytest.raises(UserError, match=r"^--clip-rewards: the readable loop cannot do this; use --engine vector$"):
        any_env("CartPole-v1").trainer(clipped, "readable")
    with pytest.raises(UserError, match=r"^--num-envs 8: the readable loop cannot do this; use --engine vector$"):
        any_env("CartPole-v1").trainer(ANY_ENV, "readable")


def test_a_training_goes_on_where_another_ended():
    settings = PQNSettings()
    stands = settings.where_it_ended([{"steps": 150_000, "epsilon": 0.3}])
    assert stands["learning_rate"] == pytest.approx(0.5e-3)
    assert (stands["epsilon"], stands["epsilon_end"], stands["epsilon_decay"]) == (0.3, 0.3, 0)


def test_large_pictures_are_better_in_a_plain_graph():
    assert better_in_a_plain_graph(fitting((40, 36, 3), 4, (8,), 0))
    assert not better_in_a_plain_graph(fitting((16, 16, 1), 4, (8,), 0))
    assert not better_in_a_plain_graph(dense((40, 36, 3), 4, (8,), 0))


def test_a_memory_stores_each_picture_once_and_shows_the_last_three():
    """Two games of 4 and 5 steps, the second kind cut; the memory goes round."""
    space = gymnasium.spaces.Box(0, 255, (2, 3), np.uint8)
    memory, plain = EnvMemory(12, 2, space, n_step=1, discount=0.5, frames=3), []
    assert memory.seen.shape == (9, 2, 2, 1)  # 6 rows, and 3 that only the pictures of others need
    seen = np.stack([np.full((2, 3), game, np.uint8) for game in (0, 100)])
    memory.start(seen)
    for step in range(25):
        terminated, truncated = np.array([step % 4 == 3, False]), np.array([False, step % 5 == 4])
        after = np.concatenate([seen[..., 1:], (seen[..., -1:] + 1)], axis=-1)
        then, final = after.copy(), {}
        for game in np.flatnonzero(terminated | truncated).tolist():
            final[game] = then[game].copy()
            after[game] = seen[game][:, -1:] + 5  # a new episode: one picture three times
        memory.add(np.zeros(2), np.zeros(2), terminated, truncated, after, final)
        plain.append((seen, then, terminated))
        seen = after
        batch = memory.sample((np.arange(memory.held) + 0.5) / memory.held)
        for i in range(memory.held):
            before, following, ends = plain[step + 1 - memory.held // 2 + i // 2]
            np.testing.assert_array_equal(batch.s_tm1[i], before[i % 2])
            if not ends[i % 2]:
                np.testing.assert_array_equal(batch.s_t[i], following[i % 2])
    memory.cut(np.full((2, 2, 3), 200, np.uint8))
    batch = memory.sample((np.arange(12) + 0.5) / 12)
    np.testing.assert_array_equal(batch.s_t[11], plain[-1][1][1])


def test_a_memory_that_cannot_fit_is_refused():
    space = gymnasium.spaces.Box(0, 255, (2000, 2000, 3), np.uint8)
    with pytest.raises(UserError, match=r"^--replay-capacity 1000000: needs .* GiB; give a smaller one$"):
        EnvMemory(1_000_000, 10, space, n_step=1, discount=0.5)
