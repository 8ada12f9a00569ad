"""Breakout and other Atari games: what is seen, how they are played, learned from and judged."""

import dataclasses
import importlib.util
import itertools
import json
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from breakout_dqn import atari, evaluate, experiment, play, presets, train
from shared import late
from shared.dqn.pqn import PQN
from shared.dqn.pqn_settings import PQNSettings
from shared.dqn.settings import Settings
from shared.errors import UserError
from shared.rollouts import env_state
from shared.runs.folder import Run

BREAKOUT = experiment.EXPERIMENTS["breakout"]
with_ale = pytest.mark.skipif(
    importlib.util.find_spec("ale_py") is None,
    reason='without ale-py (pip install ".[atari]") there are no Atari games',
)
# A DQN and PQN that are small and learn soon.
NET = {"hidden": (8,), "num_envs": 2, "time_limit": 30}
SMALL = {
    "exercise": {**NET, "steps": 96, "replay_capacity": 60, "batch_size": 4, "learning_starts": 20, "train_every": 4},
    "tuned": {**NET, "steps": 96, "rollout": 8, "batch_size": 8},
}


def words(preset, **more):
    """The flags that make a training small."""
    settings = SMALL[preset] | more
    flags = (["--" + name.replace("_", "-"), str(value).strip("(,)")] for name, value in settings.items())
    return ["--preset", preset, *itertools.chain.from_iterable(flags)]


def small(preset, **changes):
    return dataclasses.replace(BREAKOUT.presets[preset], **SMALL[preset] | changes)


