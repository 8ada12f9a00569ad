"""How far a tuning is: a bar on a terminal, and a line that stays for each trial."""

from rich.progress import BarColumn, TextColumn

from shared.runs.progress import Bars


class TuningProgress(Bars):
    """Shows how many trials are over, and how far the one is that goes on. Use it as a context manager.

    Args:
        total: trials in all.
        done: those that are over.
    """

    def __init__(self, total: int, done: int) -> None:
        super().__init__(TextColumn("trials"), BarColumn())
        self._total = total
        if self._bar:
            self._task = self._bar.add_task("trials", total=total, completed=done, figures=f"{done} of {total}")

    def update(self, done: int, share: float, now: str) -> None:
        """Show that `done` trials are over, and of the next one a `share`; `now` says how it goes."""
        if self._bar:
            done = min(done, self._total - 1)
            self._bar.update(self._task, completed=done + share, figures=f"{done} of {self._total}  {now}")
