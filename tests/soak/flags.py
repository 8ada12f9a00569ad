"""Command lines drawn at random: each has to train, or say in one line why not, or stop and go on when told to."""

import contextlib
import dataclasses
import io
import signal
import tempfile
import unittest.mock
from collections.abc import Callable
from pathlib import Path

import numpy as np

from catch_dqn.experiment import SUITE
from shared.commands import train
from shared.errors import TERMINATED, UserError, one_line
from shared.options import LARGEST, flag, value_types
from shared.runs import training

SMALL = {"hidden": 32, "num_envs": 16, "batch_size": 32, "replay_capacity": 500, "n_step": 20, "atoms": 20}
SMALL |= {"learning_rate": 0.01, "learning_rate_end": 0.01}
BRIEF = ("--episodes", "30", "--steps", "400", "--hidden", "8", "--batch-size", "4")  # unless drawn otherwise
MOST_FLAGS = 6
EXTREME = 0.1  # of the values are the ends of what may be, or beyond


@dataclasses.dataclass
class Report:
    """What the command lines came to."""

    trained: int = 0
    refused: int = 0
    resumed: int = 0
    faults: list[str] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        told = f"{self.trained} trained, {self.resumed} of them stopped and resumed, {self.refused} refused in one line"
        return "\n".join([told, f"faults: {len(self.faults)}", *self.faults])


def flags(lines: int, seed: int, say: Callable[[str], None] = lambda text: None) -> Report:
    """Train Catch by so many command lines; half of the trainings are told to stop at their first report."""
    report = Report()
    with tempfile.TemporaryDirectory() as place:
        for number in range(lines):
            rng = np.random.default_rng([seed, number])
            words = drawn(rng)
            try:
                _one(report, words, Path(place) / str(number), stop=rng.random() < 0.5)
            except Exception as error:
                report.faults.append(f"{' '.join(words)}: {type(error).__name__}: {error!s:.300}")
            if number % 20 == 19:
                say(str(report))
    return report


def drawn(rng: np.random.Generator) -> list[str]:
    """Some flags with values, as words of a command line."""
    settings_class = type(SUITE.find(None).first_settings)
    fields = [field for field in dataclasses.fields(settings_class) if field.name not in ("seed", "episodes", "steps")]
    words = list(BRIEF)
    for i in rng.choice(len(fields), size=int(rng.integers(1, MOST_FLAGS + 1)), replace=False):
        words += _flag(fields[i], *value_types(settings_class)[fields[i].name][:2], rng)
    return [*words, *(["--engine", "readable"] if rng.random() < 0.2 else [])]


def _flag(field, kind, several, rng):
    low, high = field.metadata["low"], field.metadata["high"]
    if kind is bool:
        return [flag(field.name) if rng.random() < 0.5 else f"--no-{flag(field.name)[2:]}"]
    if field.metadata["choices"]:
        return [flag(field.name), str(rng.choice(list(field.metadata["choices"])))]
    if rng.random() < EXTREME:
        ends = (low, high, LARGEST, LARGEST + 1, -1, "nan", "inf", "x", "", "1e9")
        return [flag(field.name), str(ends[int(rng.integers(len(ends)))])]
    low, high = -10.0 if low is None else low, SMALL.get(field.name, 200) if kind is int or high is None else high
    values = [
        rng.integers(low, high + 1) if kind is int else rng.uniform(low, high) for _ in range(3 if several else 1)
    ]
    return [flag(field.name), *(str(value.item() if kind is int else round(float(value), 6)) for value in values)]


def _one(report, words, folder, stop):
    update = training.TrainingProgress.update

    def stopped_at_once(self, done, figures):
        update(self, done, figures)
        signal.raise_signal(signal.SIGTERM)  # SIGINT is ignored in the background

    try:
        with unittest.mock.patch.object(training.TrainingProgress, "update", stopped_at_once if stop else update):
            status = _train(["--out", str(folder), *words])
    except UserError as error:
        diverged = "the loss was" in str(error)  # which keeps the run
        if len(one_line(error)) > 500 or folder.exists() != diverged:
            raise AssertionError(f"left {folder} or was long: {one_line(error)}") from None
        report.refused += 1
        return
    report.trained += 1
    if stop:
        if status != TERMINATED:
            raise AssertionError(f"stopped, and the status is {status}")
        status = _train(["--resume", str(folder)])
        report.resumed += 1
    if status != 0 or not (folder / "summary.json").exists():
        raise AssertionError(f"status {status}")


def _train(words):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return train.train(words, SUITE)
