"""Trainings over seeds and settings, side by side."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import keras
import psutil
import pytest
from soak.kill import left_in

from cartpole_dqn import train
from shared.commands.program import suite_of
from shared.errors import UserError, name_program, warn
from shared.runs.folder import Run
from shared.runs.training import Stopped
from shared.study import __main__ as command
from shared.study import pool, running, study, worker
from shared.study.job import Job, Warm
from shared.study.plan import plan
from shared.study.pool import Event, LocalPool

ROOT = Path(__file__).parent.parent
TABLE = ("--variant", "tabular", "--episodes", "20", "--epsilon-decay", "20")  # of cartpole_dqn; nothing is compiled
SMALL = ("--episodes", "40", "--hidden", "8", "--batch-size", "8")
RING = """
from shared.commands.program import program
from rules import Ring

program(Ring(), steps=500, hidden=(8,), presets={"long": {"steps": 900}})
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


class Here:
    """A pool without processes: one run after the other in this one."""

    def __init__(self, workers=None):
        self.workers, self.stopped = workers, False

    def stop(self):
        self.stopped = True

    def perform(self, jobs):
        warm = Warm()
        for job in jobs:
            if self.stopped:
                return
            yield Event("began", job)
            try:
                warm.perform(job)
                yield Event("ended", job)
            except UserError as error:
                yield Event("failed", job, str(error))


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(command, "LocalPool", Here)
    monkeypatch.setattr(running, "LocalPool", Here)


# -- the plan ---------------------------------------------------------------------------------------------------------


def test_every_value_with_every_other_and_every_seed():
    grid = {"learning_rate": ["1e-3", "3e-4"], "optimizer": ["sgd", "adam"]}
    made = plan("catch_dqn", ["--preset", "tuned"], 3, {"batch_size": "64"}, grid)
    assert [setting.label for setting in made.settings] == [
        "learning_rate=1e-3 optimizer=sgd",
        "learning_rate=1e-3 optimizer=adam",
        "learning_rate=3e-4 optimizer=sgd",
        "learning_rate=3e-4 optimizer=adam",
    ]
    assert made.settings[1].values == {"learning_rate": "1e-3", "optimizer": "adam"}
    assert len({job.folder for job in made.jobs}) == len(made.jobs) == 12
    first = "--preset tuned --batch-size 64 --learning-rate 1e-3 --optimizer sgd --seed 1"
    assert made.jobs[1].argv == tuple(first.split())
    assert made.jobs[1].folder == str(made.folder / "learning_rate=1e-3-optimizer=sgd" / "seed1")
    assert str(made.folder).startswith("runs/studies/catch_dqn-preset-tuned-batch-size-64-learning_rate=1e-3")


def test_a_study_of_seeds_alone_has_one_setting():
    made = plan("cartpole_dqn", ["--variant", "dqn"], 2, {}, {}, Path("out"))
    assert [setting.label for setting in made.settings] == ["cartpole_dqn --variant dqn"]
    assert [job.folder for job in made.jobs] == ["out/seed0", "out/seed1"]


def test_a_warning_that_holds_for_all_settings_is_told_once(capsys):
    grid = {"batch_size": ["32", "64"]}
    plan("cartpole_dqn", ["--variant", "dqn", "--preset", "tuned", "--steps", "5000"], 2, {}, grid, Path("out"))
    assert capsys.readouterr().err.count("--steps 5000: the preset has") == 1


def test_values_of_all_kinds_become_flags():
    fixed = {"double": "off", "hidden": "32 16", "game": "ball8"}
    made = plan("catch_dqn", [], 1, fixed, {"preset": ["tutorial", "tuned"]})
    assert " ".join(made.jobs[1].argv) == "--game ball8 --no-double --hidden 32 16 --preset tuned --seed 0"


