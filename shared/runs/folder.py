"""What a run leaves behind: a folder that a person can look at.

`runs/<experiment>/<name>/` holds `config.json` (settings, versions, command line), `metrics.csv` (a row per report),
`episodes.csv` (a row per episode), `curve.png`, the weights, the architecture and `summary.json` (the final evaluation,
written last: a run is finished when it is there). While training goes on there are also checkpoints.

Only what goes by these names is ever replaced or removed. A folder may come from anybody: what its files say is checked
before it is used.
"""

import contextlib
import csv
import errno
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from shared import files
from shared.errors import UserError, warn
from shared.late import late
from shared.runs import checkpoint, logs

filelock = late("filelock")

ROOT = Path("runs")
CONFIG, METRICS, EPISODES, SUMMARY, LOCK = "config.json", "metrics.csv", "episodes.csv", "summary.json", ".lock"
TABLES = (METRICS, EPISODES)  # grow while training goes on
CURVE, ARCHITECTURE, WHOLE_MODEL = "curve.png", "model.yaml", "model.keras"


class Run:
    """An open run folder; only one process at a time holds it."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock: Any = None  # a `filelock.FileLock`, once it is taken
        self._made: list[Path] = []  # the folders that were made for it, the innermost first
        self.logs = self._logs_by(())  # other places where the rows of `metrics.csv` are shown

    @classmethod
    def claim(cls, path: str | Path, overwrite: bool = False) -> Self:
        """Make sure that a new run can go into a folder; nothing that is there is touched before `begin`.

        Args:
            path: the folder; it may exist, but hold nothing, unless it is a run and `overwrite` is set.
            overwrite: a run that is there may be replaced.

        Raises:
            UserError: if the folder cannot be written or already holds something.
        """
        if not os.fspath(path):
            raise UserError("the path of the run is empty; name a folder")
        run = cls(path)
        try:
            run._refuse_what_is_there(overwrite)
            missing = [folder for folder in (run.path, *run.path.parents) if not folder.exists()]
            run.path.mkdir(parents=True, exist_ok=True)
            run._made = missing
            run._take_lock()
            run._refuse_what_is_there(overwrite)  # again: another process may have been here meanwhile
        except OSError as error:
            raise files.user_error(path, error) from None
        return run

    def begin(self, config: Mapping[str, Any], weights_name: str) -> None:
        """Start the run in a folder that was claimed: what an earlier one left is removed, `config.json` is written.

        Args:
            config: a JSON object.
            weights_name: of the weights that the run is going to leave.
        """
        try:
            files.remove_written(self.path, (SUMMARY, weights_name, ARCHITECTURE, WHOLE_MODEL, CURVE, *TABLES))
            checkpoint.remove(self.path)
            logs.clear(self.path)
        except OSError as error:
            raise files.user_error(self.path, error) from None
        self.write_json(CONFIG, config)

    def log_to(self, names: Sequence[str]) -> None:
        """From now on show the rows of `metrics.csv` in these sinks too (`shared.names.SINKS`)."""
        self.logs = self._logs_by(names)

    def _logs_by(self, names):
        return logs.Logs(self.path, names, self.read_config, self.read_metrics)

    def release(self) -> None:
        """Give up a folder that was claimed and not begun; it is removed if it was made for that."""
        self.close()
        (self.path / LOCK).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            for folder in self._made:
                folder.rmdir()

    def close(self) -> None:
        """Let other processes have the folder."""
        self.logs.close()
        self._lock.release()

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a run that was begun before, to go on with it.

        Raises:
            UserError: if there is none, it is finished, cannot be written or another process is at it.
        """
        run = cls(path)
        run.read_config()
        if run.finished:
            raise UserError(f"{run.path}: this run is finished; watch it with --weights, or start another with --out")
        try:
            run._refuse_links()
            if not os.access(run.path, os.W_OK):
                raise PermissionError(errno.EACCES, "not allowed")
            run._take_lock()
            files.remove_written(run.path, ())  # what a kill left half written
        except OSError as error:
            raise files.user_error(run.path, error) from None
        return run

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return os.path.lexists(self.path / SUMMARY)

    def read_config(self) -> dict[str, Any]:
        """The JSON object in `config.json`; what it says may be anything."""
        return self._read_json(CONFIG)

    def read_summary(self, *names: str) -> dict[str, float]:
        """What `summary.json` says: a dict of numbers, NaN for what nobody knows.

        Raises:
            UserError: if it is none, or `names` are not all in it.
        """
        summary = self._read_json(SUMMARY)
        try:
            found = {name: np.nan if value is None else float(value) for name, value in summary.items()}
        except (TypeError, ValueError, OverflowError):
            found = {}
        if not {"mean_score", "steps", "seconds", *names} <= found.keys():
            raise UserError(f"{self.path / SUMMARY}: not the summary of a run; train it again with --overwrite")
        return found

    def _read_json(self, name):
        path = self.path / name
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"{self.path}: this is a file; give the folder of a run")
        if not os.path.lexists(path):
            raise UserError(f"{self.path}: holds no run ({name} is missing); give the folder of a run")
        held = files.read_json(path)
        if not isinstance(held, dict):
            raise UserError(f"{path}: not of a run; give the folder of a run")
        return held

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Write a JSON object as a file of the run."""
        files.write_json(self.path / name, value)

    def add_metrics(self, row: Mapping[str, Any]) -> None:
        """Append one row (a dict) to `metrics.csv`; the first row names the columns.

        Raises:
            UserError: if the file cannot be written, or has other columns.
        """
        self._append(METRICS, tuple(row), [",".join(map(str, row.values()))])
        self.logs.add(row)

    def add_episodes(self, first: int, steps: np.ndarray, scores: np.ndarray, lengths: np.ndarray) -> None:
        """Append to `episodes.csv` a row for each episode that ended, all at once.

        Args:
            first: the number of the first of them, from 1 on.
            steps: environment steps taken when each ended, int [E].
            scores: returns, float [E].
            lengths: steps of each, int [E].

        Raises:
            UserError: as `add_metrics`.
        """
        columns = (range(first, first + len(steps)), steps.tolist(), scores.tolist(), lengths.tolist())
        rows = [f"{number},{step},{score:.7g},{length}" for number, step, score, length in zip(*columns, strict=True)]
        self._append(EPISODES, ("episode", "steps", "return", "length"), rows)

    def _append(self, name, columns, rows):
        path, heading = self.path / name, ",".join(columns) + "\n"
        try:
            with path.open("a+", encoding="utf-8", errors="replace") as file:
                file.seek(0)
                there = file.readline(files.JSON_LIMIT)
                if there not in ("", heading):
                    raise UserError(f"{path}: has other columns than this training; move it away to go on without it")
                file.write("\n".join([*([] if there else [heading[:-1]]), *rows, ""]))
        except OSError as error:
            raise files.user_error(path, error) from None

    def sync(self, name: str) -> int:
        """Wait until the disk has one of `TABLES`; returns its size in bytes.

        A checkpoint notes it, and a resumed run cuts the file back to it.
        """
        path = self.path / name
        try:
            with path.open("r+b") as file:
                os.fsync(file.fileno())
                files.sync_directory(self.path)
                return file.seek(0, os.SEEK_END)
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise files.user_error(path, error) from None

    def cut(self, name: str, size: int) -> None:
        """Forget the rows of one of `TABLES` that were written after a checkpoint, which has noted `size`.

        Where rows are missing that were there then, the run goes on from those that are there, with a warning.
        """
        path = self.path / name
        try:
            with path.open("r+b") as file:
                held = file.seek(0, os.SEEK_END)
                if held < size:
                    file.seek(0)
                    size = file.read().rfind(b"\n") + 1  # without half a row
                    warn(f"{path}: shorter than when the run was saved; rows will be missing in it")
                file.truncate(size)
        except FileNotFoundError:
            if size:
                warn(f"{path}: is missing; it will begin where the run goes on")
        except OSError as error:
            raise files.user_error(path, error) from None

    def read_metrics(self) -> list[dict[str, float]]:
        """The rows of `metrics.csv`, numbers as floats. What is no such row is left out, with a warning."""
        path, rows, damaged = self.path / METRICS, [], 0
        try:
            with path.open(newline="", encoding="utf-8", errors="replace") as file:
                for row in csv.DictReader(file):
                    try:
                        rows.append({key: float(value) for key, value in row.items()})
                    except (TypeError, ValueError):  # too long or too short; no number
                        damaged += 1
        except FileNotFoundError:
            return []
        except (OSError, csv.Error) as error:
            raise UserError(f"{path}: cannot be read ({error}); move it away to go on without it") from None
        if damaged:
            warn(f"{path}: {damaged} rows are damaged and left out")
        return rows

    def save(self, number: int, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
        """Write a checkpoint (`shared.runs.checkpoint.save`)."""
        checkpoint.save(self.path, number, arrays, facts)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write `summary.json` and remove the checkpoints."""
        self.write_json(SUMMARY, summary)
        with contextlib.suppress(OSError):
            checkpoint.remove(self.path)

    def _take_lock(self):
        self._lock = filelock.FileLock(self.path / LOCK, timeout=0, thread_local=False)
        try:
            self._lock.acquire()
        except filelock.Timeout:
            raise UserError(
                f"{self.path}: another process is training here; wait for it or give another --out"
            ) from None

    def _refuse_what_is_there(self, overwrite):
        if not os.path.lexists(self.path):
            return
        if not self.path.is_dir():
            raise UserError(f"{self.path}: this is a file; give the name of a folder")
        if not any(map(_counts, self.path.iterdir())):
            return
        if not self._is_run():
            raise UserError(f"{self.path}: not empty, and what it holds is no run; give another --out")
        if not overwrite:
            state, remedy = ("a finished", "") if self.finished else ("an unfinished", "--resume to go on, ")
            raise UserError(
                f"{self.path}: already holds {state} run; give {remedy}--overwrite to replace it, or another --out"
            )
        self._refuse_links()

    def _is_run(self):
        try:
            config = self.read_config()
        except UserError:
            return False
        return isinstance(config.get("experiment"), str) and isinstance(config.get("settings"), dict)

    def _refuse_links(self):
        """A run has none. In a folder from elsewhere a link could lead what is written to any file of the user's."""
        for path in self.path.iterdir():
            if path.is_symlink():
                raise UserError(f"{path}: a link, where a run has files of its own; remove it, or give another folder")


