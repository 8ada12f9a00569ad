"""Tuning: what is varied, which trials are done by whom, and what comes out."""

import contextlib
import dataclasses
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import filelock
import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from catch_dqn import train
from catch_dqn.experiment import SUITE
from shared.commands.train import requested
from shared.errors import UserError
from shared.runs.folder import Run
from shared.tune import __main__ as command
from shared.tune import search
from shared.tune.search import Search, Tuning
from shared.tune.space import Dimension, dimensions

ROOT = Path(__file__).parent.parent
RATE = Dimension("learning_rate", low=1e-4, high=1e-1)
BATCH = Dimension("batch_size", low=16, high=64, whole=True)
UNITS = Dimension("hidden", choices=("8", "16"))
SMALL = ("--episodes", "20", "--hidden", "8", "--batch-size", "8", "--replay-capacity", "100")


def varied(*asked, argv=()):
    """The dimensions of Catch that are asked for."""
    return dimensions(asked, requested(argv, SUITE).choice, argv)


class TestSpace:
    def test_ranges_and_choices(self):
        found = varied("learning_rate=1e-4:1e-2", "batch-size=8:16", "optimizer=adam,sgd", "hidden=64 64,128", "double")
        assert found == (
            Dimension("learning_rate", low=1e-4, high=1e-2),
            Dimension("batch_size", low=8, high=16, whole=True),
            Dimension("optimizer", choices=("adam", "sgd")),
            Dimension("hidden", choices=("64 64", "128")),
            Dimension("double", choices=("off", "on")),
        )
        assert [one.by_factors for one in found] == [True, False, False, False, False]

    def test_without_a_range_it_is_the_one_that_is_declared(self):
        units, discount, loss = varied("hidden", "discount", "loss")
        assert units == Dimension("hidden", low=16, high=256, whole=True, repeated=2)
        assert units.by_factors
        assert discount == Dimension("discount", low=0.0, high=1.0)
        assert loss.choices == ("mse", "mse-taken", "clipped-huber")

    def test_a_declared_range_has_the_value_to_begin_with_in_it(self):
        settings = dataclasses.replace(SUITE.experiments["catch"].presets["tutorial"], hidden=(5,), n_step=20)
        choice = requested([], SUITE).choice._replace(settings=settings)
        units, n_step, batch = dimensions(["hidden", "n_step", "batch_size=8:16"], choice, [])
        assert (units.low, units.high) == (5, 256)
        assert (n_step.low, n_step.high) == (1, 20)
        assert (batch.low, batch.high) == (8, 16)

    def test_nothing_asked_for_is_what_declares_how_it_is_tuned(self):
        assert [one.name for one in varied()] == ["n_step", "batch_size", "hidden", "learning_rate"]
        left = ["hidden", "learning_rate"]  # the loop to read knows no n-step returns
        assert [one.name for one in varied(argv=["--engine", "readable", "--batch-size", "32"])] == left

    def test_what_is_drawn_becomes_words(self):
        assert RATE.word(0.00123456) == "0.001235"
        assert RATE.word(1e-1) == "0.1"
        assert Dimension("discount", low=0.9, high=0.99996).word(0.99996) == "0.99996"  # rounded it would be 1.0
        assert Dimension("hidden", low=8, high=64, whole=True, repeated=2).word(32) == "32 32"
        assert Dimension("double", choices=("off", "on")).word("on") == "on"

    def test_what_comes_from_a_file_is_not_taken_on_trust(self):
        for one, drawn in ((RATE, 5.0), (RATE, "0.1 --out x"), (BATCH, 32.5), (BATCH, None), (UNITS, "8 --out x")):
            with pytest.raises(ValueError, match=rf"{drawn}|not in"):
                one.word(drawn)

    def test_the_preset_is_where_it_begins_if_it_is_among_what_is_tried(self):
        tutorial = SUITE.experiments["catch"].presets["tutorial"]
        found = {
            one.name: one.of(tutorial) for one in varied("learning_rate", "hidden", "optimizer", "double", "n_step")
        }
        assert found == {"learning_rate": 0.01, "hidden": 100, "optimizer": "sgd", "double": "off", "n_step": 1}
        assert [one.of(tutorial) for one in varied("hidden=64,100 100", "batch_size=8:16")] == ["100 100", None]
        assert varied("time_limit=5:10")[0].of(tutorial) is None

    @pytest.mark.parametrize(
        ("asked", "complaint"),
        [
            ("lerning_rate", "lerning_rate: no such setting; do you mean learning_rate?"),
            ("steps", "--vary steps: has no limits of its own; give a range, such as steps=1:100"),
            ("optimizer=adam,foo", "--vary optimizer=adam,foo: --optimizer foo: unknown; choose one of"),
            ("optimizer=adam", "--vary optimizer=adam: nothing to choose from; give several values"),
            ("batch_size=64", "--vary batch_size=64: nothing to choose from; give several values"),
            ("learning_rate=1:x", "--vary learning_rate=1:x: 'x' is not a number"),
            ("learning_rate=0.1:inf", "give a finite number"),
            ("learning_rate=2:1", "2.0 is not below 1.0; give the smaller one first"),
            ("discount=0.5:2", "--discount 2.0: out of range; give a value from 0.0 to 1.0"),
            ("double=on,maybe", "maybe is neither on nor off"),
            ("seed", "--vary seed: is not a setting to be tuned here"),
            ("n_step", "--vary n_step: given twice; leave one out"),
        ],
    )
    def test_what_cannot_be_varied_is_named(self, asked, complaint):
        with pytest.raises(UserError) as error:
            varied(asked, argv=["--n-step", "2"])
        assert complaint in str(error.value)


