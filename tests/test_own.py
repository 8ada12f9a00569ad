"""What a stranger does without opening the house: a game, a learner, an environment, ten lines of Python."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from keras import ops

from cartpole_dqn.experiment import SUITE as CARTPOLE
from cave_game.experiment import SUITE as CAVE
from shared.display.views import any_stage
from shared.dqn import __main__ as dqn
from shared.dqn.env_loop import EnvLoop
from shared.dqn.env_memory import EnvMemory
from shared.errors import UserError
from shared.games.env import GameEnv
from shared.learn import DQN, experiment
from shared.rollouts import env_state
from shared.runs.own import ANY_ENV, any_env, is_registered

DOCS = Path(__file__).parents[1] / "docs"


def code_of(page):
    """The first Python block of a page."""
    return re.search(r"```python\n(.*?)```", (DOCS / page).read_text(), re.S)[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the files of both pages."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "ring.py").write_text(code_of("own_game.md"))
    (folder / "sarsa.py").write_text(code_of("own_learner.md"))
    return folder


def run(folder, *words, status=0):
    """What a Python program in a folder prints."""
    env = os.environ | {"PYTHONPATH": str(DOCS.parent)}  # as if the project were installed
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, env=env)
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def test_the_pages_are_short(folder):
    assert len((folder / "ring.py").read_text().splitlines()) <= 60
    assert len((folder / "sarsa.py").read_text().splitlines()) <= 80


def test_a_game_of_ones_own_is_checked_trained_played_and_scored(folder):
    run(folder, "-m", "shared.games.check", "ring:Ring")
    trained = run(folder, "ring.py", "train", "--steps", "12000", "--out", "my run")
    assert "watch it: python ring.py play --weights 'my run/game_weights.h5'" in trained
    assert {path.name for path in (folder / "my run").iterdir()} >= {"config.json", "curve.png", "model.yaml"}
    weights = ("--weights", "my run/game_weights.h5")
    scored = run(folder, "ring.py", "evaluate", *weights)
    assert float(re.search(r"mean return (\S+)", scored)[1]) > 0.7
    assert "return" in run(folder, "ring.py", "play", "--episodes", "1", *weights)


def test_a_package_that_is_run_is_called_by_its_own_name(folder):
    told = run(folder, "-m", "shared.dqn", "--env", "Acrobt-v1", status=2)
    assert told.startswith("python -m shared.dqn: --env Acrobt-v1: ")


def test_a_misspelt_setting_is_one_line(folder):
    code = (folder / "ring.py").read_text()
    (folder / "wrong.py").write_text(code.replace("steps=30_000", "step=30_000"))
    told = run(folder, "wrong.py", "train", status=2)
    assert told == "python wrong.py: step: no such setting; do you mean steps?\n"
    (folder / "wrong.py").write_text(code.replace("steps=30_000", "presets={'x': {'batch_size': 0}}"))
    assert run(folder, "wrong.py", "train", status=2).count("\n") == 1


class Flag:
    """A picture of 2 x 2 cells in three channels, of which one cell is empty."""

    num_actions, observation_shape, reset_draws, step_draws = 3, (2, 2, 3), 0, 0

    def observe(self, xp, state):
        return np.eye(4, 3, dtype=np.float32).reshape(1, 2, 2, 3)


def test_each_channel_of_a_game_looks_different():
    env = GameEnv(Flag())
    assert env.render_text(None) == "#o\n*."
    corners = {tuple(pixel) for pixel in env.render_pixels(None)[::160, ::160].reshape(-1, 3)}
    assert len(corners) == 4


def test_a_person_is_offered_the_keys_of_the_game():
    stage = any_stage(Flag.num_actions)
    assert stage.keys == "0 to 2 start and choose the action"
    assert stage.keyboard().actions == {"0": 0, "1": 1, "2": 2}


def test_a_learner_of_ones_own_is_found_by_its_name(folder):
    run(folder, "sarsa.py", "train", "--steps", "2000", "--out", "sarsa")
    wrong = run(folder, "sarsa.py", "train", "--learner", "sarsa", status=2)
    assert (
        "python sarsa.py: --learner sarsa: unknown; choose one of dqn, quantile, categorical, expected-sarsa" in wrong
    )


def test_ten_lines_of_python(folder, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(folder))
    from ring import Ring

    agent = DQN(Ring(), steps=8000)
    history = agent.fit(verbose=False)
    assert history.steps == 8000
    assert len(history["loss"]) == len(history.rows) > 3
    assert history.model is agent.model
    assert history.ends[-1] <= 8000
    assert len(history.scores) == len(history.lengths) == len(history.ends)
    history.plot(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UserError, match=r"^path: curves are shown in a notebook only; name a PNG file$"):
        history.plot()
    result = agent.evaluate(episodes=50)
    assert result["mean_score"] > 0.6
    agent.save(tmp_path / "ring.h5")
    other = DQN(Ring(), steps=8000, seed=1)
    other.load(tmp_path / "ring.h5")
    assert other.evaluate(episodes=50) == result
    agent.play(gif=tmp_path / "ring.gif")
    assert (tmp_path / "ring.gif").read_bytes().startswith(b"GIF")


@pytest.mark.parametrize(
    ("package", "name", "changes"),
    [
        ("catch_dqn", "catch", {"episodes": 20, "hidden": (8,)}),
        ("cartpole_dqn", "tabular", {"episodes": 30}),
        ("lunar_pg", "cartpole", {"iterations": 2}),
    ],
)
def test_experiments_are_trained_from_python(package, name, changes):
    agent = experiment(package, name, **changes)
    before = agent.model.get_weights()
    history = agent.fit(verbose=False)
    assert len(history.scores) == len(history.lengths) >= 20
    assert any((ours != theirs).any() for ours, theirs in zip(before, history.model.get_weights(), strict=True))
    assert agent.evaluate(episodes=2)["episodes"] == 2


def test_an_experiment_from_python_is_that_of_the_command_line():
    for package, suite in (("cave_game", CAVE), ("cartpole_dqn", CARTPOLE)):
        agent = experiment(package, preset="tuned", seed=3)
        assert agent.settings == dataclasses.replace(suite.find(None).presets["tuned"], seed=3)
        assert (agent.experiment, agent.engine) == (suite.find(None), "compiled")
    assert experiment("lunar_pg", "Acrobot-v1", "tuned").experiment.name == "Acrobot-v1"


def test_a_training_begins_with_the_weights_that_there_are(tmp_path):
    """Convolutions are trained in a clone: it has to begin with them, too."""
    first, second = (experiment("catch_dqn", "ball16", "tuned", seed=seed, hidden=(8,)) for seed in (1, 2))
    first.save(tmp_path / "a.h5")
    second.load(tmp_path / "a.h5")
    for ours, theirs in zip(second._trainer().online.get_weights(), first.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("words", "settings", "complaint"),
    [
        (
            ("chess",),
            {},
            "chess: no package of experiments (No module named 'chess'); give one such as catch_dqn, or the path of a "
            "file such as ring.py",
        ),
        (("catch_dqn", "ball9"), {}, "ball9: no experiment of catch_dqn; there are catch, ball8, ball16"),
        (("cartpole_dqn", "neural", "tuned"), {}, "tuned: neural has only tutorial; give one of these"),
        (("lunar_pg", "lunar"), {"engine": "readable"}, "readable: lunar has only compiled; give one of these"),
        (("catch_dqn",), {"batchsize": 3}, "batchsize: no such setting; do you mean batch_size?"),
    ],
)
def test_an_experiment_that_there_is_not_is_said_in_one_line(words, settings, complaint):
    with pytest.raises(UserError, match=f"^{re.escape(complaint)}$"):
        experiment(*words, **settings)


# -- the loop for environments that are not ours ----------------------------------------------------------------------


def small(**changes):
    """An environment's loop that learns soon."""
    options = {"steps": 600, "num_envs": 4, "learning_starts": 100, "train_every": 4, "batch_size": 16}
    options |= {"replay_capacity": 400, "target_sync": 50, "hidden": (16,), "epsilon_decay": 200, "n_step": 3}
    return dataclasses.replace(ANY_ENV, **options | changes)


