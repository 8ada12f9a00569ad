"""What T4 and T5 type, by their names, does what the rest of the project does."""

import dataclasses
import sys

import gymnasium
import keras
import numpy as np
import pytest
from keras import ops

import cartpole_dqn
import lunar_pg
from cartpole_dqn.tabular import TABULAR
from lunar_pg.policies import action_logits, policy_network
from lunar_pg.reinforce import policy_gradient_loss
from shared.display import notebook
from shared.dqn.agent import Agent as DeepAgent
from shared.errors import UserError
from shared.nn import networks
from shared.nn.backend import value_and_gradients
from shared.nn.losses import TakenSquaredError


@pytest.mark.parametrize("package", [cartpole_dqn, lunar_pg])
def test_every_name_that_is_offered_is_there(package):
    for name in dir(package):
        getattr(package, name)


# -- T4 ---------------------------------------------------------------------------------------------------------------


def played(steps=40, **options):
    """Transitions of a random player in CartPole, in a buffer that hands them out in their order."""
    env, buffer = gymnasium.make("CartPole-v1"), cartpole_dqn.ReplayBuffer(steps, **options)
    model = networks.dense((4,), 2, (8,), 0)
    state, _ = env.reset(seed=0)
    for _ in range(steps):
        state, _, done, truncated, _ = cartpole_dqn.play_one_step(env, state, 1.0, model, buffer)
        if done or truncated:
            state, _ = env.reset()
    return buffer


@pytest.mark.parametrize(("fixed", "double"), [(False, False), (True, False), (True, True)])
def test_a_training_step_is_an_update_of_the_agent(fixed, double):
    buffer = played()
    kept = list(buffer._kept)
    buffer.sample = lambda batch_size: kept[:batch_size]  # nothing left to chance
    assert any(transition[4] for transition in kept)
    model, target = networks.dense((4,), 2, (8,), 1), networks.dense((4,), 2, (8,), 2)
    agent = DeepAgent(
        gymnasium.make("CartPole-v1"), 0.0, 0.95, (8,), 40, batch_size=40, optimizer=keras.optimizers.SGD(0.1),
        loss=TakenSquaredError(), seed=0, target_network="copied" if fixed else None,
        double="published" if double else None, model=cartpole_dqn.clone_model(model),
    )  # fmt: skip
    if fixed:
        agent.target.set_weights(target.get_weights())
    for state, action, reward, next_state, done, _ in kept:
        agent.remember(state, action, reward, done, next_state)
    agent.rng = type("InOrder", (), {"random": lambda *_, **__: (np.arange(40) + 0.5).astype(np.float32) / 40})()
    loss = cartpole_dqn.training_step(
        40, model, buffer, keras.optimizers.SGD(0.1), keras.losses.mean_squared_error,
        target=target if fixed else None, double=double,
    )  # fmt: skip
    assert loss == pytest.approx(agent.replay(), rel=1e-5)
    for ours, theirs in zip(model.get_weights(), agent.model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_a_buffer_forgets_the_oldest_and_draws_by_its_seed():
    buffer = cartpole_dqn.ReplayBuffer(3, seed=1)
    buffer.append("a")
    assert set(buffer.sample(5)) == {"a"}
    for thing in "bcd":
        buffer.append(thing)
    assert len(buffer) == 3
    drawn = buffer.sample(50)
    assert set(drawn) == set("bcd")
    again = cartpole_dqn.ReplayBuffer(3, seed=1)
    for thing in "dbc":  # the same places
        again.append(thing)
    again.rng.integers(1, size=5)
    assert again.sample(50) == drawn


def test_experiences_come_as_columns():
    states, actions, rewards, next_states, dones, truncateds = cartpole_dqn.sample_experiences(16, played())
    assert states.shape == next_states.shape == (16, 4)
    assert actions.shape == rewards.shape == dones.shape == truncateds.shape == (16,)
    assert dones.dtype == bool


def test_epsilon_greedy_at_its_ends():
    model, rng, state = networks.dense((4,), 2, (8,), 0), np.random.default_rng(0), np.ones(4, np.float32)
    best = int(np.argmax(model(state[None])[0]))
    assert {cartpole_dqn.epsilon_greedy_policy(state, 0.0, model, rng) for _ in range(20)} == {best}
    assert {cartpole_dqn.epsilon_greedy_policy(state, 1.0, model, rng) for _ in range(20)} == {0, 1}


@pytest.mark.parametrize(
    ("env_id", "head", "actions", "loss_fn"),
    [
        ("CartPole-v1", "sigmoid", 2, keras.losses.binary_crossentropy),
        ("LunarLander-v3", "softmax", 4, keras.losses.sparse_categorical_crossentropy),
    ],
)
def test_gradients_of_steps_are_those_of_the_whole_batch(env_id, head, actions, loss_fn):
    env = gymnasium.make(env_id)
    model = policy_network(env.observation_space.shape[0], actions, (5,), "relu", head, 0)
    seen = []
    watched = gymnasium.wrappers.TransformObservation(env, lambda o: seen.append(o) or o, env.observation_space)
    taken = []
    step = watched.step
    watched.step = lambda action: taken.append(action) or step(action)
    all_rewards, all_grads = lunar_pg.play_multiple_episodes(watched, 2, 6, model, loss_fn, seed=1)
    assert [len(rewards) for rewards in all_rewards] == [len(grads) for grads in all_grads] == [6, 6]
    weights = np.concatenate(lunar_pg.discount_and_normalize_rewards(all_rewards, discount_factor=0.95))
    steps = [grads for episode in all_grads for grads in episode]
    means = [np.mean([w * g[i] for w, g in zip(weights, steps, strict=True)], axis=0) for i in range(4)]
    states = np.array(seen[0:6] + seen[7:13])
    weights = weights.astype(np.float32)
    _, whole = value_and_gradients(
        lambda: policy_gradient_loss(action_logits(model, states), np.array(taken), weights, ops.ones(12)),
        model.trainable_variables,
    )
    for ours, theirs in zip(means, whole, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-6)


# -- T5 ---------------------------------------------------------------------------------------------------------------


def test_the_agent_learns_what_the_experiment_learns(capsys):
    agent = cartpole_dqn.Agent(cartpole_dqn.QTable, gamma=0.99)
    ns, eps = agent.train(60)
    settings = dataclasses.replace(TABULAR.first_settings, episodes=60, epsilon_decay=60)
    loop = TABULAR.loop(settings)
    loop.block = 60
    _, trace = loop.run(loop.start())
    np.testing.assert_array_equal(ns, trace.length[:, 0])
    np.testing.assert_array_equal(agent.q.values, loop.agent.q.values)
    np.testing.assert_allclose(eps, 1 - 0.95 * np.arange(60) / 60, atol=1e-6)
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split()[1]) for line in lines] == list(range(3, 60, 3))
    assert len(lines) == 19
    last = ns[54:57]
    assert f"max {last.max():3d}  mean {last.mean():5.1f}  std {last.std():4.1f}" in lines[-1]


