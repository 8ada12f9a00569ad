"""A study whose processes are all killed, again and again, and that is called again: it has to end as an unbroken one.

    python -m tests.soak.study ARGUMENTS...

runs `python -m shared.study ARGUMENTS...` with checkpoints at every report; with `worker` as its only argument, one of
its processes.
"""

import csv
import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from shared.study import __main__ as command
from shared.study import pool

from . import disk, kill

ROOT = Path(__file__).parents[2]
GRID = ("learning_rate=0.01,0.003", "optimizer=sgd,adam")  # four settings
FLAGS = ("--episodes", "400", "--hidden", "16", "--batch-size", "16")
EARLY = 0.2  # of the kills come while the processes are starting
START = 4.0  # seconds, about, that they take


@dataclasses.dataclass
class Report:
    """What became of the study."""

    runs: int = 0
    kills: int = 0
    finished_at_kills: list[int] = dataclasses.field(default_factory=list)
    faults: list[str] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        told = f"{self.runs} runs, {self.kills} kills, when so many were finished: {self.finished_at_kills}"
        return "\n".join([told, f"faults: {len(self.faults)}", *self.faults])


def study(words: Sequence[str], kills: int, seed: int, say: Callable[[str], None] = lambda text: None) -> Report:
    """Make a study twice, unbroken and killed so many times, and compare all that they leave.

    Args:
        words: of the study's command line, before its --out.
        kills: of all of its processes.
        seed: when they come is drawn from it.
        say: is given the report now and then.
    """
    rng, report = np.random.default_rng(seed), Report()
    with tempfile.TemporaryDirectory() as place:
        whole, broken = Path(place) / "whole", Path(place) / "broken"
        began = time.monotonic()
        _end(_begin(whole, words))
        share = max(0.0, time.monotonic() - began - START) / (kills + 1)
        say(f"unbroken: {time.monotonic() - began:.0f} s")
        while report.kills < kills:
            process = _begin(broken, words)
            if rng.random() < EARLY:
                time.sleep(rng.uniform(0, START))
            else:
                before = _changes(broken)
                while process.poll() is None and _changes(broken) == before:
                    time.sleep(0.02)
                time.sleep(rng.uniform(0, share))
            if process.poll() is not None:
                break
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            report.kills += 1
            report.finished_at_kills.append(len(list(broken.rglob("summary.json"))))
            say(str(report))
        _end(_begin(broken, words))
        found, wanted = _left_in(broken), _left_in(whole)
        report.runs = len(wanted["study.csv"])
        report.faults += [
            f"{name} differs" for name in sorted(found.keys() | wanted.keys()) if found.get(name) != wanted.get(name)
        ]
    return report


def _begin(folder, words):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.soak.study", "catch_dqn", *words, "--out", str(folder), "--", *FLAGS],
        cwd=ROOT,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _end(process):
    told, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"status {process.returncode}: {told[-500:]}")


def _changes(folder):
    """Something that is another thing whenever a run has gone on."""
    return [(str(path), path.stat().st_mtime_ns) for path in sorted(folder.rglob("seed*/*.csv"))]


def _left_in(folder):
    """What a study leaves, by name, without times."""
    left = {}
    with (folder / "study.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
        left["study.csv"] = [{key: value for key, value in row.items() if key not in kill.TIMES} for row in rows]
    for line in (folder / "study.md").read_text().splitlines():
        cells = line.split("|")
        left[f"study.md: {cells[1] if len(cells) > 1 else line}"] = cells[:-2]  # the last column is time
    for name in ("curves.png", "profiles.png"):
        left[name] = (folder / name).read_bytes()
    for run in sorted(folder.rglob("seed*")):
        left |= {f"{run.relative_to(folder)}/{name}": what for name, what in kill.left_in(run).items()}
    return left


def main(argv):
    """Run the study, or one of its processes."""
    if argv == ["worker"]:
        disk.save_often()
        pool.worker.main()
        return 0
    pool.WORKER = ("tests.soak.study", "worker")
    return command.main(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
