"""The search for good settings: trials that Optuna suggests, each a few runs of `train`.

What is known of the trials stands in a database, so that a tuning can be stopped, go on, and be joined by other
processes. A process that does a trial holds a lock for it; where a trial is going on and nobody holds its lock, its
process has died, and whoever comes next takes the trial over, with the runs that it has left.
"""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

import filelock
import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from shared import files
from shared.commands.parser import command_line
from shared.commands.train import requested
from shared.errors import UserError, one_line, warn
from shared.rollouts.intervals import interquartile_mean
from shared.runs import checkpoint, preset_file
from shared.runs.folder import Run
from shared.runs.suite import Suite
from shared.study.job import Job, perform
from shared.study.plan import words
from shared.tune.progress import TuningProgress
from shared.tune.space import Dimension

ABOUT, PRESET, TRIALS = "tuning.json", "best.yaml", "trials"  # in the folder of a tuning
INDEX = "index"  # among what the database knows of a trial
FIRST_SEED = 1000  # of the runs of a trial: those of a study, from 0 on, judge the best one anew
TENTHS = 10  # of its first run, after each of which a trial may be given up; then after each run
UNJUDGED = 3  # tenths in which it is not: what explores has not learned yet
FIRST = 5  # trials of which none is given up
ATTEMPTS = 3  # of one trial, whose processes die
PATIENCE = 60  # seconds that a process waits for others that write to the database

optuna.logging.set_verbosity(optuna.logging.ERROR)


class Tuning(NamedTuple):
    """What is asked for."""

    experiment: str  # as of `shared.commands.program.suite_of`
    argv: tuple[str, ...]  # of its command `train`
    dimensions: tuple[Dimension, ...]
    seeds: int  # runs of each trial
    trials: int  # in all
    seed: int  # of what is suggested
    pruning: bool  # whether trials that go badly are given up
    folder: Path
    storage: Path  # an SQLite database

    @property
    def about(self) -> dict[str, Any]:
        """What makes it this tuning and not another one."""
        varied = {one.name: [*one.choices] if one.choices else [one.low, one.high] for one in self.dimensions}
        return {"experiment": self.experiment, "flags": list(self.argv), "seeds": self.seeds, "varied": varied}


class _GivenUp(Exception):
    """A trial went badly."""


