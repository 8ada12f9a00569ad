"""What a person gets to read when something on the command line is wrong."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cartpole_dqn import run
from catch_dqn import evaluate, play, train
from lunar_pg import picture
from shared.commands import parser
from shared.commands.parser import Parser, command_line
from shared.errors import UserError
from tabular_rl import mdp


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
    "--learning-rate inf": "--learning-rate inf: out of range; give a finite number",
    "--episodes -3": "--episodes -3: out of range; give a value of at least 1",
    "--seed -1": "--seed -1: out of range",
    "--hidden 10 0": "--hidden 0: out of range",
    "--num-envs 3": "--replay-capacity 5000: not a multiple of --num-envs 3; give 4998 (--replay-capacity 5000 "
    "comes with --preset tutorial)",
    "--game ball8 --preset tuned --num-envs 5": "--train-every 4: neither a multiple nor a divisor of --num-envs 5; "
    "give 5 (--train-every 4 comes with --preset tuned)",
    "--num-envs 4 --train-every 6": "--train-every 6: neither a multiple nor a divisor of --num-envs 4",
    "--double": "--double: needs a target network; give --target-sync",
    "--optimizer lion": "--optimizer lion: unknown; choose one of sgd, ",
    "--resume": "--resume: there is no unfinished run",
    "--resume nowhere": "nowhere: holds no run",
    "--num-envs 2 --train-every 2 --engine readable --out run": "--num-envs 2: the readable loop cannot do this",
    "--out /proc/nowhere": "/proc/nowhere: ",
    "--n-step 3000": "--n-step 3000: out of range; give a value from 1 to 1000",
    "--num-envs 1000000": "--num-envs 1000000: out of range",
    "--train-every 99999999999": "--train-every 99999999999: out of range; give a value from 1 to 2147483647",
    "--learning-starts 99999999999": "--learning-starts 99999999999: out of range",
    "--episodes 99999999999999999999": "--episodes 99999999999999999999: out of range",
    "--hidden 65536 65536 65536": "--hidden 65536 65536 65536: 8,589,934,592 weights between these layers",
    f"--hidden{' 1' * 21}": "--hidden: 21 values; give at most 20",
}


@pytest.mark.parametrize(("arguments", "complaint"), BAD_TRAINING.items(), ids=BAD_TRAINING.keys())
def test_bad_training_arguments_are_named_with_the_remedy(arguments, complaint, tmp_path):
    with pytest.raises(UserError) as raised:
        train.main(arguments.split())
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


CONFIGS = {
    '{"experiment": "cave_game", "game": "cave"}': "a run of cave_game, not of catch_dqn; use the commands of that one",
    '{"experiment": "catch_dqn", "game": "catch"}': "preset is missing",
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
    "--episodes 99999999999999": "--episodes 99999999999999: out of range; give a value from 1 to 10000",
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


FILE = Path(train.__file__)
WAYS = {  # to run a command other than by `python -m`
    "a console script": (lambda: parser.command(train.main), "python -m catch_dqn.train"),
    "a debugger": (lambda: runpy.run_module("catch_dqn.train", run_name="__main__"), "python -m catch_dqn.train"),
    "its path": (lambda: runpy.run_path(str(FILE), run_name="__main__"), f"python {FILE}"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.filterwarnings("ignore:'catch_dqn.train' found in sys.modules:RuntimeWarning")
def test_a_mistake_is_one_line_however_the_command_is_run(way, monkeypatch, capsys):
    run, name = WAYS[way]
    monkeypatch.setattr(sys, "argv", [str(FILE), "--epsilon", "2"])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"{name}: --epsilon 2.0: out of range; give a value from 0.0 to 1.0\n"


@pytest.mark.parametrize("module", ["catch_dqn.train", "catch_dqn.play", "catch_dqn.evaluate", "shared.tune"])
def test_help_answers_at_once(module, cpu_seconds):
    began = cpu_seconds()
    shown = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, env=environment())
    assert cpu_seconds() - began < 0.8
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
    from pathlib import Path

    return {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}


def test_config_survives_json(catch):
    import dataclasses

    from shared.options import from_json

    settings = catch.presets["tuned"]
    stored = json.loads(json.dumps(dataclasses.asdict(settings)))
    assert from_json(type(settings), stored, "config.json") == settings
    del stored["double"]
    assert from_json(type(settings), stored, "config.json") == settings, "a setting that came later has its default"
    with pytest.raises(UserError, match=r"config\.json: setting 'warp'"):
        from_json(type(settings), stored | {"warp": 1}, "config.json")


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


@pytest.mark.parametrize(
    ("main", "name"), [(mdp.main, "mdp.png"), (picture.main, "policy.png"), (run.main, "cartpole.mp4")]
)
def test_a_file_that_is_there_is_replaced_only_where_it_was_named(main, name):
    Path(name).write_text("mine")
    with pytest.raises(UserError, match=f"^{name}: is there already; give --(out|figure) {name} to replace it, or"):
        main([])
    assert Path(name).read_text() == "mine"


def test_a_named_file_is_replaced_and_a_new_one_written():
    def outputs(*words):
        parser = Parser("test", "")
        parser.add_output("--out", "x.png", "a picture")
        return parser.parse_args(words).out

    assert outputs() == Path("x.png")
    Path("x.png").write_text("mine")
    assert outputs("--out", "x.png") == Path("x.png")
    with pytest.raises(UserError, match=r"nowhere/x.png: no such file or folder"):
        outputs("--out", "nowhere/x.png")


@pytest.mark.parametrize(
    ("main", "flag"),
    [
        *((train.main, "--out"), (train.main, "--resume"), (evaluate.main, "--weights"), (evaluate.main, "--model")),
        *((play.main, "--gif"), (play.main, "--mp4"), (mdp.main, "--figure")),
    ],
)
def test_an_empty_path_is_none(main, flag):
    with pytest.raises(UserError, match=f"^{flag}: the path is empty"):
        main([flag, ""])
    assert list(Path().iterdir()) == []


def test_every_path_is_checked_in_one_place():
    sources = [path.read_text() for package in ("shared", "*_dqn", "*_pg", "*_game", "*_rl") for path in find(package)]
    assert len(sources) > 50
    assert not any("type=Path" in source for source in sources)


def find(package):
    return Path(__file__).parent.parent.glob(f"{package}/**/*.py")


def test_suggested_commands_can_be_pasted():
    assert command_line("python -m a.b", "--out", Path("my runs/1"), "x") == "python -m a.b --out 'my runs/1' x"


def test_a_file_where_a_folder_is_wanted():
    Path("afile").write_text("x")
    for arguments in (["--out", "afile"], ["--out", "afile/run"]):
        with pytest.raises(UserError, match=r"afile: this is a file; give the name of a folder|afile/run: .*no folder"):
            train.main(arguments)
    with pytest.raises(UserError, match=r"^afile: this is a file; give the folder of a run"):
        train.main(["--resume", "afile"])


# -- what cannot be printed ---------------------------------------------------------------------------------------

PRINTS = """
import sys, types
from pathlib import Path
from shared.commands import output
from shared.commands.parser import command