def trained(loop, time):
    """Train to the end; returns the weights."""
    while not loop.finished(time):
        time, _ = loop.run(time)
    return loop.export().get_weights()


def test_a_memory_of_frames_holds_what_a_plain_list_holds():
    """Two environments, episodes of 3 and 5 steps, the second kind cut; memory of 12 transitions goes round."""
    space = gymnasium.spaces.Box(0, 255, (1,), np.uint8)
    memory, plain = EnvMemory(12, 2, space, n_step=2, discount=0.5), []
    clock, seen = [0, 0], np.array([[0], [100]], np.uint8)
    memory.start(seen)
    for step in range(20):
        clock = [c + 1 for c in clock]
        terminated, truncated = np.array([clock[0] == 3, False]), np.array([False, clock[1] == 5])
        after, final = seen + 1, {}
        for game in np.flatnonzero(terminated | truncated):
            final[int(game)] = after[game].copy()
            after[game] = seen[game] + 10
            clock[game] = 0
        reward = np.array([step, -step], np.float32)
        memory.add(np.array([0, 1]), reward, terminated, truncated, after, final)
        plain.append((seen, reward, terminated, truncated, {**{g: after[g] for g in (0, 1)}, **final}))
        seen = after
    count = memory.held
    assert count == 12
    batch = memory.sample((np.arange(count) + 0.5) / count)
    for i in range(count):
        step, game = 20 - 6 + i // 2, i % 2
        seen, reward, terminated, truncated, then = plain[step]
        total, discount, last = reward[game], 0.5 * (not terminated[game]), then[game]
        if step < 19 and not (terminated[game] or truncated[game]):
            _, more, ends, _, then = plain[step + 1]
            total, discount, last = total + 0.5 * more[game], 0.25 * (not ends[game]), then[game]
        assert batch.s_tm1[i] == seen[game]
        assert (batch.r_t[i], batch.discount_t[i]) == (total, discount)
        assert batch.s_tm1.dtype == batch.s_t.dtype == np.uint8
        if discount:
            assert batch.s_t[i] == last


