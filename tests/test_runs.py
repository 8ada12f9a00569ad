"""A run's folder: what is touched in it, what is believed of it; and a training without a network, to see what happens
around one.
"""

import csv
import dataclasses
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from pseudo_terminal import HIDDEN, PseudoTerminal

from catch_dqn import evaluate, train
from catch_dqn.experiment import EXPERIMENTS, SUITE
from lunar_pg import evaluate as evaluate_policy
from lunar_pg import train as train_policy
from lunar_pg.experiment import EXPERIMENTS as POLICIES
from lunar_pg.experiment import SUITE as POLICY_SUITE
from shared import files, signals
from shared.errors import UserError, one_line
from shared.rollouts.intervals import plus_minus
from shared.rollouts.trace import Goal, Trace
from shared.runs import checkpoint, progress, training
from shared.runs.folder import Run, latest_run

CONFIG = {
    "experiment": "catch_dqn",
    "game": "catch",
    "preset": "tutorial",
    "engine": "compiled",
    "settings": {"hidden": [4], "batch_size": 1, "episodes": 2},
    "versions": {},
    "command": ["python"],
    "began": "today",
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def a_run(path="run", config=CONFIG, **contents):
    """A folder with a config and other files in it, by name up to the dot."""
    folder = Path(path)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    for name, text in contents.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


def everything(folder):
    """All files below a folder and what they hold."""
    return {path.relative_to(folder): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


class TestWhatIsTouched:
    @pytest.mark.parametrize("overwrite", [False, True])
    @pytest.mark.parametrize(
        "names", [["thesis.txt"], ["checkpoints/1/notes.txt"], ["config.json"], [".lock"]], ids=lambda names: names[0]
    )
    def test_a_folder_of_something_else_is_refused_as_it_is(self, names, overwrite):
        for name in names:
            (Path("mine") / name).parent.mkdir(parents=True)
            (Path("mine") / name).write_text('{"name": "something else"}')
        before = everything("mine")
        with pytest.raises(UserError, match=r"^mine: not empty, and what it holds is no run; give another --out$"):
            Run.claim("mine", overwrite)
        assert everything("mine") == before

    def test_no_folder_is_meant_by_a_file_or_by_nothing(self):
        Path("file").write_text("x")
        with pytest.raises(UserError, match=r"^file: this is a file; give the name of a folder$"):
            Run.claim("file", overwrite=True)
        with pytest.raises(UserError, match="is empty"):
            Run.claim("")
        with pytest.raises(UserError, match=r"^file: this is a file; give the folder of a run$"):
            Run.open("file")

    def test_overwriting_removes_what_a_run_leaves_and_nothing_else(self):
        folder = a_run(metrics_csv="1", episodes_csv="1", summary_json="{}", notes_txt="mine")
        checkpoint.save(folder, 7, {"a": np.zeros(2)}, {})
        (folder / "checkpoints" / f"{7:012d}" / "notes.txt").write_text("mine")
        (folder / "checkpoints" / "best.txt").write_text("mine")
        (folder / ".0123456789abcdef0123456789abcdef.tmp").write_text("half a file")
        (folder / "game_weights.h5").write_text("old")
        run = Run.claim(folder, overwrite=True)
        run.begin({"new": True}, "game_weights.h5")
        run.close()
        left = {str(path) for path in everything(folder)}
        assert left == {
            *("config.json", ".lock", "notes.txt"),
            *("checkpoints/best.txt", f"checkpoints/{7:012d}/notes.txt"),
        }
        assert json.loads((folder / "config.json").read_text()) == {"new": True}

    def test_what_was_made_for_a_run_that_did_not_begin_goes_again(self):
        Path("there").mkdir()
        for path in ("there", "new/and/deep"):
            Run.claim(path).release()
        assert [path.name for path in Path().iterdir()] == ["there"]

    @pytest.mark.parametrize("name", ["metrics.csv", "episodes.csv", "summary.json", ".lock", "checkpoints"])
    def test_links_in_a_folder_lead_nowhere(self, name):
        Path("thesis.txt").write_text("years of work")
        folder = a_run()
        (folder / name).symlink_to(Path("thesis.txt").resolve())
        for attempt in (lambda: Run.claim(folder, overwrite=True), lambda: Run.open(folder)):
            with pytest.raises(UserError, match=r"a link, where a run has files|this run is finished"):
                attempt()
        assert Path("thesis.txt").read_text() == "years of work"

    def test_a_folder_that_cannot_be_written_is_said_in_one_line(self, monkeypatch):
        folder = a_run()
        monkeypatch.setattr(os, "access", lambda *_: False)
        with pytest.raises(UserError, match=r"^run: not allowed; choose another place"):
            Run.open(folder)


class TestMetrics:
    ROWS = "steps,loss\n1,0.5\n2,0.25\n"

    def run(self, text):
        run = Run(Path())
        Path("metrics.csv").write_text(text)
        return run

    def test_rows_written_after_the_checkpoint_are_forgotten(self):
        run = self.run(self.ROWS)
        assert run.sync("metrics.csv") == len(self.ROWS)
        run.add_metrics({"steps": 3, "loss": 0.1})
        run.cut("metrics.csv", len(self.ROWS))
        assert Path("metrics.csv").read_text() == self.ROWS

    def test_a_file_that_is_too_short_is_never_lengthened(self, capsys):
        run = self.run(self.ROWS[:-3])  # a power cut took the end
        run.cut("metrics.csv", len(self.ROWS))
        assert "warning: metrics.csv: shorter than when the run was saved" in capsys.readouterr().err
        assert Path("metrics.csv").read_text() == "steps,loss\n1,0.5\n"
        run.add_metrics({"steps": 3, "loss": 0.1})
        assert run.read_metrics() == [{"steps": 1, "loss": 0.5}, {"steps": 3, "loss": 0.1}]

    def test_a_missing_file_is_begun_anew(self, capsys):
        Run(Path()).cut("metrics.csv", 100)
        assert "metrics.csv: is missing" in capsys.readouterr().err
        assert Run(Path()).sync("metrics.csv") == 0

    def test_other_columns_are_refused_before_a_row_is_added(self):
        run = self.run("step,loss\n")
        with pytest.raises(UserError, match=r"metrics\.csv: has other columns"):
            run.add_metrics({"steps": 3, "loss": 0.1})
        assert Path("metrics.csv").read_text() == "step,loss\n"

    def test_rows_that_are_none_are_left_out(self, capsys):
        run = self.run(self.ROWS + "\0\0\0\nx,y\n3\n4,5,6\n7,nan\n")
        assert [row["steps"] for row in run.read_metrics()] == [1, 2, 7]
        assert "4 rows are damaged and left out" in capsys.readouterr().err


class TestEpisodes:
    def rows(self, folder="run"):
        with (Path(folder) / "episodes.csv").open() as file:
            return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]

    @pytest.mark.parametrize("engine", ["compiled", "readable"])
    def test_every_episode_is_kept(self, catch, small, run, engine):
        outcome = training.train(catch.trainer(small, engine), run, small, show=False)
        rows = self.rows()
        assert [row["episode"] for row in rows] == list(range(1, 61))
        assert [row["return"] for row in rows] == outcome.scores.tolist()
        assert {row["length"] for row in rows} == {9}
        assert [row["steps"] for row in rows] == [9 * row["episode"] for row in rows]

    def test_the_steps_of_games_side_by_side_are_those_of_all(self):
        ended = np.array([[False, True], [False, False], [True, True]])
        trace = Trace(ended, np.arange(6.0).reshape(3, 2), np.array([[1, 1], [2, 1], [3, 2]]), np.zeros(3))
        steps, scores, lengths = trace.episodes(before=100, taken=6)
        assert [steps.tolist(), scores.tolist(), lengths.tolist()] == [[102, 106, 106], [1, 4, 5], [1, 3, 2]]

    def test_a_resumed_run_has_each_episode_once(self, run, settings):
        def stop(state):
            if state.episodes == 2:
                os.kill(os.getpid(), signal.SIGTERM)

        with pytest.raises(training.Stopped):
            training.train(Counting(4, stop), run, settings, show=False)
        run.add_episodes(4, np.array([40]), np.array([7.5]), np.array([10]))  # written after the checkpoint
        training.train(Counting(4), run, settings, resume=True, show=False)
        rows = self.rows()
        assert [row["episode"] for row in rows] == [1, 2, 3, 4]
        assert rows[3] == {"episode": 4, "steps": 40, "return": 1, "length": 10}

    def test_other_columns_are_refused(self, run):
        Path("run/episodes.csv").write_text("mine\n")
        with pytest.raises(UserError, match=r"episodes\.csv: has other columns"):
            run.add_episodes(1, np.array([9]), np.array([1.0]), np.array([9]))


class TestSummary:
    GOOD = {"mean_score": 1, "steps": 10, "seconds": 0.5}

    def test_what_nobody_knows_is_no_number(self):
        Run(a_run()).write_json("summary.json", {**self.GOOD, "final_training_score": None})
        summary = Run("run").read_summary("final_training_score")
        np.testing.assert_equal(summary, {**self.GOOD, "final_training_score": np.nan})

    @pytest.mark.parametrize("change", [{"wins": "many"}, {"wins": []}, {"wins": 10**400}, {"steps": {}}])
    def test_what_is_no_summary_is_one_line(self, change):
        run = Run(a_run(summary_json=json.dumps({**self.GOOD, **change})))
        with pytest.raises(UserError, match=r"summary\.json: not the summary of a run"):
            run.read_summary()

    def test_a_figure_that_is_missing(self):
        run = Run(a_run(summary_json=json.dumps(self.GOOD)))
        assert run.read_summary() == self.GOOD
        with pytest.raises(UserError, match=r"summary\.json: not the summary of a run"):
            run.read_summary("mean_score_200")


class TestLatest:
    def test_a_broken_one_is_passed_over_and_named(self, capsys):
        for number, config in enumerate((CONFIG, "{", json.dumps({**CONFIG, "game": "chess"}))):
            folder = a_run(f"runs/catch_dqn/{number}", config, summary_json="{}")
            os.utime(folder / "config.json", (number, number))
        wanted = {"wanted": lambda run: SUITE.of_run(run.read_config(), run.path)}
        assert latest_run("catch_dqn", **wanted) == Path("runs/catch_dqn/0")
        told = capsys.readouterr().err.splitlines()
        assert ["runs/catch_dqn/2" in told[0], "runs/catch_dqn/1/config.json" in told[1]] == [True, True]
        assert latest_run("catch_dqn", finished=False, **wanted) is None

    def test_evaluation_falls_back_on_the_agent_that_comes_with_the_project(self, capsys):
        a_run("runs/catch_dqn/a", "[" * 100_000, summary_json="{}")
        a_run("runs/catch_dqn/b", summary_json="{}")  # its weights are missing
        assert evaluate.main(["--episodes", "1", "--json"]) == 0
        shown = capsys.readouterr()
        assert "nested more than 32 levels" in shown.err
        assert "game_weights.h5: is missing (this run is passed over)" in shown.err
        assert json.loads(shown.out)["wins"] == 80


# -- what a config may say ----------------------------------------------------------------------------------------


def changed(**changes):
    return {**CONFIG, **changes}


def setting(**changes):
    return changed(settings={**CONFIG["settings"], **changes})


BAD_CONFIGS = {
    "batch_size 8.5": setting(batch_size=8.5),
    "batch_size true": setting(batch_size=True),
    "batch_size text": setting(batch_size="8"),
    "batch_size huge": setting(batch_size=10**400),
    "hidden a number": setting(hidden=8),
    "hidden a word": setting(hidden="88"),
    "hidden of lists": setting(hidden=[[8]]),
    "hidden of null": setting(hidden=[None]),
    "hidden too large": setting(hidden=[65536, 65536, 65536]),
    "hidden too many": setting(hidden=[1] * 1000),
    "seed null": setting(seed=None),
    "learning rate infinite": setting(learning_rate=float("inf")),
    "learning rate a list": setting(learning_rate=[1]),
    "optimizer a path": setting(optimizer="os:system"),
    "optimizer a list": setting(optimizer=["adam"]),
    "double a word": setting(double="yes"),
    "unknown setting": setting(warp=1),
    "settings a list": changed(settings=[]),
    "settings a word": changed(settings="{}"),
    "no settings": {key: value for key, value in CONFIG.items() if key != "settings"},
    "another game": changed(game="chess"),
    "game a number": changed(game=3),
    "game a list": changed(game=["catch"]),
    "game with escape codes": changed(game="\x1b[2Jcatch"),
    "another engine": changed(engine="foo"),
    "engine null": changed(engine=None),
    "another preset": changed(preset="best"),
    "another package": changed(experiment="os"),
    "package a list": changed(experiment=["catch_dqn"]),
    "unknown entry": changed(plugin="os"),
    "command a word": changed(command="python"),
    "nested": changed(versions=json.loads("[" * 500 + "]" * 500)),
    "text": '"catch_dqn"',
    "empty": "",
    "not text": "\udcff",
    "too large": json.dumps(changed(began=" " * 2_000_000)),
}


@pytest.mark.parametrize("config", BAD_CONFIGS.values(), ids=BAD_CONFIGS.keys())
def test_a_config_that_makes_no_sense_is_one_line(config):
    text = config if isinstance(config, str) else json.dumps(config)
    folder = a_run(config="{}")
    (folder / "config.json").write_bytes(text.encode(errors="surrogateescape"))
    before = everything(folder)
    attempts = [(train, ["--resume", "run"])]
    if isinstance(config, dict):  # what is no object beside weights is no concern of theirs
        attempts.append((evaluate, ["--weights", "run/game_weights.h5"]))
    for command, arguments in attempts:
        with pytest.raises(UserError) as raised:
            command.main(arguments)
        told = one_line(raised.value)
        assert len(told) < 300
        assert told.isprintable()
        assert "run" in told or "--hidden" in told
    assert everything(folder).items() >= before.items()


EVIL = "friend.evil:CartPole-v1"


@pytest.fixture
def evil(monkeypatch, tmp_path):
    """A folder of a friend's, with a run that names a module of theirs."""
    folder = tmp_path / "friend"
    folder.mkdir()
    (folder / "evil.py").write_text("raise SystemExit('a file chose code')")
    monkeypatch.syspath_prepend(tmp_path)
    settings = dataclasses.asdict(POLICIES["cartpole"].presets["tutorial"])
    config = changed(experiment="lunar_pg", game=EVIL, settings=settings)
    for name in ("friend/run", "runs/lunar_pg/friend"):
        a_run(name, config)
    return folder


def test_a_file_chooses_no_code(evil, capsys):
    for command, arguments in (
        (evaluate_policy, ["--weights", "friend/run/policy.weights.h5"]),
        (train_policy, ["--resume", "friend/run"]),
    ):
        with pytest.raises(UserError, match=f"--env '{EVIL}' is not known here; give --env as well"):
            command.main(arguments)
    with pytest.raises(UserError, match="no unfinished run"):
        train_policy.main(["--resume"])
    assert f"--env '{EVIL}' is not known here" in capsys.readouterr().err
    assert "friend.evil" not in sys.modules


def test_a_person_may_name_what_is_imported(evil):
    (evil / "evil.py").write_text("")
    config = json.loads(Path("friend/run/config.json").read_text())
    assert POLICY_SUITE.of_run(config, "config.json", named=EVIL).experiment.env_id == EVIL
    assert "friend.evil" in sys.modules


def test_agents_that_come_with_the_project_pass_the_same_checks():
    from cartpole_dqn.experiment import SUITE as CARTPOLE
    from cave_game.experiment import SUITE as CAVE

    root = Path(__file__).parent.parent
    suites = (SUITE, CARTPOLE, CAVE, POLICY_SUITE)
    found = [(s, path) for s in suites for path in (root / s.package / "pretrained").glob("*/config.json")]
    assert len(found) > 8
    for suite, path in found:
        assert suite.of_run(files.read_json(path), path).experiment.name == path.parent.name


# -- a training without a network ---------------------------------------------------------------------------------


class State(NamedTuple):
    steps: int
    episodes: int


class Counting:
    """A trainer that learns nothing: each call of `run` is ten steps, the end of one episode."""

    def __init__(self, calls=3, meanwhile=lambda state: None, largest_target=0.0):
        self.calls, self.meanwhile, self.largest_target = calls, meanwhile, largest_target
        self.weights = np.zeros(3, np.float32)
        self.goal = Goal(calls, by_steps=False)

    def start(self):
        return State(0, 0)

    def run(self, state):
        self.meanwhile(state)
        self.weights = self.weights + 1
        trace = Trace(
            *(np.full((1, 1), value) for value in (True, 1.0, 10)), np.ones(1), np.full(1, self.largest_target)
        )
        return State(state.steps + 10, state.episodes + 1), trace

    def finished(self, state):
        return state.episodes >= self.calls

    def figures(self, state, trace):
        return {}

    def snapshot(self, state):
        return {"weights": self.weights, "steps": np.array(state.steps), "text": np.frombuffer(b"{}", np.uint8)}

    def restore(self, arrays):
        self.weights = arrays["weights"]
        return State(int(arrays["steps"]), int(arrays["steps"]) // 10)


@pytest.fixture
def settings(catch):
    return catch.presets["tutorial"]


@pytest.fixture
def run():
    run = Run.claim("run")
    run.begin(CONFIG, "weights.h5")
    yield run
    run.close()


def test_training_in_a_thread(run, settings):
    ended = []
    thread = threading.Thread(target=lambda: ended.append(training.train(Counting(), run, settings)))
    thread.start()
    thread.join()
    assert [outcome.steps for outcome in ended] == [30]


def test_values_far_above_what_rewards_add_up_to_are_told_and_others_not(run, settings, capsys):
    assert settings.discount == 0.9
    for largest_reward, told in ((1.0, True), (100.0, False)):
        training.train(Counting(largest_target=500.0), run, settings, largest_reward=largest_reward)
        assert ("training diverges" in capsys.readouterr().err) == told


def test_an_experiment_says_how_large_its_rewards_are(catch, monkeypatch):
    told = {}

    def stop(*_, **options):
        told.update(options)
        raise training.Stopped(130, None)

    monkeypatch.setattr(training, "train", stop)
    monkeypatch.setattr(type(catch), "largest_reward", 50.0)
    assert train.main(["--hidden", "4", "--out", "run"]) == 130
    assert told["largest_reward"] == 50.0


@pytest.fixture
def ignored():
    """SIGHUP as it is under `nohup`, SIGINT as in a background job."""
    numbers = (signal.SIGHUP, signal.SIGINT)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    yield numbers
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def test_signals_that_were_ignored_stay_ignored(run, settings, ignored):
    trainer = Counting(meanwhile=lambda state: [signal.raise_signal(number) for number in ignored])
    assert training.train(trainer, run, settings).steps == 30
    assert [signal.getsignal(number) for number in ignored] == [signal.SIG_IGN] * 2


def test_a_signal_stops_with_a_checkpoint_that_goes_on(run, settings, capsys):
    before = signal.getsignal(signal.SIGTERM)
    trainer = Counting(meanwhile=lambda state: state.steps == 10 and signal.raise_signal(signal.SIGTERM))
    with pytest.raises(training.Stopped) as stopped:
        training.train(trainer, run, settings)
    assert stopped.value.status == 143
    assert signal.getsignal(signal.SIGTERM) is before
    assert signal.set_wakeup_fd(-1) == -1
    resumed = Counting()
    outcome = training.train(resumed, run, settings, resume=True)
    assert (outcome.steps, resumed.weights[0], len(outcome.scores)) == (30, 3, 3)
    assert [row["steps"] for row in run.read_metrics()] == [10, 20, 30]


@pytest.mark.parametrize(("pause", "at_once"), [(0.0, False), (2 * signals.TOGETHER, True)])
def test_a_second_signal_ends_the_process_at_once(run, settings, monkeypatch, capfd, pause, at_once):
    """Without waiting for the call that is under way; but not where a launcher sent the first one twice."""
    ended = threading.Event()
    status = []

    def end(number):
        status.append(number)
        ended.set()

    def twice(state):
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
            time.sleep(pause)
        ended.wait(10 if at_once else 2 * signals.TOGETHER)

    monkeypatch.setattr(os, "_exit", end)
    with pytest.raises(training.Stopped):
        training.train(Counting(meanwhile=twice), run, settings)
    assert status == ([143] if at_once else [])
    assert ("stopped at once; what was saved last is in run" in capfd.readouterr().err) == at_once


def test_at_a_prompt_a_second_signal_does_not_end_python(run, settings, monkeypatch):
    def twice(state):
        for pause in (2 * signals.TOGETHER, 0):
            signal.raise_signal(signal.SIGINT)
            time.sleep(pause)

    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        training.train(Counting(meanwhile=twice), run, settings)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_run_that_goes_on_elsewhere_is_told_in_one_line_on_stderr(run, settings, monkeypatch, capsys):
    training.train(Counting(), run, settings)
    facts = training.execution_facts()
    monkeypatch.setattr(training, "execution_facts", lambda: {**facts, "threads": "three"})
    training.train(Counting(), run, settings, resume=True)
    told = capsys.readouterr().err
    assert f"warning: the checkpoint was made with threads {facts['threads']}, this is three: the run goes on" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("variable", ["TF_NUM_INTRAOP_THREADS", "XLA_FLAGS", "ONEDNN_MAX_CPU_ISA"])
def test_what_decides_the_last_bits_is_recorded(monkeypatch, variable):
    monkeypatch.delenv(variable, raising=False)
    before = training.execution_facts()
    monkeypatch.setenv(variable, "1" if "THREADS" in variable else "--something")
    assert training.execution_facts() != before


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seconds": "long"}, "--seconds 'long'"),
        ({"seconds": -1.0}, "--seconds -1.0"),
        ({"metrics_size": 1.5}, "--metrics-size 1.5"),
        ({"execution": []}, "--execution []"),
        ({"plugin": "os"}, "'plugin'"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_passed_over(run, settings, capsys, changes, told):
    with pytest.raises(training.Stopped):
        training.train(
            Counting(meanwhile=lambda s: s.steps == 10 and signal.raise_signal(signal.SIGINT)), run, settings
        )
    manifest = run.path / "checkpoints" / f"{20:012d}" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **changes}))
    assert training.train(Counting(), run, settings, resume=True).steps == 30
    assert told in capsys.readouterr().err


