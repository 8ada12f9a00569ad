"""What whole commands take, from the shell to the finished run: `python -m benchmarks command`.

T1's training with its import, compilation, evaluation and files, against the matrix products of its 58,500 steps alone
and against the tutorial's own way, whose seconds a step are measured and multiplied; and our training to a perfect
Catch agent.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.engine import SIZES, T1, layers
from benchmarks.measuring import Measuring, Part, Row, Timer


def whole_command(*words: str) -> Callable[[], float]:
    """A timer: seconds of `python -m catch_dqn.train` with some arguments."""

    def seconds() -> float:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "catch_dqn.train", *words, "--out", str(Path(folder) / "run")]
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            return time.perf_counter() - began

    return seconds


def rows(config: Measuring) -> list[Row]:
    """What is compared."""
    games, fits, rounds = (40, 2, 200) if config.quick else (T1.episodes, 20, 20_000)
    steps, size = 9 * games, next(iter(SIZES))
    whole = Timer("command", "benchmarks.command_line:whole_command", ("--episodes", str(games)))
    perfect = Timer("command", "benchmarks.command_line:whole_command", ("--preset", "tuned"))
    arithmetic = Timer("NumPy", "benchmarks.products:in_numpy", (layers(T1), rounds), steps)
    fit = Timer("Keras", "benchmarks.engine:fit_per_step", (size, fits), steps)
    what = f"the training command, T1, {games:,} games"
    return [
        Row(what, whole, "its products in NumPy", arithmetic),
        Row(what, whole, f"Keras, fit per step, from {fits} steps", fit),
        Row("the training command, Catch, tuned", perfect),
    ]


PART = Part("whole commands: T1's training against its matrix products and Keras' fit, and Catch, tuned", rows)