def test_a_cut_and_resumed_training_equals_an_unbroken_one():
    whole = any_env("CartPole-v1").trainer(small(), "vector")
    expected = trained(whole, whole.start())
    first = any_env("CartPole-v1").trainer(small(), "vector")
    first.block = 60
    time, _ = first.run(first.start())
    arrays = {name: array.copy() for name, array in first.snapshot(time).items()}
    second = any_env("CartPole-v1").trainer(small(), "vector")
    for ours, theirs in zip(trained(second, second.restore(arrays)), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_an_environment_that_cannot_be_saved_begins_its_episodes_anew():
    loop = any_env("LunarLander-v3").trainer(small(steps=200), "vector")
    assert not loop.games.can_be_saved
    loop.block = 30
    time, _ = loop.run(loop.start())
    other = any_env("LunarLander-v3").trainer(small(steps=200), "vector")
    time = other.restore(loop.snapshot(time))
    assert int(time.steps) == 120
    assert (other.games.length == 0).all()
    trained(other, time)


@pytest.mark.parametrize("name", ["CartPole-v1", "Acrobot-v1", "MountainCar-v0"])
def test_classic_control_is_saved_to_the_bit(name):
    ours, theirs, rng = gymnasium.make(name), gymnasium.make(name), np.random.default_rng(0)
    ours.reset(seed=3)
    for _ in range(5):
        ours.step(int(rng.integers(2)))
    theirs.reset(seed=4)
    env_state.load(theirs, env_state.save(ours))
    for _ in range(300):
        action = int(rng.integers(2))
        one, other = ours.step(action), theirs.step(action)
        np.testing.assert_array_equal(one[0], other[0])
        assert one[1:4] == other[1:4]
        if one[2] or one[3]:
            np.testing.assert_array_equal(ours.reset()[0], theirs.reset()[0])


class Pictures(gymnasium.Env):
    """A picture of bytes, bright on the left or on the right; pushing to the bright side is worth 1."""

    observation_space = gymnasium.spaces.Box(0, 255, (16, 16, 1), np.uint8)
    action_space = gymnasium.spaces.Discrete(2)

    def _picture(self):
        self.side = int(self.np_random.integers(2))
        picture = np.zeros((16, 16, 1), np.uint8)
        picture[:, 8 * self.side : 8 * self.side + 8] = 255
        return picture

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self._picture(), {}

    def step(self, action):
        reward = float(action == self.side)
        self.steps += 1
        return self._picture(), reward, self.steps == 5, False, {}


def test_pictures_of_bytes_are_learned_from():
    gymnasium.register("own/Pictures-v0", Pictures, max_episode_steps=5)
    experiment = any_env("own/Pictures-v0")
    settings = small(steps=1500, discount=0.0, hidden=(16,), learning_rate=3e-3, learning_rate_decay=0, n_step=1)
    loop = experiment.trainer(settings, "vector")
    trained(loop, loop.start())
    assert loop.memory.seen.dtype == np.uint8
    assert experiment.evaluate(loop.export(), settings, 20, 0)["mean_score"] == 5.0


def test_updates_of_the_vector_loop_are_those_of_the_learner():
    """One update on one batch, against the learner's loss and plain Keras."""
    experiment, settings = any_env("CartPole-v1"), small(num_envs=4, learning_rate_decay=0, optimizer="sgd")
    loop = experiment.trainer(settings, "vector")
    assert isinstance(loop, EnvLoop)
    time = loop.start()
    while time.steps < 100:
        time, _ = loop._step(time)
    draws = np.random.default_rng(0)
    batch = loop.memory.sample(np.random.default_rng(0).random(16))
    model = loop.model
    before = [w.copy() for w in model.get_weights()]
    loss, _ = loop._replay(1, draws)
    targets = loop.learner.targets(batch)
    model.set_weights(before)
    rows, _ = loop.learner.loss(batch, ops.convert_to_tensor(targets))
    assert loss == pytest.approx(float(ops.mean(rows)), rel=1e-4)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--env", "Nowhere-v0"], "--env Nowhere-v0: "),
        (["--env", "Pendulum-v1"], "choose a task with actions 0, 1, 2"),
        (["--env", "CartPole-v1", "--prioritized"], "--prioritized: only games that are compiled can do this"),
        (["--help-me"], "--help-me: unknown argument"),
    ],
)
def test_what_cannot_be_trained_is_said_in_one_line(words, complaint):
    from shared.dqn.__main__ import main

    with pytest.raises(UserError, match=re.escape(complaint)):
        main(words)


@pytest.mark.parametrize("env_id", ["", ":", "a:b:c", "a/b/c", "nobody:Task-v0", "CartPole-v99"])
def test_what_is_no_id_of_an_environment_is_named(env_id):
    with pytest.raises(UserError, match=f"^--env {env_id}: .*; give the id of an environment such as Acrobot-v1$"):
        any_env(env_id)
    assert not is_registered(env_id)


@pytest.mark.parametrize("rate", [1, 10**30])
def test_a_step_size_may_be_a_whole_number(rate):
    settings = dataclasses.replace(ANY_ENV, learning_rate=rate, learning_rate_decay=0)
    assert float(any_env("CartPole-v1").optimizer(settings).learning_rate) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("name", "message"), [("Nope-v1", "--env Nope-v1: "), ("Acrobot-v1", "no agent has been trained")]
)
def test_playing_tells_a_wrong_name_from_an_agent_that_is_missing(name, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        dqn.main(["play", "--env", name])
