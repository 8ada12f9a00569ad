"""What a benchmark measures, and what it can be told."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from shared.options import check_limits, option


@dataclasses.dataclass(frozen=True, eq=False)
class Timer:
    """Something whose seconds are measured in a process of its own (`benchmarks.processes`).

    Args:
        process: which one; timers of one name share it.
        makes: `"module:function"` there. The function is called once, with `arguments`, and returns one that measures
            once: it takes nothing and returns seconds.
        arguments: what JSON can hold.
        times: how many of what was measured the figure stands for.
    """

    process: str
    makes: str
    arguments: tuple[Any, ...] = ()
    times: float = 1


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table: what takes how long here, and beside it the same or a part of it elsewhere."""

    what: str
    ours: Timer
    against: str = ""
    theirs: Timer | None = None

    @property
    def timers(self) -> list[Timer]:
        """Ours, and theirs where there is one."""
        return [self.ours] if self.theirs is None else [self.ours, self.theirs]


@dataclasses.dataclass(frozen=True)
class Part:
    """Rows that are measured together.

    Args:
        about: one line for `--help`.
        rows: (settings) -> the rows.
    """

    about: str
    rows: Callable[["Measuring"], list[Row]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measuring:
    """How a benchmark measures, and against whom."""

    repeats: int = option(5, "measurements of each; medians are printed", low=1, high=1000)
    quick: bool = option(False, "measure each once and briefly: shows that all works, its figures say nothing")
    python: str | None = option(None, "the Python that has Stable-Baselines3 and JAX (default: this one)")
    purejaxrl: str | None = option(None, "the path of PureJaxRL's dqn.py (default: without it)")
    threads: int | None = option(None, "threads of PyTorch (default: as it likes)", low=1, high=1024)

    def __post_init__(self) -> None:
        check_limits(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seeds:
    """How many trainings of a kind."""

    seeds: int = option(10, "trainings of each kind, with the seeds 0, 1, 2 and so on", low=1, high=1000)

    def __post_init__(self) -> None:
        check_limits(self)


def step_of(trainer: Any, steps: int) -> Callable[[], float]:
    """A timer: seconds an environment step of a training takes, over some steps; it goes on where it was.

    Args:
        trainer: a `shared.runs.trainer.Trainer`; it begins here.
        steps: at least so many in a measurement.
    """
    state, _ = trainer.run(trainer.start())  # compiles

    def seconds() -> float:
        nonlocal state
        began, before = time.perf_counter(), state.steps
        while state.steps < before + steps:
            state, _ = trainer.run(state)
        return (time.perf_counter() - began) / (state.steps - before)

    return seconds
