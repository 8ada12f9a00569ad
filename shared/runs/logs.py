"""The rows of `metrics.csv` in TensorBoard, Trackio or Weights & Biases too, for who likes to look at them there.

`metrics.csv` stays the truth. A log is made anew from it whenever a training goes on, so that it has one value for each
step, whatever was written before a kill or after the last checkpoint. Whatever goes wrong with a log is one warning.
"""

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.errors import UserError, warn
from shared.late import is_installed, load
from shared.names import SINKS
from shared.runs.sinks import About, Sink


def require(names: Sequence[str]) -> None:
    """Raise `UserError` for the first of some sinks whose package is not installed."""
    for name in names:
        if not is_installed(name):
            raise UserError(f'--log {name}: {name} is not installed; run pip install ".[{name}]", or leave it out')


def clear(folder: Path, names: Iterable[str] = tuple(SINKS)) -> None:
    """Remove the logs in a run's folder: the files that go by their libraries' names, and folders that become empty."""
    for name in names:
        top, leaves = folder / name, load(SINKS, name).leaves
        if top.is_symlink():
            continue
        for place, folders, files in os.walk(top, topdown=False):
            for path in (Path(place) / one for one in (*files, *folders)):
                if path.is_dir() and not path.is_symlink():
                    with contextlib.suppress(OSError):
                        path.rmdir()
                elif leaves.fullmatch(path.relative_to(top).as_posix()):
                    path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            top.rmdir()


class Logs:
    """The logs of a run, in the sitting of a training that is going on.

    Args:
        folder: of the run.
        names: of the sinks, as in `shared.names.SINKS`.
        read_config, read_metrics: give what the run's `config.json` and `metrics.csv` hold by then.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        read_config: Callable[[], dict[str, Any]],
        read_metrics: Callable[[], list[dict[str, float]]],
    ) -> None:
        self._folder, self._names = folder, names
        self._read_config, self._read_metrics = read_config, read_metrics
        self._sinks: dict[str, Sink] | None = None  # None: not begun
        self._began = 0.0  # when the training would have begun if it had never been cut, seconds since 1970

    def add(self, row: Mapping[str, Any]) -> None:
        """Show a row that was added to `metrics.csv`; the first one brings along all that stand before it."""
        if not self._begin():
            self._show(row)

    def finish(self, steps: int, result: Mapping[str, float], games: Callable[[], bytes]) -> None:
        """Show what the evaluation at the end came to.

        Args:
            steps: environment steps of the whole training.
            result: numbers by name.
            games: makes an animated GIF of games of the evaluation; is called only if there is a log.
        """
        self._begin()
        if not self._sinks:
            return
        numbers = {f"evaluation/{name}": value for name, value in _finite(result).items()}
        self._each(lambda sink: sink.add(steps, numbers, time.time()))
        try:
            gif = games()
        except Exception as error:  # whatever drawing a stranger's environment may raise
            warn(f"--log: the games cannot be shown ({error})")
            return
        self._each(lambda sink: sink.add_games(steps, "evaluation/games", gif))

    def close(self) -> None:
        """Write what is still to be written."""
        self._each(lambda sink: sink.close())
        self._sinks = {}

    def _begin(self):
        """Begin the logs with all rows that there are; whether that was still to be done."""
        if self._sinks is not None or not self._names:
            return False
        self._sinks = {}
        try:
            rows, config = self._read_metrics(), self._read_config()
        except UserError as error:
            warn(f"--log {','.join(self._names)}: {error}")
            return True
        self._began = time.time() - (rows[-1].get("seconds", 0.0) if rows else 0.0)
        about = About(str(config.get("experiment")), self._folder.absolute().name, config)
        for name in self._names:
            with self._without(name):
                clear(self._folder, [name])
                self._sinks[name] = load(SINKS, name)(self._folder, about)
        for row in rows:
            self._show(row)
        return True

    def _show(self, row):
        numbers = _finite(row)
        step, at = int(numbers.pop("steps", 0)), self._began + numbers.get("seconds", 0.0)
        self._each(lambda sink: sink.add(step, numbers, at))

    def _each(self, do):
        for name, sink in list((self._sinks or {}).items()):
            with self._without(name):
                do(sink)

    @contextlib.contextmanager
    def _without(self, name):
        """Go on without a sink that fails."""
        try:
            yield
        except Exception as error:  # a library's own, of any kind
            if self._sinks is not None:
                self._sinks.pop(name, None)
            warn(f"--log {name}: {error}; the training goes on without this log, metrics.csv has everything")


def _finite(values):
    """The numbers among some values by name, which may be written as text."""
    found = {}
    for name, value in values.items():
        with contextlib.suppress(TypeError, ValueError):
            if math.isfinite(number := float(value)):
                found[name] = number
    return found
