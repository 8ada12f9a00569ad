"""What a person gets to read when something on the command line is wrong."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from catch_dqn import evaluate, play, train
from shared.errors import UserError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No run of the person who runs the tests is looked at or touched."""
    monkeypatch.chdir(tmp_path)


BAD_TRAINING = {
    "--foo 1": "--foo: unknown argument",
    "--batchsize 3": "did you mean --batch-size?",
    "--batch-size x": "--batch-size: 'x' is not a whole number",
    "--learning-rate fast": "--learning-rate: 'fast' is not a number",
    "--seed": "--seed: expected one argument",
    "--preset best": "--preset: invalid choice: 'best'",
    "--batch-size 9999": "--batch-size 9999: larger than the replay memory; give at most --replay-capacity 5000",
    "--epsilon 1.5": "--epsilon 1.5: out of range; give a value from 0.0 to 1.0",
    "--epsilon nan": "--epsilon nan: out of range",
    "--learning-rate inf": "--learning-rate inf: out of range; give a value of at least 0.0",
    "--episodes -3": "--episodes -3: out of range; give a value of at least 1",
    "--seed -1": "--seed -1: out of range",
    "--hidden 10 0": "--hidden 0: out of range",
    "--games 3": "--replay-capacity 5000: not a multiple of --games 3; give 4998",
    "--games 4 --train-every 6": "--train-every 6: neither a multiple nor a divisor of --games 4",
    "--double": "--double: needs a target network; give --target-sync",
    "--optimizer lion": "--optimizer lion: unknown; choose one of sgd, ",
    "--resume": "--resume: there is no unfinished run",
    "--resume nowhere": "nowhere: holds no run",
    "--games 2 --train-every 2 --engine readable --out run": "--games 2: the readable loop cannot do this",
    "--out /proc/nowhere": "/proc/nowhere: ",
}


@pytest.mark.parametrize(("arguments", "complaint"), BAD_TRAINING.items(), ids=BAD_TRAINING.keys())
def test_bad_training_arguments_are_named_with_the_remedy(arguments, complaint, tmp_path):
    with pytest.raises(UserError) as raised:
        train.main(arguments.split())
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


CONFIGS = {
    '{"experiment": "cave_game", "game": "cave"}': "a run of cave_game; use the commands of that package",
    '{"experiment": "catch_dqn", "game": "chess", "settings": {}}': "not the config of a run (KeyError('chess'))",
    '{"experiment": "catch_dqn", "game": "catch", "settings": []}': "not the config of a run",
    '{"experiment": "catch_dqn", "game": "catch"}': "not the config of a run (KeyError('settings'))",
    '["catch"]': "not of a run",
    "{": "cannot be read",
}


@pytest.mark.parametrize(("config", "complaint"), CONFIGS.items(), ids=CONFIGS.values())
def test_a_folder_that_is_no_run_of_this_game_is_refused(config, complaint, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(config)
    commands = [(train, ["--resume", str(tmp_path)])]
    if config.startswith("{"):  # a list beside weights is no concern of theirs
        commands.append((evaluate, ["--weights", str(tmp_path / "game_weights.h5")]))
    for command, arguments in commands:
        with pytest.raises(UserError) as raised:
            command.main(arguments)
        assert str(raised.value).startswith(str(path))
        assert complaint in str(raised.value)


BAD_EVALUATION = {
    "--episodes 0": "--episodes 0: out of range",
    "--seed -5": "--seed -5: out of range",
    "--weights nothing.h5": "nothing.h5: ",
    "--weights .": ".: this is a folder",
    "--weights text.h5": "text.h5: ",
    "--weights empty.h5": "empty.h5: the file is empty",
}


@pytest.mark.parametrize(("arguments", "complaint"), BAD_EVALUATION.items(), ids=BAD_EVALUATION.keys())
def test_bad_evaluation_arguments_are_named_with_the_remedy(arguments, complaint, tmp_path):
    (tmp_path / "text.h5").write_text("these are no weights")
    (tmp_path / "empty.h5").touch()
    with pytest.raises(UserError) as raised:
        evaluate.main(arguments.split())
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)


def test_weights_of_another_network_name_the_layer_and_both_shapes(catch, small, tmp_path):
    from shared import storage

    storage.save_weights(catch.model(small), tmp_path / "other.h5")
    with pytest.raises(UserError, match=r"other\.h5: .*\(100, 16\).*\(100, 100\)"):
        evaluate.main(["--weights", "other.h5"])


def test_a_mistake_is_one_line_on_stderr_and_status_2(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "catch_dqn.train", "--epsilon", "2"], capture_output=True, text=True, env=environment()
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == "python -m catch_dqn.train: --epsilon 2.0: out of range; give a value from 0.0 to 1.0\n"


@pytest.mark.parametrize("module", ["catch_dqn.train", "catch_dqn.play", "catch_dqn.evaluate"])
def test_help_answers_at_once(module, cpu_seconds):
    began = cpu_seconds()
    shown = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, env=environment())
    assert cpu_seconds() - began < 1.5
    assert shown.returncode == 0
    assert f"usage: python -m {module}" in shown.stdout
    assert "--seed" in shown.stdout


def test_help_shows_the_defaults_of_the_preset(capsys):
    with pytest.raises(SystemExit):
        train.main(["--preset", "tuned", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "gradient descent rule (default: adam)" in shown


def environment():
    """The environment for a command that runs in another folder."""
    import os
    from pathlib import Path

    return {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}


def test_config_survives_json(catch):
    import dataclasses

    from shared.options import from_json

    settings = catch.presets["tuned"]
    stored = json.loads(json.dumps(dataclasses.asdict(settings)))
    assert from_json(type(settings), stored) == settings
    del stored["double"]
    assert from_json(type(settings), stored) == settings, "a setting that came later has its default"
    with pytest.raises(UserError, match="'warp'"):
        from_json(type(settings), stored | {"warp": 1})


OLD_AGENT = "--model keras_1_th.yaml --weights keras_1_th.hdf5"


@pytest.fixture
def old_agent(tmp_path):
    """An agent of Keras 1.2 for the 8x8 screen, as files in the present folder."""
    for file in (Path(__file__).parent / "data").glob("keras_1_th.*"):
        shutil.copy(file, tmp_path)


def test_an_agent_of_keras_1_is_scored(old_agent, capsys):
    assert evaluate.main([*OLD_AGENT.split(), "--game", "ball8", "--json", "--episodes", "30"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["perfect"] == 99
    assert -1 <= result["mean_score"] < 5  # its weights are random


def test_an_agent_of_keras_1_plays(old_agent, capsys):
    assert play.main([*OLD_AGENT.split(), "--game", "ball8", "--episodes", "1"]) == 0
    assert "mean score" in capsys.readouterr().out


def test_an_agent_for_another_game_is_refused(old_agent):
    with pytest.raises(UserError, match=r"keras_1_th\.yaml: the model takes .*\(8, 8, 1\), ball16 wants \(16, 16, 1\)"):
        evaluate.main([*OLD_AGENT.split(), "--game", "ball16"])