def _counts(path):
    """Whether a file makes a folder one that is in use: the lock and what was never finished do not."""
    return not (files.TEMPORARY.fullmatch(path.name) or (path.name == LOCK and path.stat().st_size == 0))


def new_folder(experiment: str, label: str) -> Path:
    """A folder name of its own for a run that was given none: `runs/<experiment>/<date>-<time>-<label>`."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    path, count = ROOT / experiment / f"{stamp}-{label}", 1
    while path.exists():
        count += 1
        path = ROOT / experiment / f"{stamp}-{label}-{count}"
    return path


def latest_run(
    experiment: str,
    finished: bool = True,
    root: str | Path = ROOT,
    wanted: Callable[[Run], Any] = lambda run: True,
) -> Path | None:
    """The folder of the newest run of an experiment, or None.

    Args:
        experiment: its package's name.
        finished: look for a finished run; else for one that is not.
        root: where the runs are.
        wanted: is given a `Run`; says whether it counts, or raises `UserError` where its files are no good: it is then
            passed over with a warning.
    """
    folder, found = Path(root) / experiment, []
    try:
        for path in folder.iterdir() if folder.is_dir() else ():
            if os.path.isfile(path / CONFIG):
                found.append((os.path.getmtime(path / CONFIG), path))
    except OSError as error:
        raise files.user_error(folder, error) from None
    for _, path in sorted(found, reverse=True):
        run = Run(path)
        try:
            if run.finished == finished and wanted(run):
                return path
        except UserError as error:
            warn(f"{error} (this run is passed over)")
    return None