def score_of(values):
    """The best learning rate is 0.01, the best batch size 32."""
    return -abs(np.log10(values["learning_rate"]) + 2) - abs(values["batch_size"] - 32) / 32


def no_training(job, watch):
    """Leave what a training leaves, as far as a tuning looks at it."""
    if Run(job.folder).finished:
        return
    settings = requested(job.argv, SUITE).choice.settings
    score = score_of(vars(settings)) + 0.01 * (job.seed - 1000)
    for tenth in range(1, 11):
        watch(tenth / 10, {"steps": 100 * tenth, "score": score * 10 / tenth if tenth > 1 else "nan"})
    Path(job.folder).mkdir(parents=True)
    (Path(job.folder) / "summary.json").write_text(json.dumps({"mean_score": score, "steps": 1000, "seconds": 1}))


@pytest.fixture
def performed(monkeypatch):
    """The jobs that were done: without training, they leave what a training leaves. The database is in memory."""
    jobs, databases = [], defaultdict(optuna.storages.InMemoryStorage)
    monkeypatch.setattr(search, "database", databases.__getitem__)

    def perform(job, watch):
        jobs.append(job)
        no_training(job, watch)

    monkeypatch.setattr(search, "perform", perform)
    return jobs


@pytest.fixture
def tuning(tmp_path):
    """A tuning of Catch."""
    folder = tmp_path / "a tuning? {100%}"
    return Tuning("catch_dqn", SMALL, (RATE, BATCH), 2, 12, 0, True, folder, folder / "tune.db")


def states(searching):
    """How many trials are in each state."""
    found = [trial.state for trial in searching.study.trials]
    return {state.name: found.count(state) for state in set(found)}