def test_the_bar_leaves_the_cursor_alone():
    """So that Ctrl-Z, a second Ctrl-C or a kill leave none hidden."""
    program = (
        "from shared.runs.progress import TrainingProgress\n"
        "with TrainingProgress(10, 'games') as progress:\n"
        "    progress.update(5, {'loss': '[0.5]'})\n"
        "    progress.say('half [of it]')\n"
    )
    with PseudoTerminal("-c", program) as terminal:
        assert terminal.end() == 0
        assert "half [of it]" in terminal.output
        assert "5/10" in terminal.output
        assert HIDDEN not in terminal.output


def test_a_network_that_cannot_be_described_is_refused_before_a_run_begins(monkeypatch, catch):
    import keras

    def model(settings):
        layers = [keras.layers.Flatten(), keras.layers.GaussianNoise(0.1), keras.layers.Dense(3)]
        return keras.Sequential([keras.Input(catch.game(settings).observation_shape), *layers])

    monkeypatch.setattr(type(catch), "model", lambda self, settings: model(settings))
    with pytest.raises(UserError, match=r"model\.yaml: layer .*GaussianNoise is not a supported layer"):
        train.main(["--out", "run", "--batch-size", "4"])
    assert not Path("run").exists()


def test_batches_that_do_not_fit_into_memory_are_refused(monkeypatch):
    monkeypatch.setattr("shared.commands.affordable.memory_bytes", lambda: 500 << 20)
    with pytest.raises(
        UserError, match=r"^learning: needs 1.* GiB, this machine has 0.5 GiB; give a smaller --batch-size"
    ):
        train.main(["--batch-size", "100000", "--replay-capacity", "100000", "--hidden", "1000", "--out", "run"])
    assert not Path("run").exists()


