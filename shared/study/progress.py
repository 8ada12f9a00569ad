"""How far a study is: a bar for all runs and one for each that is going on; plain lines where there is no terminal."""

import sys
from typing import Any

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from shared.errors import say, warn
from shared.runs.progress import SteadyConsole
from shared.study.job import Job
from shared.study.pool import Event

SHOWN = ("score", "loss")  # metrics that stand beside a run's bar


class StudyProgress:
    """Shows the events of a pool. Use it as a context manager.

    Args:
        total: runs in all.
        done: runs that were finished before.
    """

    def __init__(self, total: int, done: int) -> None:
        self.total, self.done = total, done
        self._console = SteadyConsole(highlight=False)
        self._bar: Progress | None = None
        self._tasks: dict[Job, TaskID] = {}
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[figures]}", markup=False),
                TimeRemainingColumn(compact=True),
                console=self._console,
                redirect_stderr=sys.stderr is not None and sys.stderr.isatty(),  # warnings stand above the bars
            )
            self._all = self._bar.add_task("all runs", total=total, completed=done, figures=self._count())

    def __enter__(self):
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_):
        if self._bar:
            self._bar.stop()

    def show(self, event: Event) -> None:
        """Show what became of a job."""
        name = name_of(event.job)
        if event.kind == "told":
            warn(f"{name}: {event.text}")
        elif event.kind == "lost":
            warn(f"{name}: its process died ({event.text}); the run goes on in another one")
        elif event.kind == "failed":
            warn(f"{name}: failed: {event.text}")
        if event.kind in ("ended", "failed"):
            self.done += 1
        if self._bar:
            self._show_bar(self._bar, event, name)
        elif event.kind == "ended":
            say(f"{name}: finished, {self._count()}")

    def say(self, line: str) -> None:
        """Print a line that stays, above the bars."""
        self._console.print(line, soft_wrap=True, markup=False)

    def _count(self):
        return f"{self.done} of {self.total} runs"

    def _show_bar(self, bar: Progress, event: Event, name: str) -> None:
        if event.kind == "began":
            self._tasks[event.job] = bar.add_task(name, total=1.0, figures="")
        elif event.kind == "row":
            known: dict[str, Any] = {key: event.row[key] for key in SHOWN if key in event.row}
            figures = "  ".join(f"{key} {value:.4g}" for key, value in known.items())
            bar.update(self._tasks[event.job], completed=event.share, figures=figures)
        elif event.kind != "told":
            bar.remove_task(self._tasks.pop(event.job))
        going_on = sum(task.completed for task in bar.tasks if task.id != self._all)
        bar.update(self._all, completed=self.done + going_on, figures=self._count())


def name_of(job: Job) -> str:
    """What a run is called."""
    return f"{job.setting}, seed {job.seed}"
