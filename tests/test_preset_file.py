"""Settings in a file of one's own: `train --preset FILE`."""

import dataclasses
import json

import pytest

from cartpole_dqn.experiment import SUITE as CARTPOLE
from catch_dqn import train
from catch_dqn.experiment import SUITE
from cave_game.experiment import SUITE as CAVE
from lunar_pg.experiment import SUITE as LUNAR
from shared.commands.train import requested
from shared.dqn.__main__ import SUITE as DQN
from shared.errors import UserError
from shared.learn import experiment
from shared.runs import preset_file

GOOD = """\
experiment: catch_dqn
game: ball8
preset: tuned
settings:
  learning_rate: 2e-4
  hidden: [32, 16]
  double: false
"""


@pytest.fixture
def path(tmp_path):
    """The path of a file of settings for ball8."""
    path = tmp_path / "best.yaml"
    path.write_text(GOOD)
    return path


def test_the_settings_of_the_file_stand_over_those_of_its_preset(path):
    request = requested(["--preset", str(path)], SUITE)
    tuned = SUITE.experiments["ball8"].presets["tuned"]
    wanted = dataclasses.replace(tuned, learning_rate=2e-4, hidden=(32, 16), double=False)
    assert request.choice.settings == wanted
    assert (request.choice.experiment.name, request.choice.preset, request.choice.engine) == (
        "ball8",
        "tuned",
        "compiled",
    )


def test_flags_that_are_given_stand_over_the_file(path):
    settings = requested(["--preset", str(path), "--learning-rate", "0.5", "--double"], SUITE).choice.settings
    assert (settings.learning_rate, settings.hidden, settings.double) == (0.5, (32, 16), True)


def test_help_shows_what_the_file_says(path, capsys):
    with pytest.raises(SystemExit):
        train.main(["--preset", str(path), "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert f"those of --game ball8 --preset {path}." in told
    assert "(default: 0.0002)" in told
    assert "(default: 32 16)" in told


def test_a_complaint_says_that_a_value_comes_with_the_file(path):
    with pytest.raises(UserError, match=r"--train-every 4: .* \(--train-every 4 comes with --preset .*best\.yaml\)"):
        requested(["--preset", str(path), "--num-envs", "5"], SUITE)


@pytest.mark.parametrize(
    ("suite", "argv"),
    [
        (SUITE, ["--game", "catch"]),
        (CAVE, ["--preset", "tuned", "--batch-size", "7"]),
        (CARTPOLE, ["--variant", "tabular", "--learning-rate", "0.25"]),
        (LUNAR, ["--env", "Acrobot-v1", "--preset", "tuned", "--hidden", "8", "--learning-rate", "0.01"]),
        (DQN, ["--env", "Acrobot-v1", "--n-step", "2", "--num-envs", "4"]),
    ],
    ids=lambda value: getattr(value, "package", ""),
)
def test_what_is_written_is_read_again(suite, argv, path):
    choice = requested([*argv, "--seed", "3"], suite).choice
    preset_file.write(path, choice, suite.package, ["The best\nof all."])
    assert path.read_text().startswith("# The best of all.\nexperiment: ")
    again = requested(["--preset", str(path), "--seed", "3"], suite).choice
    assert again.settings == choice.settings
    assert (again.experiment.name, again.preset) == (choice.experiment.name, choice.preset)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (GOOD.replace("learning_rate", "lerning_rate"), "lerning_rate: no such setting; do you mean learning_rate?"),
        (GOOD.replace("2e-4", "fast"), "--learning-rate 'fast': out of range; give a number"),
        (GOOD.replace("2e-4", "-1"), "--learning-rate -1.0: out of range"),
        (GOOD.replace("[32, 16]", "32"), "--hidden 32: out of range; give several whole numbers"),
        (GOOD + "  batch_size: 65536\n", "--batch-size 65536: larger than the replay memory"),
        (
            GOOD.replace("catch_dqn", "cave_game"),
            "a preset of cave_game, not of catch_dqn; use the commands of that one",
        ),
        (GOOD.replace("ball8", "ball9"), "--game 'ball9' is not known here; choose another preset"),
        (GOOD.replace("tuned", "fast"), "preset 'fast': ball8 has only tutorial, tuned; write one of these"),
        (GOOD.replace("game: ball8\n", ""), "game is missing"),
        (GOOD + "engine: compiled\n", "setting 'engine' is of another version"),
        (GOOD.partition("settings")[0] + "settings: 3\n", "--settings 3: out of range; give an object"),
        (GOOD.replace("2e-4", "!!python/object/apply:os.system [id]"), "would run Python code; it is never loaded"),
        (GOOD + "  double: true\n", "'double' stands twice"),
        ("[1, 2]", "holds a single list"),
        ("a: [", "mend the file or choose another"),
        ("", "the file is empty"),
    ],
)
def test_a_bad_file_is_one_line_that_names_it(text, complaint, path):
    path.write_text(text)
    with pytest.raises(UserError) as error:
        requested(["--preset", str(path)], SUITE)
    assert str(error.value).startswith(f"{path}: ")
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_no_file_at_all(tmp_path):
    for place, complaint in ((tmp_path / "none.yaml", "no such file"), (tmp_path, "this is a folder")):
        with pytest.raises(UserError, match=f"^{place}: {complaint}"):
            requested(["--preset", str(place)], SUITE)
    with pytest.raises(UserError, match=r"--preset: invalid choice: 'best' .*or a \.yaml file"):
        requested(["--preset", "best"], SUITE)