class TestSearch:
    def test_it_gets_better_and_leaves_the_best_as_a_preset(self, tuning, performed, capsys):
        searching = Search(tuning._replace(pruning=False), SUITE)
        searching.run()
        told = capsys.readouterr().out.splitlines()
        assert len(told) == 12
        assert told[0] == "trial 0: score -0.7007 (learning_rate=0.004044 batch_size=42)"
        best = searching.best()
        scores = [trial.value for trial in searching.study.trials]
        assert best.value == max(scores)
        choice = requested(["--preset", str(tuning.folder / "best.yaml"), "--seed", "0"], SUITE).choice
        assert score_of(vars(choice.settings)) + 0.005 == pytest.approx(best.value)
        assert choice.settings.episodes == 20
        rows, _ = searching.found()
        assert len(rows) == 24
        assert {row["learning_rate"] for row in rows if row["setting"].startswith(f"trial {best.number}:")} == {
            str(choice.settings.learning_rate)
        }
        assert not list(tuning.folder.glob("*.lock-*"))

    def test_the_settings_to_begin_with_are_the_first_trial(self, tuning, performed):
        dims = (Dimension("learning_rate", low=1e-3, high=0.1), Dimension("optimizer", choices=("adam", "sgd")))
        searching = Search(tuning._replace(dimensions=dims, trials=1), SUITE)
        searching.run()
        assert searching.study.trials[0].params == {"learning_rate": 0.01, "optimizer": "sgd"}

    def test_the_same_seed_suggests_the_same_also_after_a_break(self, tuning, performed, tmp_path):
        def suggested(name, seed, *trials):
            folder = tmp_path / name
            for count in trials:
                one = tuning._replace(folder=folder, storage=folder / "t.db", seed=seed, trials=count)
                Search(one, SUITE).run()
            return [trial.params for trial in Search(one, SUITE).study.trials]

        def taken_over(name, seed):
            """One whose third trial is begun by a process that dies."""
            suggested(name, seed, 2)
            folder = tmp_path / name
            one = Search(tuning._replace(folder=folder, storage=folder / "t.db", seed=seed), SUITE)
            one.study.ask()
            one.run()
            return [trial.params for trial in one.study.trials if trial.state != TrialState.FAIL]

        unbroken = suggested("unbroken", 0, 12)
        assert suggested("broken", 0, 4, 9, 12) == unbroken
        assert taken_over("taken over", 0) == unbroken
        others = suggested("other seed", 1, 4)
        assert others[0] != unbroken[0]
        assert len({str(params) for params in unbroken}) == 12

    def test_a_trial_that_goes_badly_is_given_up(self, tuning, performed, capsys):
        searching = Search(tuning, SUITE)
        searching.run()
        told = capsys.readouterr().out.splitlines()
        given_up = [line for line in told if "given up" in line]
        assert given_up
        assert all(": given up after 30% of its first run, where it scored -" in line for line in given_up[:1])
        found = states(searching)
        assert found["PRUNED"] == len(given_up)
        assert found["PRUNED"] + found["COMPLETE"] == 12
        assert all(trial.state == TrialState.COMPLETE for trial in searching.study.trials[:5])
        worst = min(trial.value for trial in searching.study.trials if trial.state == TrialState.COMPLETE)
        assert worst < searching.best().value

    def test_settings_that_fail_cost_one_trial(self, tuning, performed, monkeypatch, capsys):
        done = search.perform

        def perform(job, watch):
            if len(performed) > 2:
                performed.append(job)
                raise UserError("--learning-rate 9: the loss was nan at step 5; give a smaller one")
            done(job, watch)

        monkeypatch.setattr(search, "perform", perform)
        searching = Search(tuning._replace(trials=3), SUITE)
        searching.run()
        assert states(searching) == {"COMPLETE": 1, "PRUNED": 2}
        assert capsys.readouterr().out.count("failed: --learning-rate 9: the loss was nan") == 2

    def test_what_other_settings_would_not_mend_ends_it_and_can_go_on(self, tuning, performed, monkeypatch):
        def perform(job, watch):
            raise UserError("/runs: the disk is full; make room or choose another place")

        with monkeypatch.context() as full:
            full.setattr(search, "perform", perform)
            with pytest.raises(UserError, match=r"^/runs: the disk is full"):
                Search(tuning, SUITE).run()
        searching = Search(tuning._replace(trials=1), SUITE)
        searching.run()
        assert states(searching) == {"FAIL": 1, "COMPLETE": 1}

    def test_a_trial_whose_process_died_is_taken_over_with_its_runs(self, tuning, performed):
        searching = Search(tuning._replace(trials=2), SUITE)
        died = searching._next()
        drawn = {one.name: one.draw(died) for one in tuning.dimensions}
        died.report(-3.0, 4)
        searching.run()
        trials = searching.study.trials
        assert [trial.state.name for trial in trials] == ["FAIL", "COMPLETE", "COMPLETE"]
        assert trials[1].params == drawn
        assert trials[1].intermediate_values[4] == -3.0
        assert {Path(job.folder).parent.name for job in performed[:2]} == {"0000"}
        assert {Path(job.folder).parent.name for job in performed[2:]} == {"0001"}

    def test_a_trial_that_another_process_is_at_is_left_to_it(self, tuning, performed):
        searching = Search(tuning._replace(trials=2), SUITE)
        other = searching._next()
        with filelock.FileLock(f"{tuning.storage}.lock-{other.number}"):
            searching.run()
            assert states(searching) == {"RUNNING": 1, "COMPLETE": 1}
            assert searching.going_on() == 1

    def test_a_trial_that_kills_its_processes_is_left_out(self, tuning, performed, capsys):
        searching = Search(tuning._replace(trials=2), SUITE)
        for _ in range(search.ATTEMPTS):
            searching._next()
            searching._take_over()
        assert "trial 0: its process died 3 times; it is left out" in capsys.readouterr().err
        searching.run()
        assert states(searching) == {"FAIL": 3, "COMPLETE": 2}

    def test_another_tuning_is_refused(self, tuning, performed, tmp_path):
        Search(tuning, SUITE)
        for other in (tuning._replace(seeds=3), tuning._replace(argv=()), tuning._replace(dimensions=(RATE,))):
            with pytest.raises(UserError, match="holds another tuning than this; give another --out"):
                Search(other, SUITE)
            with pytest.raises(UserError, match=r"tune\.db: holds another tuning than this; name another --storage"):
                Search(other._replace(folder=tmp_path / "other"), SUITE)
            (tmp_path / "other" / "tuning.json").unlink()

    def test_a_folder_of_somebody_is_refused(self, tuning):
        tuning.folder.mkdir()
        (tuning.folder / "best.yaml").write_text("mine")
        with pytest.raises(UserError, match="not empty, and what it holds is no tuning; give another --out"):
            Search(tuning, SUITE)
        assert [path.name for path in tuning.folder.iterdir()] == ["best.yaml"]

    def test_a_database_of_another_version_is_named(self, tuning, tmp_path):
        path = tmp_path / "later.db"
        Search(tuning._replace(storage=path), SUITE)
        with sqlite3.connect(path) as database:
            database.execute("UPDATE alembic_version SET version_num = 'v99'")
        with pytest.raises(UserError, match=r"later\.db: .*version.*; name another --storage, or another --out"):
            Search(tuning._replace(storage=path), SUITE)

    @pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + bytes(1000)])
    def test_a_file_that_is_no_database_is_named(self, tuning, tmp_path, content):
        path = tmp_path / "mine.db"
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"mine\.db: .*; name another --storage, or another --out"):
            Search(tuning._replace(storage=path), SUITE)
        assert path.read_bytes() == content