def main(argv):
    for _ in range(1 if "work" in argv else 3):
        print("mean 1.0 ± 0.5", flush=True)
    if "work" in argv:
        with output.patience():
            from shared.runs.progress import TrainingProgress
            with TrainingProgress(2, "games") as progress:
                for _ in range(1000):
                    progress.say("going on" * 100)
        Path("work").write_text("done")

command(main)
"""


def prints(*words, redirect="", **environ):
    """How the program above ends in a shell, and what it printed."""
    environ = environment() | environ
    shell = ["sh", "-c", f'"$0" -c "$1" {" ".join(words)} {redirect}', sys.executable, PRINTS]
    return subprocess.run(shell, capture_output=True, env=environ)


def test_letters_that_an_encoding_has_not_are_replaced():
    ended = prints(PYTHONIOENCODING="ascii")
    assert (ended.returncode, ended.stdout.splitlines()[0], ended.stderr) == (0, b"mean 1.0 +- 0.5", b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is full")
def test_a_full_disk_costs_the_output_and_not_the_work():
    ended = prints("work", redirect="> /dev/full")
    assert ended.returncode == 1
    assert ended.stderr.endswith(b": standard output: the disk is full; make room or choose another place\n")
    assert ended.stderr.count(b"\n") == 1
    assert Path("work").read_text() == "done"
    assert prints("work", redirect="> /dev/full 2> /dev/full").returncode == 1


def test_closed_streams_cost_nothing():
    assert prints("work", redirect=">&- 2>&- <&-").returncode == 0
    assert Path("work").read_text() == "done"


def test_a_reader_that_goes_away_ends_a_command_but_not_a_training():
    ended = prints(redirect="| true; sleep 0.1")
    assert ended.stderr == b""
    ended = prints("work", redirect="| head -n 1")
    assert ended.stderr == b""
    assert ended.stdout == b"mean 1.0 \xc2\xb1 0.5\n"
    assert Path("work").read_text() == "done"
