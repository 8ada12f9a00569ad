"""One run of a study. `perform` needs nothing but a `Job`: whoever has this project installed can do it, anywhere."""

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from shared.commands import whole_run
from shared.commands.program import suite_of
from shared.commands.train import refuse_another, requested
from shared.late import late
from shared.runs import checkpoint
from shared.runs.folder import CONFIG, Run
from shared.runs.trainer import Trainer

keras = late("keras")

Watch = Callable[[float, Mapping[str, Any]], None]  # (share of the training that is over, a row of its metrics)


class Job(NamedTuple):
    """A run to be made, in plain words."""

    experiment: str  # as of `shared.commands.program.suite_of`
    argv: tuple[str, ...]  # of its command `train`, without --out
    folder: str  # of the run
    setting: str  # what it is called
    seed: int


class Watched(Run):
    """A run that is looked at while it is trained."""

    watch: Watch
    trainer: Trainer

    def add_metrics(self, row: Mapping[str, Any]) -> None:
        """Append one row, and show it."""
        super().add_metrics(row)
        goal = self.trainer.goal
        self.watch(min(1.0, row["steps" if goal.by_steps else "episodes"] / goal.total), row)


class Warm:
    """Makes runs in this process, and keeps what it has compiled: the runs of one setting share it."""

    def __init__(self) -> None:
        self._key: Any = None
        self._trainer: Trainer | None = None
        self._suite_of = functools.cache(suite_of)

    def perform(
        self,
        job: Job,
        watch: Watch = lambda share, row: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Make a run, or go on with it from its newest checkpoint. One that is finished is left as it is.

        Args:
            job: what to do.
            watch: is shown every row of metrics.
            stop: is asked after every report whether to save and stop.

        Raises:
            shared.runs.training.Stopped: when told to stop, once a checkpoint is written.
            UserError: if the training cannot be done or diverges, or the folder holds something else.
        """
        suite = self._suite_of(job.experiment)
        request = requested(job.argv, suite)
        choice, path = request.choice, Path(job.folder)
        begun = os.path.lexists(path / CONFIG)
        if begun:
            refuse_another(Run(path).read_config(), list(job.argv), suite, path)
            if Run(path).finished:
                return
        trainer = self._trainer_for(job, request)
        run = Watched.open(path) if begun else Watched.claim(path)
        with contextlib.closing(run):
            run.watch, run.trainer = watch, trainer
            if begun:
                try:
                    whole_run.carry_out(run, choice, trainer, resume=True, keras=request.keras, show=False, stop=stop)
                    return
                except checkpoint.NoCheckpoint:  # it was killed before its first one
                    run.trainer = trainer = self._trainer_for(job, request)
            config = whole_run.config_of(suite, choice, [*job.argv, "--out", job.folder])
            run.begin(config, choice.experiment.weights_name)
            whole_run.carry_out(run, choice, trainer, keras=request.keras, show=False, stop=stop)

    def _trainer_for(self, job, request):
        choice = request.choice
        settings = dataclasses.replace(choice.settings, seed=0)
        key = (job.experiment, choice.experiment.name, choice.engine, settings, request.start)
        warm = self._trainer if key == self._key else None
        self._key, self._trainer = None, None
        if warm is None:
            # Layers are named by how many there have been: in a process of its own the run would have the same names.
            keras.utils.clear_session()
        self._trainer = whole_run.trainer_for(choice, Path(job.folder), request.start, warm)
        self._key = key
        return self._trainer


perform = Warm().perform  # what this process has compiled stays for its next job
