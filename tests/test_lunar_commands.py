"""The commands of lunar_pg, from training to the pictures."""

import json
import signal

import keras
import numpy as np
import pytest
from PIL import Image
from pseudo_terminal import PseudoTerminal

from lunar_pg import evaluate, picture, play, train
from lunar_pg.experiment import EXPERIMENTS
from lunar_pg.numpy_policy import NumpyPolicy
from lunar_pg.stage import STAGE
from lunar_pg.trainer import Trainer
from shared import storage
from shared.display import playback
from shared.errors import UserError
from shared.runs import checkpoint
from shared.runs.folder import Run

SMALL = ["--env", "cartpole", "--iterations", "4", "--num-envs", "4", "--time-limit", "40"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a small finished training."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert train.main([*SMALL, "--out", str(folder)]) == 0
    return folder


def weights_in(folder, settings=None):
    """The policy's arrays in a run's folder."""
    experiment = EXPERIMENTS["cartpole"]
    model = experiment.model(settings or experiment.presets["tutorial"])
    storage.load_weights(model, folder / experiment.weights_name)
    return model.get_weights()


def test_a_run_leaves_what_it_promises(run):
    names = {path.name for path in run.iterdir()}
    assert names >= {"config.json", "metrics.csv", "curve.png", "policy.weights.h5", "model.yaml", "summary.json"}
    rows = Run(run).read_metrics()
    assert rows[-1]["episodes"] == 16
    last = (run / "episodes.csv").read_text().splitlines()[-1].split(",")
    assert last[:2] == ["16", f"{rows[-1]['steps']:.0f}"]
    assert rows[-1]["steps"] <= 16 * 40
    assert 0 < rows[-1]["entropy"] < np.log(2) + 1e-6
    summary = json.loads((run / "summary.json").read_text())
    assert summary["episodes"] == 100
    assert 5 < summary["sampled_mean_score"] <= 40


def test_stopped_and_resumed_equals_unbroken(run, tmp_path, monkeypatch, capsys):
    iterate = Trainer.run

    def stop_in_the_third(self, state):
        if state.iteration == 2:
            signal.raise_signal(signal.SIGINT)
        return iterate(self, state)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "run", stop_in_the_third)
        assert train.main([*SMALL, "--out", str(tmp_path)]) == 130
    assert "--resume" in capsys.readouterr().out
    assert train.main(["--resume", str(tmp_path)]) == 0
    for ours, theirs in zip(weights_in(tmp_path), weights_in(run), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    last, expected = (Run(folder).read_metrics()[-1] for folder in (tmp_path, run))
    assert {**last, "seconds": 0} == {**expected, "seconds": 0}


def test_evaluation_is_of_greedy_and_of_sampled_episodes(run, capsys):
    weights = str(run / "policy.weights.h5")
    assert evaluate.main(["--weights", weights, "--episodes", "7", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert evaluate.main(["--weights", weights, "--episodes", "7", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == first
    assert first.keys() == {"episodes", "mean_score", "ci95", "sampled_mean_score", "sampled_ci95"}
    assert first["mean_score"] != first["sampled_mean_score"]
    assert evaluate.main(["--weights", weights, "--episodes", "7"]) == 0
    text = capsys.readouterr().out
    assert f"greedy: {first['mean_score']:.1f} ± {first['ci95']:.1f}" in text


def test_a_policy_whose_network_a_file_describes(run, capsys):
    weights, model = str(run / "policy.weights.h5"), str(run / "model.yaml")
    scores = []
    for arguments in ([], ["--env", "cartpole", "--model", model]):
        assert evaluate.main([*arguments, "--weights", weights, "--episodes", "5", "--json"]) == 0
        scores.append(json.loads(capsys.readouterr().out)["sampled_mean_score"])
    assert 5 < scores[0] <= scores[1]  # the same episodes; the file does not know that the run had cut them at 40


@pytest.fixture
def q_network(tmp_path):
    """An untrained network of action values for LunarLander, as flags."""
    layers = [keras.Input((8,)), keras.layers.Dense(4, activation="relu"), keras.layers.Dense(4)]
    written = storage.save_model(keras.Sequential(layers), tmp_path)
    return ["--model", str(written.architecture), "--weights", str(written.weights)]


def test_a_q_network_is_scored_greedily_only(q_network, capsys):
    assert evaluate.main([*q_network, "--episodes", "2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result.keys() == {"episodes", "mean_score", "ci95"}
    assert evaluate.main([*q_network, "--episodes", "2"]) == 0
    score = f"greedy: {result['mean_score']:.1f} ± {result['ci95']:.1f} (mean return of 2 fresh episodes ± 95 %)"
    assert f"{score}; not sampled: the outputs are values" in capsys.readouterr().out


def test_a_q_network_cannot_be_sampled(q_network, tmp_path):
    with pytest.raises(UserError, match=r"--sampled: the outputs are values.*; leave it out"):
        play.main([*q_network, "--sampled", "--gif", str(tmp_path / "game.gif")])
    assert not (tmp_path / "game.gif").exists()


def test_a_single_episode_has_no_interval(run, capsys):
    assert evaluate.main(["--weights", str(run / "policy.weights.h5"), "--episodes", "1"]) == 0
    text = capsys.readouterr().out
    assert "(one episode)" in text
    assert "±" not in text
    assert "nan" not in text


def test_another_gymnasium_task_by_its_id(tmp_path):
    arguments = ["--env", "Acrobot-v1", "--iterations", "1", "--num-envs", "2", "--time-limit", "20"]
    assert train.main([*arguments, "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "config.json").read_text())["game"] == "Acrobot-v1"
    assert json.loads((tmp_path / "summary.json").read_text())["mean_score"] == -20


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--env", "Nothing-v7"], "--env Nothing-v7"),
        (["--env", "Pendulum-v1"], "a vector of numbers to observe and actions"),
        (["--env", "Taxi-v4"], "a vector of numbers to observe and actions"),
        (["--env", "lunar", "--head", "sigmoid"], "--head sigmoid: chooses between two actions, here are 4"),
        (["--gae-lambda", "0.5"], "--gae-lambda 0.5: needs a baseline"),
        (["--horizon", "10"], "--horizon 10: without a baseline"),
    ],
)
def test_what_cannot_be_trained_is_refused(arguments, words, tmp_path):
    with pytest.raises(UserError) as error:
        train.main([*arguments, "--out", str(tmp_path)])
    assert words in str(error.value)


@pytest.mark.parametrize("options", [[], ["--baseline"]])
def test_weights_that_run_away_stop_the_training_before_they_are_saved(options, tmp_path, monkeypatch):
    monkeypatch.setattr("shared.runs.training.CHECKPOINT_SECONDS", 1e9)  # however slow the machine
    rates = ["--optimizer", "sgd", "--learning-rate", "1e38", "--value-learning-rate", "1e38", *options]
    with pytest.raises(UserError, match=r"--learning-rate 1e\+38: the loss was nan"):
        train.main([*SMALL, *rates, "--out", str(tmp_path)])
    arrays, _ = checkpoint.load(tmp_path)
    assert arrays["state/iteration"] == 0
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_playing_records_a_small_animation(run, tmp_path, capsys):
    path = tmp_path / "game.gif"
    assert play.main(["--weights", str(run / "policy.weights.h5"), "--episodes", "1", "--gif", str(path)]) == 0
    steps = float(capsys.readouterr().out.split("mean ")[1])
    with Image.open(path) as image:
        assert image.size == (300, 200)
        assert image.n_frames <= steps // 2 + 2


def test_playing_draws_actions_or_takes_the_likeliest(run, capsys):
    model = EXPERIMENTS["cartpole"].model(EXPERIMENTS["cartpole"].presets["tutorial"])
    observation = np.float64([0.0, 0.1, 0.02, 0.1])
    greedy, sampled = (EXPERIMENTS["cartpole"].policy(model, sampled=drawn, seed=0) for drawn in (False, True))
    assert {greedy(observation) for _ in range(50)} == {int(NumpyPolicy(model).greedy(np.float32([observation]))[0])}
    assert {sampled(observation) for _ in range(50)} == {0, 1}


def test_watching_shows_every_second_picture(run, monkeypatch, capsys):
    shown = []

    class Window:
        def __init__(self, title, fps):
            shown.append((title, fps))

        def show(self, pixels):
            shown.append(pixels.shape)

        def close(self):
            shown.append("closed")

    monkeypatch.setattr(playback, "Window", Window)
    assert play.main(["--weights", str(run / "policy.weights.h5"), "--episodes", "1", "--window"]) == 0
    steps = float(capsys.readouterr().out.split("mean ")[1])
    assert shown[0] == ("CartPole, 200 steps at most (T4)", 15.0)
    assert shown[1:-1] == [(400, 600, 3)] * int(-(-steps // 2))
    assert shown[-1] == "closed"


def test_without_a_display_watching_says_what_to_do(run, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    with pytest.raises(UserError, match="record the games with --gif"):
        play.main(["--weights", str(run / "policy.weights.h5"), "--window"])


def test_the_picture_of_a_policy(run, tmp_path):
    path = tmp_path / "policy.png"
    assert picture.main(["--weights", str(run / "policy.weights.h5"), "--out", str(path)]) == 0
    with Image.open(path) as image:
        assert image.size[1] > image.size[0] > 500
    assert path.stat().st_size < 60_000


@pytest.mark.parametrize(("task", "solved"), [("lunar", 250), ("cartpole", 199)])
def test_the_agents_that_come_with_the_project(task, solved, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # where there are no runs
    assert evaluate.main(["--env", task, "--episodes", "20", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mean_score"] > solved


@pytest.mark.parametrize(("key", "place", "sign"), [("KEY_LEFT", 2, -1), ("KEY_RIGHT", 2, 1), ("KEY_UP", 3, 1)])
def test_a_person_flies_the_way_of_the_arrow(key, place, sign):
    """Speed to the right is number 2 of an observation, speed upwards number 3."""
    env, speeds = EXPERIMENTS["lunar"].env(EXPERIMENTS["lunar"].first_settings), []
    for keys in ([], [key]):
        person, observation = STAGE.keyboard(), env.reset(seed=5)[0]
        for _ in range(10):
            person.keys = keys
            observation = env.step(person(observation))[0]
        speeds.append(observation[place])
    assert sign * (speeds[1] - speeds[0]) > 0.05


def test_a_person_lands_in_the_terminal():
    with PseudoTerminal("-m", "lunar_pg.play", "--human", "--episodes", "1", "--seed", "3", "--fps", "100") as terminal:
        terminal.read_until("return 0")
        terminal.read_until("arrows or h/k/l start and fire the engines, q quits")
        terminal.type("k")  # until then it stands still
        terminal.read_until("returns: -")
