"""Every module that is a program says what it takes, and refuses what it does not take."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cartpole_dqn.experiment
from shared.errors import UserError

ROOT = Path(__file__).parent.parent
PACKAGES = ("benchmarks", "breakout_dqn", "cartpole_dqn", "catch_dqn", "cave_game", "lunar_pg", "shared", "tabular_rl")
# Started by other modules, with no person at the other end.
CHILDREN = {"benchmarks.child", "shared.model_files.hdf5_child", "shared.study.worker"}
LESSONS = {f"cartpole_dqn.{lesson.name.replace('-', '_')}": lesson.name for lesson in cartpole_dqn.experiment.LESSONS}


def programs():
    """The names of the modules that do something when they are run."""
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if '__name__ == "__main__"' in path.read_text(encoding="utf-8") and name not in CHILDREN | LESSONS.keys():
            yield name


PROGRAMS = list(programs())


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_has_help_and_refuses_unknown_flags(name, capsys):
    main = importlib.import_module(name).main
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m {name.removesuffix('.__main__')} ")
    with pytest.raises(UserError) as refused:
        main(["--no-such-flag"])
    assert "\n" not in str(refused.value)
    assert capsys.readouterr() == ("", "")


def test_a_benchmark_says_what_is_wrong_in_one_line():
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--repeats", "0"], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == "python -m benchmarks: --repeats 0: out of range; give a value from 1 to 1000\n"


def test_every_command_that_is_written_about_is_a_program():
    mention = re.compile(rf"python -m ((?:{'|'.join(PACKAGES)})\.\w+(?:\.\w+)*)")
    texts = [ROOT / "README.md", *(path for folder in (*PACKAGES, "docs") for path in (ROOT / folder).rglob("*.*"))]
    told = set()
    for path in texts:
        if path.suffix in (".md", ".py"):
            told |= set(mention.findall(path.read_text(encoding="utf-8")))
    assert len(told) > 20
    assert told <= {name.removesuffix(".__main__") for name in PROGRAMS}


def test_tensorflow_says_nothing_once_this_project_is_imported():
    """What Keras' own import says cannot be taken back; after that there is silence, also at the first compilation."""
    code = "import keras, os; os.write(2, b'OURS\\n'); from catch_dqn import Game, Agent; "
    code += "Agent(Game(), explore=0).choose_action()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.partition("OURS\n")[2] == ""


def run(name, *arguments):
    return subprocess.run([sys.executable, "-m", name, *arguments], cwd=ROOT, capture_output=True, text=True)


def test_a_lesson_that_is_run_says_how_it_is_trained():
    ended = run("cartpole_dqn.fixed_targets", "--episodes", "5")
    told = "a file to read; to train it: python -m cartpole_dqn.train --variant fixed-targets"
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"python -m cartpole_dqn.fixed_targets: {told}\n"
    for name, variant in LESSONS.items():
        end = (ROOT / name.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8").splitlines()[-2:]
        assert end == ['if __name__ == "__main__":', f"    lesson({variant.upper().replace('-', '_')})"]


def test_a_program_that_is_only_started_by_another_says_so():
    ended = run("shared.model_files.hdf5_child")
    assert ended.returncode == 1
    assert ended.stderr == "started by shared.model_files.hdf5 when weights are loaded; by itself it does nothing\n"
