"""How far a study is: a bar for all runs and one for each that is going on; plain lines where there is no terminal."""

from typing import Any

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from shared.errors import say, warn
from shared.runs.progress import Bars
from shared.study.job import Job
from shared.study.pool import Event

SHOWN = ("score", "loss")  # metrics that stand beside a run's bar


class StudyProgress(Bars):
    """Shows the events of a pool. Use it as a context manager.

    Args:
        total: runs in all.
        done: runs that were finished before.
    """

    def __init__(self, total: int, done: int) -> None:
        super().__init__(TextColumn("{task.description}", markup=False), BarColumn())
        self.total, self.done = total, done
        self._tasks: dict[Job, TaskID] = {}
        if self._bar:
            self._all = self._bar.add_task("all runs", total=total, completed=done, figures=self._count())

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
