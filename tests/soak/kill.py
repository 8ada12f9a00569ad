"""Trainings that are killed again and again, and resumed: in the end each has to be as if nothing had happened.

Most runs are made in one process by a trainer that was compiled once, and end by an exception after which nothing
reaches the disk; half of these lose what was not forced to the disk as well, as in a power cut. Every tenth run is a
real command, ended by SIGKILL. Where: right before each thing that a training does to its files, one after the other;
then up to four times more, anywhere or after training was over.
"""

import contextlib
import csv
import dataclasses
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from catch_dqn.experiment import CatchExperiment
from catch_dqn.presets import CATCH_TUTORIAL
from shared.commands import train
from shared.errors import UserError
from shared.runs.suite import Suite

from . import disk

ROOT = Path(__file__).parents[2]
REAL = 10  # every so many runs one is a real command
MOST_KILLS = 5  # of one run
SMALL = ("--hidden", "8", "--batch-size", "8")
COMMANDS = {
    "catch_dqn.train": (*SMALL, "--episodes", "60"),
    "cartpole_dqn.train": ("--variant", "tabular", "--episodes", "60"),
    "lunar_pg.train": ("--env", "cartpole", "--iterations", "4"),
    "shared.dqn": ("--env", "CartPole-v1", "--steps", "1500", "--hidden", "8"),
}
NOTES = "notes.txt"  # a file of the user's in the run's folder
TIMES = ("seconds",)  # columns and entries that differ from run to run


class WarmExperiment(CatchExperiment):
    """Catch by a trainer that is compiled once, and begins each run as it was at first."""

    made: list = []

    def trainer(self, settings, engine):
        """The one trainer."""
        if not self.made:
            self.made.append(super().trainer(settings, engine))
        return self.again(self.made[0], settings, engine)


WARM = Suite("catch_dqn", {"catch": WarmExperiment("catch", "Catch", {"tutorial": CATCH_TUTORIAL})})


@dataclasses.dataclass
class Report:
    """What became of the runs."""

    runs: int = 0
    kills: int = 0
    power_cuts: int = 0
    resumed: int = 0
    begun_again: int = 0
    faults: list[str] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.runs} runs: {self.kills} kills, {self.power_cuts} power cuts, resumed {self.resumed} times, "
                f"begun again {self.begun_again} times (killed before the first checkpoint)",
                f"faults: {len(self.faults)}",
                *self.faults,
            ]
        )


class Warm:
    """Runs in this process."""

    def __init__(self):
        disk.watch()
        disk.save_often()

    def __call__(self, folder, words, at, phase, power=None):
        """Train; returns whether it came to its end, and how many changes there were. Raises `UserError`."""
        watching = disk.Disk(folder, at, phase)
        try:
            with watching, contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                train.train([*COMMANDS["catch_dqn.train"], *words], WARM)
        except disk.Killed:
            if power is not None:
                watching.cut_power(power)
            return False, watching.changes
        return True, watching.changes


class Command:
    """Runs of a real command in a process of its own."""

    def __init__(self, module):
        self.module = module

    def __call__(self, folder, words, at, phase, power=None):
        """As `Warm`."""
        command = [sys.executable, "-m", "tests.soak.disk", phase, str(at if at is not None else 10**9), str(folder)]
        arguments = [self.module, *COMMANDS[self.module], *words]
        done = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True)
        if done.returncode == 2:
            raise UserError(done.stderr.strip().splitlines()[-1])
        if done.returncode not in (0, -9):
            raise RuntimeError(f"status {done.returncode}: {done.stderr[-300:]}")
        changes = Path(f"{folder}.changes")
        return done.returncode == 0, int(changes.read_text()) if done.returncode == 0 else 0


def kill(runs: int, seed: int, real: int = REAL, say: Callable[[str], None] = lambda text: None) -> Report:
    """Kill and resume so many runs.

    Args:
        runs: how many.
        seed: where they are killed comes from it.
        real: every so many runs one is a real command; 0: none.
        say: is given the report now and then.
    """
    report, warm, wanted, changes = Report(), Warm(), {}, {}
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        for number in range(runs):
            rng = np.random.default_rng([seed, number])
            module, program = None, warm
            if real and number % real == real - 1:
                module = list(COMMANDS)[number // real % len(COMMANDS)]
                program = Command(module)
            if module not in wanted:
                folder = place / f"unbroken{len(wanted)}"
                changes[module] = program(folder, ["--out", str(folder)], None, "whole")[1]
                wanted[module] = left_in(folder)
            at = number % changes[module] if module is None else int(rng.integers(changes[module]))
            folder = place / f"run{number}"
            try:
                _one(report, program, folder, at, changes[module], rng)
                found = left_in(folder)
                report.faults += [
                    f"run {number} ({module or 'warm'}): {name} differs"
                    for name in sorted(found.keys() | wanted[module].keys())
                    if name != NOTES and found.get(name) != wanted[module].get(name)
                ]
                if found.get(NOTES, "mine") != "mine":
                    report.faults.append(f"run {number}: the user's notes are not what they were")
            except Exception as error:
                report.faults.append(f"run {number} ({module or 'warm'}): {type(error).__name__}: {error!s:.300}")
            report.runs += 1
            if number % 50 == 49:
                say(str(report))
    return report


def _one(report, program, folder, at, changes, rng):
    """One run, from its beginning to its end, by what a person would do after each kill."""
    phase, kills, words = "whole", int(rng.integers(1, MOST_KILLS + 1)), ["--out", str(folder)]
    while True:
        power = rng if rng.random() < 0.5 and isinstance(program, Warm) else None
        try:
            ended, _ = program(folder, words, at, phase, power)
        except UserError as error:
            if "this run is finished" in str(error):
                return
            if "no checkpoint to go on from" not in str(error) or "--overwrite" in words:
                raise
            words = ["--out", str(folder), "--overwrite"]
            report.begun_again += 1
            continue
        if ended:
            return
        report.kills += 1
        report.power_cuts += power is not None
        kills -= 1
        phase = disk.PHASES[int(rng.integers(2))]
        at = int(rng.integers(changes if phase == "whole" else 24)) if kills > 0 else None
        words = ["--out", str(folder)]
        if (folder / "config.json").exists():
            (folder / NOTES).write_text("mine")
            words = ["--resume", str(folder)]
            report.resumed += 1


def left_in(folder: Path) -> dict[str, object]:
    """What a finished run holds, by name, without times and without the checkpoints that a late kill leaves."""
    left = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".csv":
            with path.open(newline="") as file:
                left[path.name] = [
                    {key: value for key, value in row.items() if key not in TIMES} for row in csv.DictReader(file)
                ]
        elif path.name == "summary.json":
            left[path.name] = {key: v for key, v in json.loads(path.read_text()).items() if key not in TIMES}
        elif path.name == NOTES:
            left[path.name] = path.read_text()
        elif path.is_file() and path.name != "config.json":  # which holds the command and the time
            left[path.name] = path.read_bytes()
    return left