def test_a_folder_has_a_name_that_can_be_one():
    made = plan("catch_dqn", ["--from", "some where/a*b.h5"], 1, {}, {"hidden": [" ".join(["65536"] * 20), "3"]})
    for job in made.jobs:
        assert all(len(part) < 130 and not set(part) & set(" */") for part in Path(job.folder).parts)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "name what is to be trained"),
        (["catch_dqn", "--env", "Acrobot-v1"], "name what is to be trained"),
        (["no_such_thing"], "no_such_thing: no package of experiments"),
        (["none.py"], "none.py: there is no such file"),
        (["catch_dqn", "--set", "learnin_rate=1"], "learnin_rate: no such setting; do you mean learning_rate?"),
        (["catch_dqn", "--set", "learning_rate"], "--set learning_rate: give NAME=VALUE"),
        (["catch_dqn", "--set", "learning_rate=1e9999"], "--learning-rate inf: out of range"),
        (["catch_dqn", "--set", "double=maybe"], "double=maybe: neither on nor off"),
        (["catch_dqn", "--set", "seed=3"], "seed: a study gives this itself"),
        (["catch_dqn", "--grid", "batch_size=8,,9"], "--grid batch_size=8,,9: give different values"),
        (["catch_dqn", "--grid", "batch_size=8,8"], "--grid batch_size=8,8: give different values"),
        (["catch_dqn", "--grid", "batch_size=8,9", "batch_size=3"], "batch_size is given twice"),
        (["catch_dqn", "--grid", "batch_size=8,9", "--set", "batch_size=3"], "batch_size: given twice"),
        (["catch_dqn", "--set", "batch_size=8", "--", "--batch-size", "9"], "batch_size: given twice"),
        (["catch_dqn", "--", "--seed", "3"], "--seed: a study gives this itself"),
        (["catch_dqn", "--", "--resume"], "--resume: a study gives this itself"),
        (["catch_dqn", "--preset", "tuned"], "--preset: unknown argument; flags of train stand after --"),
        (["catch_dqn", "--seeds", "0"], "--seeds 0: out of range"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_before_anything_begins(argv, words):
    with pytest.raises(UserError) as error:
        command.main(argv)
    assert words in str(error.value)
    assert not Path("runs").exists()


def test_a_game_of_ones_own_and_any_environment(here, monkeypatch, capsys):
    Path("own").mkdir()
    text = (ROOT / "docs/own_game.md").read_text(encoding="utf-8")
    Path("own/rules.py").write_text(text.split("```python\n")[1].split("```")[0])
    Path("own/walk.py").write_text(RING)
    monkeypatch.setattr("sys.path", list(sys.path))
    assert command.main(["own/walk.py", "--seeds", "1", "--grid", "preset=long"]) == 0
    config = Run("runs/studies/walk-preset=long/preset=long/seed0").read_config()
    assert config["command"][:3] == ["python", "own/walk.py", "train"]
    assert config["settings"]["steps"] == 900
    Path("own/empty.py").write_text("print(1)")
    with pytest.raises(UserError, match=r"empty.py: never calls program\(...\)"):
        suite_of("own/empty.py")
    assert plan("shared.dqn", ["--env", "Acrobot-v1"], 1, {}, {}).suite.package == "dqn"


# -- one job ----------------------------------------------------------------------------------------------------------


def test_a_job_leaves_what_the_command_would_have_left():
    warm, rows = Warm(), []
    jobs = plan("catch_dqn", SMALL, 2, {}, {"optimizer": ["sgd", "adam"]}, Path("out")).jobs
    for job in jobs:
        warm.perform(job, lambda share, row: rows.append((share, row)))
    assert rows[-1][0] == 1.0
    assert rows[-1][1]["episodes"] == 40
    config = Run(jobs[-1].folder).read_config()
    assert config["command"] == ["python", "-m", "catch_dqn.train", *jobs[-1].argv, "--out", jobs[-1].folder]
    again = [sys.executable, *config["command"][1:-1], "alone"]
    subprocess.run(again, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL, check=True)
    assert left_in(Path("alone")) == left_in(Path(jobs[-1].folder))
    before = {path: path.stat().st_mtime_ns for path in Path(jobs[0].folder).iterdir()}
    warm.perform(jobs[0])
    assert {path: path.stat().st_mtime_ns for path in Path(jobs[0].folder).iterdir()} == before


def test_a_job_that_was_killed_before_its_first_checkpoint_begins_again():
    job = plan("cartpole_dqn", TABLE, 1, {}, {}, Path("out")).jobs[0]
    Warm().perform(job)
    wanted = left_in(Path(job.folder))
    (Path(job.folder) / "summary.json").unlink()
    Warm().perform(job)
    assert left_in(Path(job.folder)) == wanted


@pytest.mark.parametrize("by", ["the study", "the command"])
def test_a_job_that_was_told_to_stop_is_gone_on_with(by):
    whole, cut = (plan("cartpole_dqn", TABLE, 1, {}, {}, Path(name)).jobs[0] for name in ("whole", "cut"))
    Warm().perform(whole)
    with pytest.raises(Stopped):
        Warm().perform(cut, stop=lambda: True)
    assert not Run(cut.folder).finished
    if by == "the study":
        Warm().perform(cut)
    else:
        keras.utils.clear_session()  # as in a process of its own
        assert train.main(["--resume", cut.folder]) == 0
    assert left_in(Path(cut.folder)) == left_in(Path(whole.folder))


def test_a_finished_run_with_other_settings_is_refused():
    Warm().perform(plan("cartpole_dqn", TABLE, 1, {}, {}, Path("out")).jobs[0])
    with pytest.raises(UserError, match="out/seed0: a run with --episodes 20, where 21 is wanted"):
        plan("cartpole_dqn", [*TABLE[:2], *TABLE[4:]], 1, {"episodes": "21"}, {}, Path("out"))


# -- the pool ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def stub(monkeypatch):
    monkeypatch.setattr(pool, "WORKER", ("stub_worker",))


def jobs_of(*words):
    """Jobs for the stub, such as "a end": what the setting is called, and what is to be done."""
    parts = [word.split() for word in words]
    return [Job("", (do,), f"job{i}", setting, i) for i, (setting, do) in enumerate(parts)]


def kinds(events, job):
    return [event.kind for event in events if event.job == job]


def test_a_process_keeps_to_the_setting_that_it_has_compiled(stub):
    jobs = jobs_of("a end", "a end", "a end", "b end", "b end", "b end")
    events = list(LocalPool(2).perform(jobs))
    assert all(kinds(events, job) == ["began", "row", "ended"] for job in jobs)
    first = {event.job.setting: event.row["process"] for event in events if event.kind == "row"}
    began = [event.job.setting for event in events if event.kind == "began"]
    assert set(began[:2]) == {"a", "b"}
    assert len(set(first.values())) == 2


def test_a_process_that_dies_is_replaced_and_its_run_tried_again(stub):
    jobs = jobs_of("a die-once", "a die", "a exit", "a fail", "a warn")
    events = list(LocalPool(1).perform(jobs))
    assert kinds(events, jobs[0]) == ["began", "row", "lost", "began", "row", "ended"]
    assert kinds(events, jobs[1]) == ["began", "row", "lost"] * 2 + ["began", "row", "failed"]
    assert kinds(events, jobs[3]) == ["began", "row", "failed"]
    assert kinds(events, jobs[4]) == ["began", "row", "told", "ended"]
    failed = {event.job: event.text for event in events if event.kind == "failed"}
    assert failed[jobs[1]] == "3 processes died of it: ended by SIGKILL, as the system does where memory runs out"
    assert failed[jobs[2]] == "3 processes died of it: status 3, MemoryError: no room"
    assert failed[jobs[3]] == "--learning-rate 3: too large"


def test_warnings_are_taken_out_of_what_a_process_prints(capsys):
    told = []
    with contextlib.redirect_stderr(worker.Warnings(told.append)):
        name_program(worker.PROGRAM)
        warn("values run away")
        print("Traceback\nand more", file=sys.stderr)
    name_program("")
    assert told == ["values run away"]
    assert capsys.readouterr().err == "Traceback\nand more\n"


def test_told_to_stop_all_runs_stop_and_no_other_begins(stub):
    made, jobs = LocalPool(2), jobs_of("a wait", "a wait", "a end")
    events = []
    for event in made.perform(jobs):
        events.append(event)
        if sum(event.kind == "row" for event in events) == 2:
            threading.Thread(target=made.stop).start()
    assert [kinds(events, job) for job in jobs] == [["began", "row", "stopped"]] * 2 + [[]]


def test_processes_that_cannot_be_started_are_an_error(monkeypatch):
    monkeypatch.setattr(pool, "WORKER", ("no_such_worker",))
    with pytest.raises(UserError, match=r"a process for the runs cannot be started: status 1, .*no_such_worker"):
        list(LocalPool(2).perform(jobs_of("a end")))


# -- the whole --------------------------------------------------------------------------------------------------------


def test_a_study_from_python(here, monkeypatch):
    found = study("catch_dqn", seeds=2, episodes=40, hidden=(8,), batch_size=8, grid={"learning_rate": [0.01, 1e30]})
    assert found.status == 1
    assert [(row["setting"], row["seed"], row["learning_rate"]) for row in found.rows] == [
        (f"learning_rate={rate}", seed, rate) for rate in ("0.01", "1e+30") for seed in (0, 1)
    ]
    assert found.rows[0]["steps"] == 360
    assert "the loss was" in found.rows[3]["failed"]
    assert found.curves["learning_rate=0.01"][1][-1]["episodes"] == 40
    assert "| learning_rate=0.01 " in str(found)
    assert {path.name for path in found.folder.iterdir()} >= {"study.csv", "study.md", "study.json", "curves.png"}
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UserError, match="frame: needs pandas"):
        found.frame()


