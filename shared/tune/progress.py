"""How far a tuning is: a bar on a terminal, and a line that stays for each trial."""

import sys

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from shared.errors import printable
from shared.runs.progress import SteadyConsole


class TuningProgress:
    """Shows how many trials are over, and how far the one is that goes on. Use it as a context manager.

    Args:
        total: trials in all.
        done: those that are over.
    """

    def __init__(self, total: int, done: int) -> None:
        self._console = SteadyConsole(highlight=False)
        self._total, self._done = total, done
        self._bar: Progress | None = None
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._bar = Progress(
                TextColumn("trials"),
                BarColumn(),
                TextColumn("{task.fields[figures]}", markup=False),
                TimeRemainingColumn(compact=True),
                console=self._console,
                redirect_stderr=sys.stderr is not None and sys.stderr.isatty(),  # warnings stand above the bar
            )
            self._task = self._bar.add_task("trials", total=total, completed=done, figures=f"{done} of {total}")

    def __enter__(self):
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_):
        if self._bar:
            self._bar.stop()

    def update(self, done: int, share: float, now: str) -> None:
        """Show that `done` trials are over, and of the next one a `share`; `now` says how it goes."""
        if self._bar:
            done = min(done, self._total - 1)
            self._bar.update(self._task, completed=done + share, figures=f"{done} of {self._total}  {now}")

    def say(self, line: str) -> None:
        """Print a line that stays, above the bar."""
        self._console.print(printable(line), soft_wrap=True, markup=False)