@pytest.mark.parametrize("kind", ["QTable", "QNetwork"])
def test_a_q_function_reads_one_value_or_all(kind):
    q, state = getattr(cartpole_dqn, kind)(seed=4), np.array([0.1, 0.2, 0.03, 0.4], np.float32)
    before = q[state, 1]
    q[state, 1] = before + 1
    assert before < q[state, 1] < before + 1
    np.testing.assert_array_equal(q[state], [q[state, 0], q[state, 1]])
    assert q.get_max(state) == q[state].max()


class Neighbours(cartpole_dqn.QFunction):
    """The mean of the five nearest of the last states in which an action was tried."""

    def __init__(self):
        self.seen = [], []

    def __getitem__(self, state_and_action):
        state, action = state_and_action
        near = sorted(self.seen[action][-100:], key=lambda one: np.sum((one[0] - state) ** 2))[:5]
        return float(np.mean([target for _, target in near])) if near else 0.0

    def __setitem__(self, state_and_action, target):
        state, action = state_and_action
        self.seen[action].append((state, target))


def test_a_q_function_of_ones_own(capsys):
    agent = cartpole_dqn.Agent(Neighbours)
    ns, _ = agent.train(4)
    assert sum(map(len, agent.q.seen)) == ns.sum()
    agent.run()
    assert capsys.readouterr().out.splitlines()[-1].startswith("step ")


# -- pictures ---------------------------------------------------------------------------------------------------------


def test_the_picture_of_an_environment():
    env = gymnasium.make("CartPole-v1", render_mode="rgb_array")
    env.reset(seed=0)
    notebook.plot_environment(env, figsize=(2, 2))
    axes = notebook.pyplot.gca()
    np.testing.assert_array_equal(axes.images[0].get_array(), env.render())
    notebook.pyplot.close("all")
    with pytest.raises(UserError, match=r"make it with gymnasium\.make\(.CartPole-v1., render_mode=.rgb_array.\)"):
        cartpole_dqn.plot_environment(gymnasium.make("CartPole-v1"))


def test_an_episode_is_an_animation_inline():
    lengths = []

    def policy(observation):
        lengths.append(observation)
        return int(observation[2] > 0)

    shown = cartpole_dqn.show_one_episode(policy, n_max_steps=12)
    assert len(lengths) == 12
    assert shown.data.startswith(b"GIF")
    assert shown.format == "gif"
    env = gymnasium.make("CartPole-v1", render_mode="rgb_array")
    assert lunar_pg.show_one_episode(policy, n_max_steps=12, env=env).data == shown.data


def test_without_ipython_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", None)
    with pytest.raises(UserError, match=r"IPython: is not installed.*pip install ipython, or record a file"):
        cartpole_dqn.show_one_episode(lambda observation: 0, n_max_steps=2)


def test_a_video_is_shown_inline(tmp_path, monkeypatch):
    monkeypatch.setattr("cartpole_dqn.tutorial.in_notebook", lambda: True)
    agent = cartpole_dqn.Agent()
    assert agent.run(tmp_path / "run.gif").data == (tmp_path / "run.gif").read_bytes()
    assert agent.run().data.startswith(b"GIF")
    agent.run(tmp_path / "cartpole.mp4")
    assert "data:video/mp4;base64," in cartpole_dqn.show_video(tmp_path / "cartpole.mp4")._repr_html_()
    with pytest.raises(UserError, match=r"none\.mp4: there is no such file"):
        cartpole_dqn.show_video(tmp_path / "none.mp4")
    with pytest.raises(UserError, match=r"x\.txt: neither \.gif nor \.mp4"):
        cartpole_dqn.show_video(tmp_path / "x.txt")


def test_a_figure_is_saved_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notebook.pyplot.figure(figsize=(1, 1))
    assert (tmp_path / lunar_pg.save_fig("curve", resolution=50)).read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "images" / "curve.png").exists()
    with pytest.raises(UserError, match=r"images/curve\.xyz: "):
        lunar_pg.save_fig("curve", fig_extension="xyz")
    notebook.pyplot.close("all")