QUICK = """
import sys, time
from pathlib import Path
from shared.tune import search
from test_tune import RATE, SMALL, SUITE, Search, Tuning, no_training

search.perform = lambda job, watch: no_training(job, lambda *row: [time.sleep(0.01), watch(*row)])
folder = Path(sys.argv[1])
searching = Search(Tuning("catch_dqn", SMALL, (RATE,), 2, 6, 0, False, folder, folder / "tune.db"), SUITE)
print("joined", flush=True)
searching.run()
"""


def started(*words):
    """A Python program that goes on beside this one, with what it prints in `stdout`."""
    paths = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    return subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, env=os.environ | paths, stdout=subprocess.PIPE, text=True
    )


def test_processes_share_the_trials_and_go_on_with_those_of_one_that_is_killed(tmp_path):
    with contextlib.ExitStack() as stack:
        joined = [stack.enter_context(started("-c", QUICK, str(tmp_path / "out"))) for _ in range(3)]
        assert [one.stdout.readline() for one in joined] == ["joined\n"] * 3
        first, *others = joined
        assert first.stdout.readline().startswith("trial ")
        first.kill()
        told = "".join(one.communicate(timeout=120)[0] for one in others)
    assert [one.returncode for one in others] == [0, 0]
    assert "score" in told
    with sqlite3.connect(tmp_path / "out" / "tune.db") as database:
        found = dict(database.execute("SELECT state, COUNT(*) FROM trials GROUP BY state"))
        rates = database.execute("SELECT COUNT(DISTINCT param_value) FROM trial_params").fetchone()
    assert found.pop("COMPLETE") == 6
    assert found in ({}, {"FAIL": 1})  # what the first one was at, which is done by another
    assert rates == (6,)
    assert not list((tmp_path / "out").glob("tune.db.lock-*"))
    assert len(list((tmp_path / "out" / "trials").glob("*/seed*/summary.json"))) == 12