class Search:
    """One process of a tuning.

    Args:
        tuning: what is asked for.
        suite: of its experiment.

    Raises:
        UserError: if the folder or the database cannot be used, or is another one's.
    """

    def __init__(self, tuning: Tuning, suite: Suite) -> None:
        self.tuning, self.suite = tuning, suite
        if tuning.storage.parent != tuning.folder:
            files.check_place(tuning.storage)
        _claim(tuning)
        self._one_at_a_time = filelock.FileLock(f"{tuning.storage}.lock")
        with self._one_at_a_time, self._known_errors():
            self.study = self._opened()

    def _opened(self):
        """The study in the database: the one that is there, or a new one."""
        tuning = self.tuning
        study = optuna.create_study(
            storage=database(tuning.storage),
            study_name="tune",
            load_if_exists=True,
            direction="maximize",
            sampler=_Sampler(tuning.seed),
            pruner=optuna.pruners.MedianPruner(FIRST, UNJUDGED) if tuning.pruning else optuna.pruners.NopPruner(),
        )
        if not study.user_attrs:
            study.set_user_attr("about", tuning.about)
            settings = requested(tuning.argv, self.suite).choice.settings
            begin_with = {one.name: one.of(settings) for one in tuning.dimensions}
            if None not in begin_with.values():
                study.enqueue_trial(begin_with)
        elif study.user_attrs.get("about") != tuning.about:
            raise UserError(
                f"{tuning.storage}: holds another tuning than this; name another --storage, or another --out"
            )
        return study

    def run(self) -> None:
        """Do trials until there are as many as asked for.

        Raises:
            shared.runs.training.Stopped: after a signal, once a checkpoint is written.
            UserError: if a run cannot be made for a reason that other settings would not mend.
        """
        with TuningProgress(self.tuning.trials, self._over()) as progress, self._known_errors():
            while True:
                with self._one_at_a_time:
                    self._take_over()
                    if self._over() + self.going_on() >= self.tuning.trials:
                        return
                    trial = self._next()
                    held = contextlib.ExitStack()
                    held.enter_context(self._lock(trial.number))
                with held:
                    self._do(trial, progress)

    def best(self) -> FrozenTrial | None:
        """The best trial that came to its end, the first one among equals."""
        return max(self._trials(TrialState.COMPLETE), key=lambda trial: (trial.value, -trial.number), default=None)

    def found(self) -> tuple[list[dict[str, Any]], dict[str, dict[int, Any]]]:
        """Rows and curves for `shared.study.report`: of the trials that came to their end, each a setting."""
        rows: list[dict[str, Any]] = []
        curves: dict[str, dict[int, Any]] = {}
        for trial in self._trials(TrialState.COMPLETE):
            values = self._values(trial.params)
            for job in self._jobs(self._index(trial), values):
                run = Run(job.folder)
                if run.finished:  # not in the folder of another process
                    rows.append({"setting": job.setting, **values, "seed": job.seed, **run.read_summary()})
                    curves.setdefault(job.setting, {})[job.seed] = run.read_metrics()
        return rows, curves

    def going_on(self) -> int:
        """How many trials are going on."""
        return len(self._trials(TrialState.RUNNING))

    def _values(self, drawn):
        """Settings by name, as words, of what was drawn for them."""
        try:
            return {one.name: one.word(drawn[one.name]) for one in self.tuning.dimensions}
        except (KeyError, ValueError):
            raise self._foreign() from None

    def _index(self, trial):
        """By which number a trial is known; one that is taken over keeps it."""
        index = trial.user_attrs.get(INDEX, trial.number)
        if not isinstance(index, int):
            raise self._foreign()
        return index

    def _foreign(self):
        return UserError(f"{self.tuning.storage}: holds trials of another tuning; name another --storage")

    def _trials(self, *states):
        return self.study.get_trials(deepcopy=False, states=states)

    def _over(self):
        """How many trials are over."""
        return len(self._trials(TrialState.COMPLETE, TrialState.PRUNED))

    def _lock(self, number):
        """What the process holds that does a trial."""
        return filelock.FileLock(self._lock_path(number), timeout=0)

    def _lock_path(self, number):
        return Path(f"{self.tuning.storage}.lock-{number}")

    def _forget_lock(self, number):
        with contextlib.suppress(OSError):  # Windows keeps what is in use
            self._lock_path(number).unlink(missing_ok=True)

    def _next(self):
        """The next trial: one that is taken over, or a new one."""
        trial = self.study.ask()
        if INDEX not in trial.user_attrs:
            others = {one.user_attrs.get(INDEX) for one in self.study.get_trials(deepcopy=False)}
            trial.set_user_attr(INDEX, len(others - {None}))
        return trial

    def _take_over(self):
        """Let trials begin again whose processes have died; their runs go on."""
        for trial in self._trials(TrialState.RUNNING):
            try:
                with self._lock(trial.number):
                    self._forget_lock(trial.number)
                    self.study.tell(trial.number, state=TrialState.FAIL)
                    attempts = trial.user_attrs.get("attempts", 1)
                    if attempts == ATTEMPTS:
                        warn(f"trial {self._index(trial)}: its process died {ATTEMPTS} times; it is left out")
                        continue
                    self.study.add_trial(
                        optuna.trial.create_trial(
                            state=TrialState.WAITING,
                            params=trial.params,
                            distributions=trial.distributions,
                            user_attrs=trial.user_attrs | {"attempts": attempts + 1},
                            intermediate_values=trial.intermediate_values,
                        )
                    )
            except filelock.Timeout:
                continue  # another process is at it

    def _do(self, trial, progress):
        """One trial."""
        index = self._index(trial)
        values = self._values({one.name: one.draw(trial) for one in self.tuning.dimensions})
        score = None
        try:
            score = float(interquartile_mean(self._scores(trial, values, progress)))
            told = f"score {score:.4g}"
        except _GivenUp as reason:
            told = f"given up {reason}"
        except UserError as error:
            if not str(error).startswith("--"):  # it names no setting: others would not mend it
                raise
            told = f"failed: {error}"
        with self._one_at_a_time:
            if score is None:
                self.study.tell(trial, state=TrialState.PRUNED)
            else:
                self.study.tell(trial, score)
            best = self.best()
            if best and best.number == trial.number:
                self._leave_preset(index, values, score)
            self._forget_lock(trial.number)
        progress.say(f"trial {index}: {told} ({_label(values)})")

    def _scores(self, trial, values, progress):
        """The scores of a trial's runs. Raises `_GivenUp` where others have gone better."""
        reported = set(self.study.get_trials(deepcopy=False)[trial.number].intermediate_values)
        over, scores = self._over(), []

        def judge(step, score, where):
            if step not in reported:
                reported.add(step)
                trial.report(score, step)
                if trial.should_prune():
                    raise _GivenUp(f"after {where}, where it scored {score:.4g}")

        for before, job in enumerate(self._jobs(self._index(trial), values)):

            def watch(share, row, before=before):
                score, tenth = float(row["score"]), int(share * TENTHS)
                now = f"trial {self._index(trial)}, run {before + 1}: {share:.0%}, score {score:.4g}"
                progress.update(over, (before + share) / self.tuning.seeds, now)
                if not before and 0 < tenth < TENTHS and np.isfinite(score):
                    judge(tenth, score, f"{share:.0%} of its first run")

            try:
                perform(job, watch)
                scores.append(Run(job.folder).read_summary()["mean_score"])
                if len(scores) < self.tuning.seeds:
                    judge(TENTHS + len(scores), float(np.mean(scores)), f"{len(scores)} of {self.tuning.seeds} runs")
            except _GivenUp:
                checkpoint.remove(Path(job.folder))  # nobody is going to resume it
                raise
        return scores

    def _jobs(self, index, values):
        """The runs of a trial."""
        flags = (*self.tuning.argv, *words(self.suite, self.tuning.argv, values))
        folder = self.tuning.folder / TRIALS / f"{index:04d}"
        return [
            Job(
                self.tuning.experiment,
                (*flags, "--seed", str(seed)),
                str(folder / f"seed{seed}"),
                f"trial {index}: {_label(values)}",
                seed,
            )
            for seed in range(FIRST_SEED, FIRST_SEED + self.tuning.seeds)
        ]

    def _leave_preset(self, index, values, score):
        """Write the settings of the best trial for `train --preset`."""
        argv = self.tuning.argv
        choice = requested((*argv, *words(self.suite, argv, values)), self.suite).choice
        path = self.tuning.folder / PRESET
        remarks = (
            f"The best of a tuning: trial {index}, score {score:.4g} over {self.tuning.seeds} seeds.",
            command_line(self.suite.command("train"), "--preset", path),
        )
        preset_file.write(path, choice, self.suite.package, remarks)

    @contextlib.contextmanager
    def _known_errors(self):
        """Within this block what is wrong with the database is a `UserError`."""
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error, optuna.exceptions.StorageInternalError) as error:
            cause = one_line(getattr(error, "orig", None) or error)
            raise UserError(f"{self.tuning.storage}: {cause}; name another --storage, or another --out") from None