def test_a_picture_is_halved_by_the_mean_and_then_by_the_maximum():
    screens = np.zeros((2, 210, 160), np.uint8)
    screens[0, 100:102, 52:54] = 200  # a ball in one of the two screens: it stays as bright as it is
    screens[1, 60, 12] = 200  # one pixel: the mean of four
    seen = atari.BREAKOUT.of(screens)
    assert seen.shape == atari.BREAKOUT.shape[:2] == (40, 36)
    assert seen.dtype == np.uint8
    assert seen[(100 - 36) // 4, (52 - 8) // 4] == 200
    assert seen[(60 - 36) // 4, (12 - 8) // 4] == 50
    assert np.count_nonzero(seen) == 2
    assert atari.WHOLE.of(screens).shape == atari.WHOLE.shape[:2] == (52, 40)


@pytest.fixture(scope="module")
def env():
    return BREAKOUT.env(presets.TUNED)


class Spy:
    """An emulator that notes what is pressed."""

    def __init__(self, ale):
        self.ale, self.pressed = ale, []

    def act(self, action):
        self.pressed.append(action)
        return self.ale.act(action)

    def __getattr__(self, name):
        return getattr(self.ale, name)


@pytest.fixture
def pressed(env, monkeypatch):
    """What is pressed in each frame, from now on."""
    spy = Spy(env.unwrapped._ale)
    monkeypatch.setattr(env.unwrapped, "_ale", spy)
    return spy.pressed


@with_ale
def test_the_environment_keeps_gymnasiums_contract():
    check_env(BREAKOUT.env(presets.TUNED, render_mode="rgb_array").unwrapped, skip_render_check=True)


@with_ale
def test_an_action_is_held_for_four_frames_that_do_not_all_hear_it(env, pressed):
    env.reset(seed=0)
    fire, right, left = (env.unwrapped._actions[i] for i in (1, 2, 3))
    assert pressed == [fire] * 4
    for step in range(200):
        _, _, terminated, _, info = env.step(2 + step % 2)
        assert not terminated
        if info["life_lost"]:
            break
    heard = pressed[4:-4]
    wanted = [(right, left)[i // 4 % 2] for i in range(len(heard))]
    unheard = [i for i in range(1, len(heard)) if heard[i] != wanted[i]]
    assert all(heard[i] == heard[i - 1] for i in unheard)
    # Of four frames in a row the first does not hear with chance 1/4, the second as well with 1/16, and so on.
    assert 0.02 < len(unheard) / len(heard) < 0.16


@with_ale
def test_a_game_has_five_lives_and_a_ball_in_each(env, pressed):
    env.reset(seed=1)
    lost, terminated, lives = 0, False, []
    while not terminated:
        del pressed[:]
        _, _, terminated, truncated, info = env.step(0)
        assert not truncated
        lost += info["life_lost"]
        lives.append(info["lives"])
        assert (pressed[-4:] == [env.unwrapped._fire] * 4) == info["life_lost"]
    assert lost == 4  # the fifth ends the game
    assert lives[-1] == 0
    assert len(lives) < 200  # without FIRE it would never end


@with_ale
def test_the_same_seed_plays_the_same_game(env):
    def screens(seed):
        seen = [env.reset(seed=seed)[0]]
        return np.stack(seen + [env.step(2 + step % 2)[0] for step in range(20)])

    np.testing.assert_array_equal(screens(3), screens(3))
    assert (screens(3) != screens(4)).any()


@with_ale
def test_a_game_is_saved_to_the_bit(env):
    other = BREAKOUT.env(presets.TUNED)
    env.reset(seed=5)
    other.reset(seed=6)
    for step in range(40):
        env.step(step % 4)
    env_state.load(other, {name: array.copy() for name, array in env_state.save(env).items()})
    for step in range(60):
        ours, theirs = env.step(step % 4), other.step(step % 4)
        np.testing.assert_array_equal(ours[0], theirs[0])
        assert ours[1:] == theirs[1:]


@with_ale
@pytest.mark.parametrize("preset", SMALL)
def test_a_cut_and_resumed_training_equals_an_unbroken_one(preset):
    settings = small(preset)

    def trained(trainer, state):
        while not trainer.finished(state):
            state, _ = trainer.run(state)
        return trainer.export().get_weights()

    first, second = (BREAKOUT.trainer(settings, "vector") for _ in range(2))
    first.block = second.block = 8
    state = first.start()
    for _ in range(3):
        state, _ = first.run(state)
    assert 0 < state.steps < settings.steps
    arrays = {name: array.copy() for name, array in first.snapshot(state).items()}
    expected = trained(first, state)
    for ours, theirs in zip(trained(second, second.restore(arrays)), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.fixture(scope="module")
def beginner():
    """A trainer that learns soon: it is compiled once for all seeds."""
    settings = dataclasses.replace(
        presets.EXERCISE,
        steps=20_480,
        hidden=(64,),
        epsilon_end=0.05,
        epsilon_decay=4_000,
        replay_capacity=20_480,
        batch_size=64,
        learning_starts=1_000,
        train_every=64,
        target_sync=500,
        learning_rate=7e-4,
        learning_rate_decay=0,
    )
    return settings, BREAKOUT.trainer(settings, "vector")


@with_ale
@pytest.mark.parametrize("seed", range(5))
def test_a_short_training_beats_random_play(beginner, seed):
    """The mean of its last 40 games; 1 action in 20 is still a random one."""
    settings, trainer = beginner
    BREAKOUT.again(trainer, dataclasses.replace(settings, seed=seed), "vector")
    state, scores = trainer.start(), []
    while not trainer.finished(state):
        state, trace = trainer.run(state)
        scores += trace.score[trace.ended].tolist()
    assert np.mean(scores[-40:]) > experiment.RANDOM


@with_ale
def test_a_run_of_each_preset_is_kept_resumed_judged_and_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("shared.commands.whole_run.FINAL_EPISODES", 2)
    place = tmp_path / "run"
    with monkeypatch.context() as patch:
        run = PQN.run

        def stopping(self, state):
            if state.rollouts == 2:
                signal.raise_signal(signal.SIGINT)
            return run(self, state)

        patch.setattr(PQN, "run", stopping)
        assert train.main([*words("tuned"), "--out", str(place)]) == 130
    assert train.main(["--resume", str(place)]) == 0
    config = json.loads((place / "config.json").read_text())
    assert (config["game"], config["preset"], config["settings"]["rollout"]) == ("breakout", "tuned", 8)
    assert Run(place).read_metrics()[-1]["steps"] == 96
    weights = ["--weights", str(place / "game_weights.h5")]
    capsys.readouterr()
    assert evaluate.main([*weights, "--episodes", "3", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result.keys() == {"mean_score", "ci95", "median_score", "best_score", "episodes", "mean_length"}
    assert result["mean_length"] <= 30
    assert play.main([*weights, "--episodes", "1", "--gif", str(tmp_path / "game.gif")]) == 0
    assert (tmp_path / "game.gif").read_bytes().startswith(b"GIF")


@with_ale
def test_the_games_that_judge_are_the_first_that_were_begun(monkeypatch):
    """Five games in two environments, whatever their lengths; one by one they score the same."""
    settings = dataclasses.replace(presets.TUNED, hidden=(8,))
    model = BREAKOUT.model(settings)
    monkeypatch.setattr(experiment, "JUDGED_BY", 0.0)
    monkeypatch.setattr(experiment, "SIDE_BY_SIDE", 2)
    together = BREAKOUT._games(model, settings, 5, 7)
    assert together.shape == (5, 2)
    monkeypatch.setattr(experiment, "SIDE_BY_SIDE", 1)
    np.testing.assert_array_equal(BREAKOUT._games(model, settings, 5, 7), together)


@with_ale
def test_other_games_are_named_by_their_ids():
    pong = experiment.any_game("ALE/Pong-v5")
    assert pong.spaces(presets.TUNED) == ((52, 40, 3), 6)
    assert pong.stage().keys.startswith("0 to 5")
    assert atari.rom_of("ALE/MsPacman-v5") == "ms_pacman"
    assert experiment.any_game("ALE/Breakout-v5") is BREAKOUT
    env = pong.env(presets.TUNED)
    env.reset(seed=0)
    assert env.step(0)[4]["life_lost"] is False
    for wrong in ("ALE/Nothing-v5", "Pong", "ALE/Pong-v5:x", "../Pong-v5"):
        with pytest.raises(UserError, match=f"^--env {re.escape(wrong)}: no game of ale-py; give breakout or an id "):
            experiment.any_game(wrong)


def test_a_file_may_name_a_game_of_ale_py_only():
    assert experiment.SUITE.known("ALE/Pong-v5")
    assert not experiment.SUITE.known("module:ALE/Pong-v5")
    assert not experiment.SUITE.known("CartPole-v1")


def test_each_preset_has_settings_of_its_own_kind():
    assert isinstance(BREAKOUT.presets["exercise"], Settings)
    assert isinstance(BREAKOUT.presets["tuned"], PQNSettings)
    assert BREAKOUT.presets["exercise"].double
    with pytest.raises(UserError, match="--rollout: unknown argument"):
        train.main(["--preset", "exercise", "--rollout", "3"])


@pytest.mark.parametrize("command", [["--preset", "tuned"], ["--env", "ALE/Pong-v5"]])
def test_without_ale_py_there_is_one_line(command, monkeypatch, tmp_path):
    monkeypatch.setattr(atari, "is_installed", lambda name: name != "ale_py" and late.is_installed(name))
    with pytest.raises(UserError, match=f"^{re.escape(atari.INSTALL)}$"):
        train.main([*command, "--out", str(tmp_path / "run")])
    assert not (tmp_path / "run").exists()


@with_ale
def test_no_emulator_outlives_the_program():
    code = "from breakout_dqn.atari import AtariEnv, BREAKOUT; env = AtariEnv('breakout', BREAKOUT); env.reset(seed=0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