def main(*words):
    """Run the command in this process."""
    return command.main(["catch_dqn", *words])


class TestCommand:
    def test_without_optuna_it_says_how_to_get_it(self, monkeypatch, tmp_path):
        monkeypatch.setattr(command, "is_installed", lambda name: name != "optuna")
        with pytest.raises(UserError, match=r'^optuna: is not installed; run pip install "\.\[tune\]"$'):
            main("--out", str(tmp_path / "out"))
        assert not (tmp_path / "out").exists()

    def test_what_is_wrong_is_said_before_anything_is_done(self, tmp_path):
        for words, complaint in (
            (["--vary", "batch_siz"], "do you mean batch_size?"),
            (["--", "--batch-size", "0"], "--batch-size 0: out of range"),
            (["--trials", "0"], "--trials 0: out of range"),
            (["--env", "Acrobot-v1"], "name what is to be trained"),
            (["--", "--seed", "3"], "--seed: a tuning gives this itself"),
        ):
            with pytest.raises(UserError, match=complaint):
                main("--out", str(tmp_path / "out"), *words)
        assert not (tmp_path / "out").exists()

    def test_a_process_that_has_done_much_begins_anew(self, tmp_path, performed, monkeypatch, capsys):
        words = (
            "--trials",
            "3",
            "--seeds",
            "1",
            "--out",
            str(tmp_path / "out"),
            "--vary",
            "learning_rate",
            "--",
            *SMALL,
        )

        def begin_anew(program, argv):
            assert argv == [sys.executable, *sys.orig_argv[1:]]
            raise InterruptedError

        monkeypatch.setattr(search, "RENEWED", 2)
        monkeypatch.setattr(command.os, "execv", begin_anew)
        monkeypatch.setattr(Run, "read_metrics", lambda run: [])
        with pytest.raises(InterruptedError):
            main(*words)
        assert main(*words) == 0
        told = capsys.readouterr().out
        assert [f"\ntrial {number}: score" in told for number in range(4)] == [True, True, True, False]

    def test_killed_and_resumed_and_the_best_preset_trains(self, tmp_path, capsys):
        out = tmp_path / "out"
        words = ["--trials", "3", "--seeds", "2", "--out", str(out), "--vary", "learning_rate", "--", *SMALL]
        with started("-m", "shared.tune", "catch_dqn", *words) as killed:
            assert killed.stdout.readline() == "varied: learning_rate=1e-05:0.03 by factors\n"
            assert killed.stdout.readline().startswith("trial 0: score ")
            while not (out / "trials" / "0001" / "seed1000" / "config.json").exists():
                assert killed.poll() is None
                time.sleep(0.01)
            killed.kill()
        assert main(*words) == 0
        told = capsys.readouterr().out.splitlines()
        assert [line.split(":")[0] for line in told[1:3]] == ["trial 1", "trial 2"]
        assert told[-1] == f"train with the best: python -m catch_dqn.train --preset {out / 'best.yaml'}"
        assert (out / "study.csv").read_text().count("\n") == 1 + 3 * 2
        trained = tmp_path / "run"
        assert train.main(["--preset", str(out / "best.yaml"), "--out", str(trained)]) == 0
        best = float((out / "best.yaml").read_text().partition("learning_rate: ")[2].split()[0])
        assert Run(trained).read_config()["settings"]["learning_rate"] == best