def test_a_setting_that_means_nothing_to_the_experiment(path):
    path.write_text("experiment: cartpole_dqn\ngame: tabular\npreset: tutorial\nsettings: {hidden: [3]}\n")
    with pytest.raises(UserError, match="hidden: means nothing to tabular; leave it out"):
        requested(["--preset", str(path)], CARTPOLE)


def test_a_game_that_the_person_names_has_to_be_that_of_the_file(path):
    assert requested(["--preset", str(path), "--game", "ball8"], SUITE).choice.experiment.name == "ball8"
    with pytest.raises(UserError, match="a preset of ball8, not of catch; give --game ball8"):
        requested(["--preset", str(path), "--game", "catch"], SUITE)


def test_a_file_alone_does_not_choose_what_is_imported(path):
    path.write_text("experiment: dqn\ngame: evil:Env-v0\npreset: tuned\nsettings: {}\n")
    with pytest.raises(UserError, match="--env 'evil:Env-v0' is not known here; give --env as well"):
        requested(["--preset", str(path)], DQN)


def test_a_run_that_is_resumed_has_to_agree_with_the_file(path, tmp_path):
    choice = requested(["--preset", str(path), "--seed", "7"], SUITE).choice
    config = {"experiment": "catch_dqn", "game": "ball8", "preset": "tuned", "engine": "compiled", "versions": {}}
    config |= {"settings": dataclasses.asdict(choice.settings), "command": [], "began": ""}
    (tmp_path / "config.json").write_text(json.dumps(config))
    resumed = ["--resume", str(tmp_path), "--preset", str(path)]
    assert requested(resumed, SUITE).choice == choice
    path.write_text(GOOD.replace("2e-4", "0.125"))
    with pytest.raises(UserError, match=r"--learning-rate 0\.125: this run was begun with 0\.0002"):
        train.main(resumed)


def test_python_programs_take_a_file_too(path):
    assert experiment("catch_dqn", preset=str(path), n_step=2).settings == dataclasses.replace(
        SUITE.experiments["ball8"].presets["tuned"], learning_rate=2e-4, hidden=(32, 16), double=False, n_step=2
    )
    with pytest.raises(UserError, match="a preset of ball8, not of catch"):
        experiment("catch_dqn", "catch", preset=str(path))
