"""What a run leaves behind: a folder that a person can look at.

`runs/<experiment>/<name>/` holds `config.json` (settings, versions, command line), `metrics.csv` (a row per report),
`curve.png`, the weights, the architecture and `summary.json` (the final evaluation, written last: a run is finished
when it is there). While training goes on there are also checkpoints.
"""

import contextlib
import csv
import io
import json
import shutil
import time
from pathlib import Path

from shared import files
from shared.errors import UserError
from shared.runs.checkpoint import FOLDER as CHECKPOINTS

ROOT = Path("runs")
CONFIG, METRICS, SUMMARY, LOCK = "config.json", "metrics.csv", "summary.json", ".lock"


class Run:
    """An open run folder; only one process at a time holds it."""

    def __init__(self, path):
        self.path = Path(path)
        self._lock = None

    @classmethod
    def claim(cls, path, overwrite=False):
        """Make sure that a new run can go into a folder; nothing that is there is touched before `begin`.

        Args:
            path: the folder; it may exist, but not hold a run unless `overwrite` is set.
            overwrite: a run that is there may be replaced.

        Raises:
            UserError: if the folder cannot be written or already holds a run.
        """
        run = cls(path)
        try:
            if (run.path / CONFIG).exists() and not overwrite:
                state, remedy = ("a finished", "") if run.finished else ("an unfinished", "--resume to go on, ")
                raise UserError(
                    f"{path}: already holds {state} run; give {remedy}--overwrite to replace it, or another --out"
                )
            run.path.mkdir(parents=True, exist_ok=True)
            run._take_lock()
        except OSError as error:
            raise files.user_error(path, error) from None
        return run

    def begin(self, config):
        """Start the run in a folder that was claimed: what an earlier one left is deleted, `config.json` is written."""
        self._clear()
        self.write_json(CONFIG, config)

    def release(self):
        """Give up a folder that was claimed and not begun; it is removed if there is nothing in it."""
        self.close()
        (self.path / LOCK).unlink()
        with contextlib.suppress(OSError):
            self.path.rmdir()

    def close(self):
        """Let other processes have the folder."""
        self._lock.release()

    @classmethod
    def open(cls, path):
        """Open a run that was begun before, to go on with it.

        Raises:
            UserError: if there is none, it is finished or another process is at it.
        """
        run = cls(path)
        run.read_config()
        if run.finished:
            raise UserError(f"{run.path}: this run is finished; watch it with --weights, or start another with --out")
        run._take_lock()
        return run

    @property
    def finished(self):
        """Whether the run came to its end."""
        return (self.path / SUMMARY).exists()

    def read_config(self):
        """What `config.json` says."""
        return self._read_json(CONFIG)

    def read_summary(self):
        """What `summary.json` says."""
        return self._read_json(SUMMARY)

    def _read_json(self, name):
        path = self.path / name
        try:
            held = json.loads(path.read_text())
        except FileNotFoundError as error:
            raise UserError(f"{self.path}: holds no run ({name} is missing); give the folder of a run") from error
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: cannot be read ({error}); start a new run with --out") from error
        if not isinstance(held, dict):
            raise UserError(f"{path}: not of a run; start a new run with --out")
        return held

    def write_json(self, name, value):
        """Write a JSON object as a file of the run."""
        files.write_bytes(self.path / name, (json.dumps(value, indent=2) + "\n").encode())

    def add_metrics(self, row):
        """Append one row (a dict) to `metrics.csv`; the first row names the columns."""
        path = self.path / METRICS
        text = io.StringIO()
        writer = csv.DictWriter(text, row.keys(), lineterminator="\n")
        if not path.exists() or path.stat().st_size == 0:
            writer.writeheader()
        writer.writerow(row)
        try:
            with path.open("a") as file:
                file.write(text.getvalue())
        except OSError as error:
            raise files.user_error(path, error) from None

    def metrics_size(self):
        """Bytes of `metrics.csv`: a checkpoint notes them, and a resumed run cuts the file back to them."""
        path = self.path / METRICS
        return path.stat().st_size if path.exists() else 0

    def cut_metrics(self, size):
        """Forget the rows that were written after a checkpoint."""
        path = self.path / METRICS
        if path.exists():
            with path.open("r+b") as file:
                file.truncate(size)

    def read_metrics(self):
        """The rows of `metrics.csv`, numbers as floats."""
        path = self.path / METRICS
        if not path.exists():
            return []
        with path.open(newline="") as file:
            return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]

    def finish(self, summary):
        """Write `summary.json` and remove the checkpoints."""
        self.write_json(SUMMARY, summary)
        shutil.rmtree(self.path / CHECKPOINTS, ignore_errors=True)

    def _take_lock(self):
        from filelock import FileLock, Timeout

        self._lock = FileLock(self.path / LOCK, timeout=0, thread_local=False)
        try:
            self._lock.acquire()
        except Timeout:
            raise UserError(
                f"{self.path}: another process is training here; wait for it or give another --out"
            ) from None

    def _clear(self):
        for path in self.path.iterdir():
            if path.is_dir() and path.name == CHECKPOINTS:
                shutil.rmtree(path)
            elif path.is_file() and path.name != LOCK:
                path.unlink()


def new_folder(experiment, label):
    """A folder name of its own for a run that was given none: `runs/<experiment>/<date>-<time>-<label>`."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    path, count = ROOT / experiment / f"{stamp}-{label}", 1
    while path.exists():
        count += 1
        path = ROOT / experiment / f"{stamp}-{label}-{count}"
    return path


def latest_run(experiment, finished=True, root=ROOT, wanted=lambda config: True):
    """The folder of the newest run of an experiment, or None.

    Args:
        experiment: its package's name.
        finished: look for a finished run; else for one that is not.
        root: where the runs are.
        wanted: is given the run's config; says whether the run counts.
    """
    folder = Path(root) / experiment
    if not folder.is_dir():
        return None
    runs = [run for run in map(Run, folder.iterdir()) if (run.path / CONFIG).is_file() and run.finished == finished]
    runs.sort(key=lambda run: (run.path / CONFIG).stat().st_mtime)
    return next((run.path for run in reversed(runs) if wanted(run.read_config())), None)