def test_settings_that_are_no_grid_are_compared(here):
    settings = {"plain": TABLE, "fast, step x 10": [*TABLE, "--learning-rate", "0.1"]}
    found = running.compared("cartpole_dqn", settings, 2, Path("out"))
    assert [(row["setting"], row["seed"]) for row in found.rows] == [(label, i) for label in settings for i in (0, 1)]
    assert Run("out/fast,-step-x-10/seed1").read_config()["settings"]["learning_rate"] == 0.1


def test_a_study_is_not_made_where_something_else_is(here):
    Path("mine").mkdir()
    Path("mine/thesis.tex").touch()
    with pytest.raises(UserError, match="mine: not empty, and what it holds is no study"):
        command.main(["catch_dqn", "--out", "mine", "--", *SMALL])
    assert [path.name for path in Path("mine").iterdir()] == ["thesis.tex"]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_stopped_study_says_how_to_go_on_and_its_processes_never_outlive_it():
    words = ["catch_dqn", "--seeds", "2", "--jobs", "1", "--out", "out", "--", "--hidden", "8", "--episodes", "1000000"]
    metrics = Path("out/seed0/metrics.csv")

    def begun():
        started = subprocess.Popen(
            [sys.executable, "-m", "shared.study", *words],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        before = metrics.stat().st_mtime_ns if metrics.exists() else 0
        while started.poll() is None and (not metrics.exists() or metrics.stat().st_mtime_ns == before):
            time.sleep(0.02)
        return started, psutil.Process(started.pid).children()

    with begun()[0] as process:
        process.send_signal(signal.SIGINT)
        told, complaints = process.communicate(timeout=120)
    assert process.returncode == 130
    assert complaints == ""
    go_on = f"stopped and saved; 0 of 2 runs are finished; go on with: python -m shared.study {' '.join(words)}"
    assert told.splitlines()[-1] == go_on
    assert json.loads(Path("out/study.json").read_text())["seeds"] == 2
    process, children = begun()
    with process:
        assert len(children) == 1
        process.kill()
        assert psutil.wait_procs(children, timeout=60)[1] == []
