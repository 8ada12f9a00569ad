"""A study, from what is asked for to the report: what `python -m shared.study` and notebooks call."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from shared import files, signals
from shared.errors import UserError, say
from shared.late import late
from shared.runs.folder import LOCK, Run
from shared.study import report
from shared.study.plan import Plan, Setting, plan, planned
from shared.study.pool import LocalPool, Pool
from shared.study.progress import StudyProgress
from shared.study.results import Results, results

filelock = late("filelock")

ABOUT = "study.json"  # what the study is; by it a folder is known as one


def study(
    experiment: str,
    *,
    seeds: int = 10,
    grid: Mapping[str, Sequence[Any]] | None = None,
    out: str | Path | None = None,
    jobs: int | None = None,
    **settings: Any,
) -> Results:
    """Train with several seeds and settings side by side. Runs that are finished are used again.

    Args:
        experiment: a package such as `"catch_dqn"`, `"shared.dqn"` for any Gymnasium environment, or the path of a file
            with a game of one's own.
        seeds: runs of each setting, with the seeds 0, 1, 2 and so on.
        grid: settings to compare, by name: `{"learning_rate": [1e-3, 3e-4], "optimizer": ["sgd", "adam"]}` are four.
        out: the folder of the study; default: one in `runs/studies/`.
        jobs: processes; default: as many as pay on this machine.
        settings: by name, for all runs: `preset="tuned"`, `game="ball8"`, `batch_size=64`.

    Returns the `Results`; after Ctrl-C those of the runs that are finished: call it again to go on.

    Raises:
        UserError: if there is no such experiment or setting, or the folder holds something else.
    """
    fixed = {name: _word(value) for name, value in settings.items()}
    varied = {name: [_word(value) for value in values] for name, values in (grid or {}).items()}
    return carry_out(plan(experiment, (), seeds, fixed, varied, Path(out) if out else None), LocalPool(jobs))


def compared(experiment: str, settings: Mapping[str, Sequence[str]], seeds: int, folder: Path) -> Results:
    """The same for settings that are no grid, for a program that goes on with what was found.

    Args:
        experiment: as of `study`.
        settings: what is compared: for each label flags of `train`.
        seeds: runs of each.
        folder: of the study.

    Raises:
        UserError: if it cannot be done, or a run fails.
        SystemExit: after a signal; the runs are saved, and the next call goes on.
    """
    made = [Setting(label, {"setting": label}, tuple(flags)) for label, flags in settings.items()]
    found = carry_out(planned(experiment, made, seeds, folder), LocalPool())
    if failed := [row for row in found.rows if row.get("failed")]:
        raise UserError(f"{failed[0]['setting']}, seed {failed[0]['seed']}: {failed[0]['failed']}")
    if found.status:
        say("stopped and saved; the same command goes on")
        raise SystemExit(found.status)
    return found


def _word(value):
    """A value as the command line has it."""
    if isinstance(value, (tuple, list)):
        return " ".join(map(str, value))
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def carry_out(wanted: Plan, pool: Pool, leave: Callable[..., Any] = report.write) -> Results:
    """Make the runs that are not finished, and leave the report in the folder of the study.

    Args:
        wanted: what to do.
        pool: who does it.
        leave: (folder, rows, curves); writes the report once all runs are made.

    Returns the `Results`.

    Raises:
        UserError: if the folder cannot be used, or no run be made.
    """
    with _held(wanted.folder):
        about = {
            "experiment": wanted.jobs[0].experiment,
            "settings": {setting.label: setting.argv for setting in wanted.settings},
            "seeds": len(wanted.jobs) // len(wanted.settings),
            "began": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        files.write_json(wanted.folder / ABOUT, about)
        to_do = [job for job in wanted.jobs if not Run(job.folder).finished]
        failed: dict[Any, str] = {}
        status, total = 0, len(wanted.jobs)
        if to_do:
            progress = StudyProgress(total, total - len(to_do))

            def told(line):
                pool.stop()
                progress.say(line)

            with signals.Stopping(told, wanted.folder) as asked, progress:
                for event in pool.perform(to_do):
                    progress.show(event)
                    if event.kind == "failed":
                        failed[event.job] = event.text
            status = asked.status or 0
        found = results(wanted, failed)
        if len(found.rows) < total:
            return dataclasses.replace(found, status=status)
        leave(wanted.folder, found.rows, found.curves)
    return dataclasses.replace(found, status=int(bool(failed)))


@contextlib.contextmanager
def _held(folder):
    """The folder of the study, for this process alone."""
    try:
        if folder.exists() and not (folder / ABOUT).exists() and any(path.name != LOCK for path in folder.iterdir()):
            raise UserError(f"{folder}: not empty, and what it holds is no study; give another --out")
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / LOCK, timeout=0, thread_local=False)
        lock.acquire()
    except OSError as error:
        raise files.user_error(folder, error) from None
    except filelock.Timeout:
        raise UserError(f"{folder}: another process is at this study; wait for it or give another --out") from None
    try:
        yield
    finally:
        lock.release()
