"""Progress of long work: a live bar on a terminal and in a notebook, a plain line now and then elsewhere."""

import html
import sys
import time
from collections.abc import Mapping
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from shared.errors import printable
from shared.late import late
from shared.machine import in_notebook

ipython = late("IPython.display")

LINES = 20  # plain lines for a whole run, where there is no terminal


class SteadyConsole(Console):
    """A console that leaves the cursor alone, so that nothing is to be put right after Ctrl-Z, a second Ctrl-C or a
    kill.
    """

    def show_cursor(self, show=True):
        return False


class Bars:
    """Bars on a terminal, with lines that stay above them; elsewhere there is no bar. Use it as a context manager.

    Args:
        columns: of each bar, before its `figures` and the time that is left.
    """

    def __init__(self, *columns: ProgressColumn) -> None:
        self._console = SteadyConsole(highlight=False)
        self._bar: Progress | None = None
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._bar = Progress(
                *columns,
                TextColumn("{task.fields[figures]}", markup=False),
                TimeRemainingColumn(compact=True),
                console=self._console,
                redirect_stderr=sys.stderr is not None and sys.stderr.isatty(),  # warnings stand above the bars
            )

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def say(self, line: str) -> None:
        """Print a line that stays, above the bars."""
        self._console.print(printable(line), soft_wrap=True, markup=False)


class TrainingProgress(Bars):
    """Shows how far training is and the figures that a person watches. Use it as a context manager.

    Args:
        total: episodes in all.
        unit: what an episode is called ("games").
        done: episodes played before (a resumed run).
    """

    def __init__(self, total: int, unit: str, done: int = 0) -> None:
        self.total, self.unit = total, unit
        super().__init__(TextColumn(unit), BarColumn(bar_width=None), MofNCompleteColumn())
        self._in_notebook = ipython.display(self._html(done, "compiling"), display_id=True) if in_notebook() else None
        if self._bar:
            self._task = self._bar.add_task(unit, total=total, completed=done, figures="compiling")
        self._began, self._done_before = time.monotonic(), done
        self._printed = done * LINES // total

    def update(self, done: int, figures: Mapping[str, str]) -> None:
        """Show that `done` episodes are over, and a dict of figures already turned into text."""
        rate = (done - self._done_before) / max(time.monotonic() - self._began, 1e-9)
        figures = {f"{self.unit}/s": f"{rate:,.0f}", **figures}
        text = "  ".join(f"{name} {value}" for name, value in figures.items())
        if self._bar:
            self._bar.update(self._task, completed=done, figures=text)
        elif self._in_notebook:
            self._in_notebook.update(self._html(done, text))
        elif done * LINES // self.total > self._printed:
            self._printed = done * LINES // self.total
            print(f"{self.unit} {done}/{self.total}  {text}", flush=True)

    def _html(self, done, text):
        """The bar as a notebook shows it."""
        count = f"{min(done, self.total)}/{self.total}"
        bar = f'<progress value="{done}" max="{self.total}" style="width: 40%"></progress>'
        return ipython.HTML(f"{bar} {self.unit} {count} &nbsp; {html.escape(text)}")


class Silence:
    """Shows nothing; as a `TrainingProgress` is used."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def update(self, done: int, figures: Mapping[str, str]) -> None:
        """Nothing."""

    def say(self, line: str) -> None:
        """Nothing."""
