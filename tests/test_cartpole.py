"""CartPole's variants: the agent to read against the compiled loop, T4's habits, and the commands."""

import dataclasses
import itertools
import json
from pathlib import Path

import gymnasium
import keras
import numpy as np
import pytest
from keras import ops

from cartpole_dqn import by_hand, compare, evaluate, play, run, stage, train
from cartpole_dqn.agent import best_of
from cartpole_dqn.experiment import EXPERIMENTS, LESSONS
from cartpole_dqn.neural import Network
from cartpole_dqn.tabular import EDGES, Table
from cartpole_dqn.variant import PUBLISHED_LIMIT
from shared.dqn.clock import Clock, Time
from shared.dqn.loop import play_and_learn
from shared.errors import UserError
from shared.rollouts.greedy import greedy_choice, greedy_policy
from shared.study.results import Results

SHORT = ["--episodes", "60", "--epsilon-decay", "40"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def tutorial(name, **changes):
    return dataclasses.replace(EXPERIMENTS[name].presets["tutorial"], **changes)


# -- what the variants are ------------------------------------------------------------------------------------------


def test_each_lesson_changes_what_its_file_says():
    """Setting by setting, what a variant of T4 has that the one before has not."""

    def changes(name, before, preset):
        new, old = (dataclasses.asdict(EXPERIMENTS[key].presets[preset]) for key in (name, before))
        return {key: value for key, value in new.items() if value != old[key]}

    assert changes("fixed-targets", "dqn", "tutorial") == {"target_sync": 50}
    assert changes("double", "fixed-targets", "tutorial") == {"double": True}
    assert changes("dueling", "double", "tutorial") == {"dueling": "max", "learning_rate": 0.005}
    assert changes("dueling", "double", "tuned") == {"dueling": "mean"}
    assert [variant.name for variant in LESSONS] == [
        *("naive", "tabular", "neural"),
        *("dqn", "fixed-targets", "double", "dueling"),
    ]


def test_epsilon_of_t4():
    settings = tutorial("dqn")
    for episode in (0, 1, 250, 494, 495, 496, 599):
        assert Clock(settings).epsilon(Time(0, episode, 0)) == pytest.approx(max(1 - episode / 500, 0.01), abs=1e-6)


@pytest.mark.parametrize("name", ["naive", "tabular", "neural", "dqn", "dueling"])
def test_networks_as_published(name):
    model = EXPERIMENTS[name].model(tutorial(name))
    shapes = [w.shape for w in model.get_weights()]
    assert (
        shapes
        == {
            "naive": [(4, 1024), (1024,), (1024, 512), (512,), (512, 2), (2,)],
            "tabular": [(4 * 4 * 29 * 8, 2)],
            "neural": [(4, 20), (20,), (20, 20), (20,), (20, 2), (2,)],
            "dqn": [(4, 32), (32,), (32, 32), (32,), (32, 2), (2,)],
            "dueling": [(4, 32), (32,), (32, 32), (32,), (32, 1), (1,), (32, 2), (2,)],
        }[name]
    )
    assert model.input_shape == (None, 4)
    assert model.output_shape == (None, 2)


# -- the agent to read ----------------------------------------------------------------------------------------------


class EngineDraws:
    """Gives the readable agent the very numbers that the engine draws at each step."""

    def __init__(self, engine):
        self.engine, self.steps = engine, -1

    def random(self, size, dtype):
        self.steps += 1
        draws = self.engine.draws(self.engine.settings.seed, self.steps)
        return draws.explore[0].numpy(), draws.choice[0].numpy()


class SameStarts(gymnasium.Env):
    """CartPole of float32 that starts episodes where the engine does."""

    def __init__(self, engine):
        self.engine, self.steps = engine, 0
        self.game = engine.game

    def reset(self, *, seed=None, options=None):
        draws = self.engine.draws(self.engine.settings.seed, self.steps - 1).reset if self.steps else None
        draws = self.engine.first_draws(self.engine.settings.seed) if draws is None else draws
        self.state = self.game.reset(np, draws.numpy())
        return self.game.observe(np, self.state)[0], {}

    def step(self, action):
        self.steps += 1
        self.state, reward, terminated = self.game.step(np, self.state, np.array([action], np.int32), None)
        return self.game.observe(np, self.state)[0], float(reward[0]), bool(terminated[0]), False, {}


@pytest.mark.parametrize("name", ["tabular", "neural"])
def test_the_agent_to_read_and_the_compiled_loop_learn_the_same(name):
    variant = EXPERIMENTS[name]
    settings = tutorial(name, seed=3, epsilon=0.5, epsilon_end=0.5, time_limit=30, discount=0.9)
    rng = np.random.default_rng(0)
    engine, loop = variant.engine(settings), variant.loop(settings)
    start = [rng.uniform(-1, 1, w.shape).astype(np.float32) for w in engine.online.get_weights()]  # no ties
    engine.online.set_weights(start)
    if name == "tabular":
        loop.agent.q.values[:] = start[0].reshape(loop.agent.q.values.shape)
    else:
        loop.agent.q.model.set_weights(start)

    loop.agent.rng = EngineDraws(engine)
    env = gymnasium.wrappers.TimeLimit(SameStarts(engine), settings.time_limit)
    episodes = list(itertools.islice(play_and_learn(env, loop.agent, settings), 20))
    steps = sum(episode.length for episode in episodes)
    state, trace = engine.run(engine.start(), max_steps=steps)
    assert int(state.steps) == steps
    np.testing.assert_array_equal(trace.length[trace.ended], [episode.length for episode in episodes])
    for ours, theirs, before in zip(engine.export().get_weights(), loop.export().get_weights(), start, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
        assert np.abs(ours - before).max() > 1e-3, "nothing was learned: the comparison would be empty"


def test_table_by_hand():
    table = Table(((0.0,), (-1.0, 1.0)), num_actions=2, alpha=0.25, rng=np.random.default_rng(0))
    state, neighbour = np.array([0.0, 0.5]), np.array([-0.1, 0.5])
    table[state, 1] = 8.0
    assert (table[state, 0], table[state, 1], table[neighbour, 1]) == (0.0, 2.0, 0.0)
    table[state, 1] = 8.0
    assert (table[state, 1], table.get_max(state), table.get_arg_max(state)) == (3.5, 3.5, 1)
    assert {table.get_arg_max(neighbour) for _ in range(50)} == {0, 1}  # a tie


def test_the_cells_of_t5():
    assert [len(axis) + 1 for axis in EDGES] == [4, 4, 29, 8]
    assert EDGES[2][0] == pytest.approx(np.radians(-12 + 24 / 29))
    table = Table(EDGES, 2, 0.1, np.random.default_rng(0))
    assert table.cell(np.zeros(4)) == (2, 2, 14, 4)
    assert table.cell(np.full(4, -9.0)) == (0, 0, 0, 0)
    assert table.cell(np.full(4, 9.0)) == (3, 3, 28, 7)


def test_a_table_and_its_network_say_the_same():
    rng = np.random.default_rng(0)
    table = Table(EDGES, 2, 0.1, rng)
    table.values[:] = rng.uniform(size=table.values.shape)
    states = np.float32(rng.uniform(-1, 1, (500, 4)) * [2.4, 2, 0.2, 2])
    expected = [[table[state, action] for action in (0, 1)] for state in states]
    np.testing.assert_array_equal(table.model(states), expected)


def test_network_learns_the_taken_action_as_keras_would():
    model = EXPERIMENTS["neural"].model(tutorial("neural"))
    oracle = keras.models.clone_model(model)
    oracle.set_weights(model.get_weights())
    q = Network(model, keras.optimizers.SGD(0.1), np.random.default_rng(0))
    state = np.float32([0.1, -0.2, 0.05, 0.3])
    before = q[state, 0], q[state, 1]
    q[state, 1] = 5.0

    oracle.compile(keras.optimizers.SGD(0.1), "mse")
    wanted = np.float32([[before[0], 5.0]])
    oracle.train_on_batch(state[None], wanted, sample_weight=np.float32([2.0]))  # the mean is over two actions
    for ours, theirs in zip(model.get_weights(), oracle.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert abs(q[state, 1] - 5) < abs(before[1] - 5)
    assert q.get_max(state) == max(q[state, 0], q[state, 1])


def test_ties_are_broken_at_random():
    rng = np.random.default_rng(0)
    drawn = [best_of(np.array([1.0, 2.0, 2.0]), rng) for _ in range(100)]
    assert set(drawn) == {1, 2}


# -- T4's habits ----------------------------------------------------------------------------------------------------


def test_training_ends_with_the_weights_of_the_best_episode():
    """Watched from outside: the weights before each episode, and which of the episodes scored best."""
    settings = tutorial("dqn", episodes=25, learning_starts=3, batch_size=4, hidden=(8,))
    experiment = EXPERIMENTS["dqn"]
    engine = experiment.engine(settings)
    state, best, before = engine.start(), -1.0, None
    while not engine.finished(state):
        first = engine.online.get_weights()
        while True:  # step by step through one episode
            state, trace = engine.run(state, max_steps=int(state.steps) + 1)
            if trace.ended[-1, 0]:
                break
        if trace.score[-1, 0] >= best:
            best, before = trace.score[-1, 0], first
    assert int(state.episodes) == 25
    for ours, theirs in zip(engine.export().get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert any(np.abs(a - b).max() > 0 for a, b in zip(before, engine.online.get_weights(), strict=True))

    whole = experiment.engine(settings)
    whole.run(whole.start())
    for ours, theirs in zip(whole.export().get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_checkpoint_in_the_middle_of_an_episode_changes_nothing():
    settings = tutorial("double", episodes=30, learning_starts=3, target_sync=4, batch_size=4, hidden=(8,))
    experiment = EXPERIMENTS["double"]
    whole = experiment.engine(settings)
    state, _ = whole.run(whole.start())

    first = experiment.engine(settings)
    middle, trace = first.run(first.start(), max_steps=int(state.steps) // 2)
    assert not trace.ended[-1, 0]
    second = experiment.engine(settings)
    end, _ = second.run(second.restore(first.snapshot(middle)))
    for name, array in whole.snapshot(state).items():
        np.testing.assert_array_equal(second.snapshot(end)[name], array, err_msg=name)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_envs": 2}, "--train-by episodes: not with --num-envs 2; give --num-envs 1"),
        ({"first_target": "shared"}, "--first-target shared; give --first-target copied"),
        ({"train_by": "steps"}, "--restore-best: weights that change at every step"),
    ],
)
def test_settings_that_contradict_each_other(changes, words):
    with pytest.raises(UserError) as error:
        tutorial("dqn", **changes)
    assert words in str(error.value)


def test_naive_values_all_tend_to_one():
    """Why it fails: the network learns just what it is asked, and nothing that tells the actions apart."""
    variant = EXPERIMENTS["naive"]
    small = {"hidden": (64, 32), "episodes": 300}
    engine = variant.engine(tutorial("naive", **small))
    state, trace = engine.run(engine.start())
    assert trace.score[trace.ended][-100:].mean() < 12
    values = ops.convert_to_numpy(engine.export()(state.observation))
    assert values.max() == pytest.approx(1.0, abs=0.1)  # of the action that it always takes

    engine = variant.engine(tutorial("naive", **small, epsilon=1.0, epsilon_end=1.0))
    state, _ = engine.run(engine.start())
    states = np.random.default_rng(0).uniform(-0.1, 0.1, (50, 4)).astype(np.float32)
    np.testing.assert_allclose(ops.convert_to_numpy(engine.export()(states)), 1.0, atol=0.1)


def test_the_policy_by_hand_scores_exactly_as_published(capsys):
    assert by_hand.main([]) == 0
    assert capsys.readouterr().out == "500 episodes: mean 41.698, std 8.389445512070509, min 24, max 63\n"


# -- learning -------------------------------------------------------------------------------------------------------


def test_double_dqn_learns_to_balance():
    """A third of the tuned budget. With seeds 0-9 it gave greedy means of 428 to 500 of 500."""
    steps = ["--steps", "100000", "--learning-rate-decay", "100000"]
    assert train.main(["--variant", "double", "--preset", "tuned", *steps, "--out", "run"]) == 0
    assert json.loads(Path("run/summary.json").read_text())["mean_score_200"] > 150


# -- commands -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["--variant", "tabular"],
        ["--variant", "tabular", "--engine", "readable"],
        ["--variant", "neural", "--engine", "readable", "--episodes", "15"],
        ["--variant", "dueling"],
    ],
    ids=" ".join,
)
def test_training_leaves_a_run_that_evaluates_to_the_same_score(arguments, capsys):
    assert train.main([*SHORT, *arguments, "--out", "run"]) == 0
    summary = json.loads(Path("run/summary.json").read_text())
    capsys.readouterr()
    seed = str(10_000_019)
    assert evaluate.main(["--weights", "run/game_weights.h5", "--seed", seed, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result == {key: summary[key] for key in result}
    assert result["mean_score_200"] <= result["mean_score"] <= 500
    assert result["mean_score_200"] <= PUBLISHED_LIMIT


def test_an_unfinished_readable_run_resumes_to_the_bit():
    variant, settings = EXPERIMENTS["tabular"], tutorial("tabular", episodes=60, epsilon_decay=40)
    whole = variant.loop(settings)
    middle, _ = whole.run(whole.start())  # 50 episodes
    arrays = whole.snapshot(middle)
    end, _ = whole.run(middle)

    other = variant.loop(settings)
    same_end, _ = other.run(other.restore(arrays))
    assert same_end == end
    assert end.episodes == 60
    np.testing.assert_array_equal(other.agent.q.values, whole.agent.q.values)


@pytest.mark.parametrize(
    ("command", "arguments", "words"),
    [
        (train, ["--variant", "naive", "--preset", "tuned"], "--preset tuned: naive has only tutorial"),
        (
            train,
            ["--variant", "tabular", "--engine", "readable", "--target-sync", "5"],
            "--target-sync 5: the readable",
        ),
        (train, ["--variant", "tabular", "--engine", "readable", "--loss", "mse"], "--loss mse: the readable agent"),
        (train, ["--variant", "tabular", "--engine", "readable", "--optimizer", "adam"], "T5 knows only sgd"),
        (train, ["--variant", "tabular", "--hidden", "7"], "--hidden: unknown argument"),
        (
            train,
            ["--variant", "dqn", "--engine", "readable", "--n-step", "2"],
            "--n-step 2: the readable loop cannot",
        ),
        (play, ["--variant", "naive"], "run python -m cartpole_dqn.train --variant naive"),
        (play, ["--window", "--human"], "--window: a person plays in the terminal"),
        (run, ["--out", "x.txt"], "give a name that ends in .gif or .mp4"),
        (run, ["--out", "nowhere/x.mp4"], "nowhere/x.mp4: no such file or folder"),
        (play, ["--gif", "nowhere/x.gif"], "nowhere/x.gif: no such file or folder"),
        (compare, ["--out", "nowhere/c.png"], "nowhere/c.png: no such file or folder"),
        (compare, ["--variants", "foo"], "--variants foo: unknown"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(command, arguments, words):
    with pytest.raises(UserError) as error:
        command.main(arguments)
    assert words in str(error.value)


def test_run_prints_each_step_and_records(capsys):
    assert train.main(["--variant", "tabular", *SHORT, "--out", "run"]) == 0
    capsys.readouterr()
    assert run.main(["--weights", "run/game_weights.h5", "--out", "episode.gif"]) == 0
    lines = capsys.readouterr().out.splitlines()
    steps = [line for line in lines if line.startswith("step ")]
    assert lines[-1] == f"{len(steps)} steps; recorded: episode.gif"
    assert steps[0].startswith("step 1: state [")
    assert steps[0].endswith(("action 0", "action 1"))


def test_compare_trains_each_variant_and_draws(monkeypatch, capsys):
    made = []

    def compared(experiment, settings, seeds, folder):
        made.append((experiment, settings, seeds, str(folder)))
        metrics = [{"steps": 100 * i, "episodes": i, "score": i, "loss": 1.0} for i in range(1, 20)]
        rows = [
            {"setting": label, "seed": seed, "mean_score": 300 + seed, "mean_score_200": 150.0, "episodes": 100.0,
             "steps": 1900, "seconds": 2.5}
            for label in settings for seed in range(seeds)
        ]  # fmt: skip
        return Results(folder, rows, {label: dict.fromkeys(range(seeds), metrics) for label in settings})

    monkeypatch.setattr(compare, "compared", compared)
    assert compare.main(["--seeds", "4", "--preset", "tuned", "--variants", "naive", "double", "--out", "c.png"]) == 0
    table = capsys.readouterr().out
    flags = {
        "naive-tutorial": ["--variant", "naive", "--preset", "tutorial"],
        "double-tuned": ["--variant", "double", "--preset", "tuned"],
    }
    assert made == [("cartpole_dqn", flags, 4, "runs/cartpole_compare")]
    assert "double         tuned     150.0 [150.0, 150.0]       301.5 [300.0, 303.0]" in table
    assert "mean of 100 episodes" in table
    assert Path("c.png").read_bytes()[:4] == b"\x89PNG"


def test_compare_says_why_nothing_can_be_trained():
    with pytest.raises(UserError, match="/proc/nowhere: "):
        compare.main(["--variants", "naive", "--runs", "/proc/nowhere"])


def test_compare_refuses_a_run_of_other_settings():
    assert train.main(["--variant", "naive", "--episodes", "20", "--out", "runs/naive-tutorial/seed0"]) == 0
    with pytest.raises(UserError, match="seed0: a run with --episodes 20, where 500 is wanted"):
        compare.main(["--variants", "naive", "--runs", "runs"])


def test_the_scene_in_the_terminal():
    upright = stage.scene((0.0, 0.0, 0.0, 0.0))
    assert set(np.unique(upright)) == {stage.AIR, stage.TRACK_CELL, stage.CART, stage.POLE}
    np.testing.assert_array_equal(upright, upright[:, ::-1])
    rows, columns = np.nonzero(stage.scene((1.0, 0.0, 0.2, 0.0)) == stage.POLE)
    assert columns[rows.argmin()] > columns[rows.argmax()] > stage.COLUMNS // 2
    stage.scene((2.5, 0.0, 0.3, 0.0))  # beyond the edge
    stage.scene((-2.5, 0.0, -0.3, 0.0))


def test_a_person_pushes_the_way_of_the_last_key():
    hands = stage.hands()
    hands.begin()
    assert not hands.ready()
    hands.keys = ["KEY_RIGHT"]
    assert hands.ready()
    assert hands(None) == 1
    hands.keys = []
    assert hands.ready()
    assert [hands(None), hands(None)] == [1, 1]
    hands.keys = ["h"]
    assert hands(None) == 0
    hands.begin()
    assert not hands.ready()


def test_greedy_choice_of_fewer_observations_than_compiled_for():
    model = EXPERIMENTS["dqn"].model(tutorial("dqn"))
    states = np.float32(np.random.default_rng(0).uniform(-1, 1, (3, 4)))
    policy = greedy_policy(model)
    np.testing.assert_array_equal(greedy_choice(model, 8)(states, None), [policy(state) for state in states])


@pytest.mark.parametrize("name", ["tabular", "dqn", "fixed-targets", "double", "dueling"])
def test_the_agents_that_come_with_the_project(name, capsys):
    assert evaluate.main(["--variant", name, "--episodes", "30", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["mean_score_200"] > 195
    assert result["mean_score"] > (475 if name != "tabular" else 200)