class _Sampler(optuna.samplers.BaseSampler):
    """Optuna's TPE, whose random numbers come from a seed and the index of the trial.

    A sampler that is seeded once would suggest in every process the same, and again after a tuning was stopped.
    """

    def __init__(self, seed):
        self._seed = seed

    def _of(self, trial):
        seed = np.random.SeedSequence([self._seed, trial.user_attrs.get(INDEX, trial.number)]).generate_state(1)[0]
        return optuna.samplers.TPESampler(seed=int(seed))

    def infer_relative_search_space(self, study, trial):
        return self._of(trial).infer_relative_search_space(study, trial)

    def sample_relative(self, study, trial, search_space):
        return self._of(trial).sample_relative(study, trial, search_space)

    def sample_independent(self, study, trial, param_name, param_distribution):
        return self._of(trial).sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study, trial, state, values):
        self._of(trial).after_trial(study, trial, state, values)


def database(path: Path) -> optuna.storages.BaseStorage:
    """The SQLite database in a file, which is made if it is not there."""
    place = path.resolve()
    # By a function and not by a URL, in which a path would have to be without many a sign.
    connect = {"creator": lambda: sqlite3.connect(place, timeout=PATIENCE, check_same_thread=False)}
    return optuna.storages.RDBStorage("sqlite:///tune.db", engine_kwargs=connect)


def _label(values):
    return " ".join(f"{name}={word}" for name, word in values.items())


def _claim(tuning):
    """Make sure that a tuning can go into its folder: one that is empty or its own."""
    folder, about = tuning.folder, tuning.folder / ABOUT
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not about.exists():
            if any(not files.TEMPORARY.fullmatch(path.name) for path in folder.iterdir()):
                raise UserError(f"{folder}: not empty, and what it holds is no tuning; give another --out")
            files.write_json(about, tuning.about)
    except OSError as error:
        raise files.user_error(folder, error) from None
    held = files.read_json(about)
    if held != tuning.about:
        raise UserError(f"{folder}: holds another tuning than this; give another --out")