def test_numbers_that_there_are_not_are_null_in_json_and_left_out_of_texts():
    assert files.json_text({"a": [float("nan"), 1.5], "b": (float("inf"),), "c": "nan"}) == (
        '{"a": [null, 1.5], "b": [null], "c": "nan"}'
    )
    assert plus_minus(12.34, 5.678, ".1f") == "12.3 ± 5.7"
    assert plus_minus(12.34, float("nan"), ".2f") == "12.34"
    alone = {"mean_score": 1.0, "ci95": float("nan"), "episodes": 1, "starts": 80, "wins": 3}
    assert EXPERIMENTS["catch"].describe(alone).endswith("mean score 1.000 over 1 random game")


def test_where_no_game_ended_json_has_null_and_there_is_no_interval(capsys):
    assert (
        train.main(["--preset", "tuned", "--steps", "1", "--batch-size", "1", "--hidden", "4", "--out", "a run"]) == 0
    )
    shown = capsys.readouterr().out
    assert "no game ended in training" in shown
    assert "nan" not in shown
    assert "watch it: python -m catch_dqn.play --weights 'a run/game_weights.h5'" in shown
    assert (
        json.loads(Path("a run/summary.json").read_text(), parse_constant=pytest.fail)["final_training_score"] is None
    )
    weights = ["--weights", "a run/game_weights.h5", "--episodes", "1"]
    assert evaluate.main([*weights, "--json"]) == 0
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["episodes"] == 1


def test_in_a_notebook_the_bar_is_one_output_that_changes(monkeypatch):
    shown = []
    handle = type("Handle", (), {"update": lambda self, one: shown.append(one)})()
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda one, display_id: shown.append(one) or handle)
    with progress.TrainingProgress(60, "games") as bar:
        bar.update(30, {"win rate": "<50%"})
    first, last = (one.data for one in shown)
    assert 'value="0" max="60"' in first
    assert "compiling" in first
    assert 'value="30" max="60"' in last
    assert "games 30/60" in last
    assert "win rate &lt;50%" in last
