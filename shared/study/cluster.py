"""The runs of a study on a Ray cluster that is there already: `python -m shared.study ... --cluster auto`.

Ray starts the processes, places them, and brings back what they send. Each is an actor with one processor, which makes
one run after the other, as a process of `shared.study.pool.LocalPool` does. Where the machines share no storage, a run
is made in a temporary folder, and each of its checkpoints comes back as soon as it is written: when a machine is gone,
another one goes on from the last that came.
"""

import collections
import contextlib
import queue
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from shared import files
from shared.errors import UserError, name_program
from shared.late import is_installed, late
from shared.runs import checkpoint
from shared.runs.folder import LOCK, SUMMARY
from shared.study import worker
from shared.study.job import Job, perform
from shared.study.pool import THREADS, TRIES, Event, take_next

ray, training = late("ray"), late("shared.runs.training")

News = tuple[str, Any]  # what became of a job: ("row", (share, figures)), ("left", files), ("ended", None) and so on


class RayPool:
    """Makes runs on a Ray cluster.

    Args:
        address: as `ray.init` takes it: "auto", "ray://head:10001".
        workers: how many runs at a time; None: one for each processor that the cluster has now.
        shared_storage: the folder of the study is the same on all machines.

    Raises:
        UserError: if Ray is not installed.
    """

    def __init__(self, address: str, workers: int | None = None, shared_storage: bool = False) -> None:
        if not is_installed("ray"):
            raise UserError('--cluster: ray is not installed; run pip install ".[cluster]", or leave it out')
        self._address, self.workers, self._shared_storage = address, workers, shared_storage
        self._stopping = False

    def stop(self) -> None:
        """Let all runs save and stop, and begin no other."""
        self._stopping = True

    def perform(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Make the runs.

        Raises:
            UserError: if the cluster cannot be reached, or its machines cannot make runs.
        """
        try:
            with warnings.catch_warnings(action="ignore"):
                ray.init(address=self._address, log_to_driver=False, logging_level="error")
        except (ConnectionError, ValueError, RuntimeError) as error:
            cause = str(error).partition("\n")[0].rstrip(".")
            raise UserError(f"--cluster {self._address}: {cause}; start one with ray start --head") from None
        try:
            yield from self._perform(jobs)
        finally:
            ray.shutdown()

    def _perform(self, jobs):
        waiting, tries, never_ready = list(jobs), collections.Counter[Job](), 0
        workers = self.workers or int(ray.cluster_resources().get("CPU", 1))
        kind = ray.remote(num_cpus=1, max_concurrency=2, runtime_env={"env_vars": THREADS})(Worker)
        expected: dict[Any, _Hired] = {}  # what is to be told next, and by whom

        def hire():
            one = _Hired(kind.remote())
            expected[one.actor.ready.remote()] = one

        for _ in range(min(workers, len(jobs))):
            hire()
        told_to_stop = False
        while expected:
            if self._stopping and not told_to_stop:
                told_to_stop = True
                for future, one in list(expected.items()):
                    if one.job is None:
                        ray.kill(expected.pop(future).actor)
                    else:
                        one.actor.stop.remote()
                continue
            done, _ = ray.wait(list(expected), timeout=worker.PAUSE)
            for future in done:
                one = expected.pop(future)
                try:
                    news = ray.get(future)
                except ray.exceptions.RayError as error:
                    why = str(error).strip().partition("\n")[0]
                    if one.job is None:
                        never_ready += 1
                        if never_ready >= TRIES:
                            raise UserError(
                                f"--cluster {self._address}: its machines cannot make runs ({why}); install this "
                                "project on each of them"
                            ) from None
                    elif self._stopping:
                        yield Event("stopped", one.job)
                    else:
                        tries[one.job] += 1
                        if tries[one.job] < TRIES:
                            yield Event("lost", one.job, why)
                            waiting.insert(0, one.job)
                        else:
                            yield Event("failed", one.job, f"{TRIES} processes died of it: {why}")
                    if waiting and not self._stopping:
                        hire()
                    continue
                never_ready = 0
                for what, more in news:
                    if what == "left":
                        tries[one.job] = 0  # however often machines go, it comes on
                        unpack(Path(one.job.folder), more)
                    elif what == "row":
                        yield Event("row", one.job, share=more[0], row=more[1])
                    elif what == "told":
                        yield Event("told", one.job, more)
                    else:
                        yield Event(what, one.job, more or "")
                        one.job = None
                if one.job is None and (not waiting or self._stopping):
                    ray.kill(one.actor)
                    continue
                if one.job is None:
                    yield self._occupy(one, waiting, expected.values())
                expected[one.actor.news.remote()] = one

    def _occupy(self, one, waiting, others):
        """Give a worker its next job."""
        job = take_next(waiting, one.setting, (other.setting for other in others))
        one.job, one.setting = job, job.setting
        folder = Path(job.folder).absolute()
        one.actor.begin.remote(job, *((folder, None) if self._shared_storage else (None, pack(folder))))
        return Event("began", job)


class _Hired:
    """An actor, and what it is at."""

    def __init__(self, actor):
        self.actor = actor
        self.job: Any = None  # the `Job` that it is at
        self.setting: str | None = None  # that it has compiled, or is about to


class Worker:
    """Makes runs on one machine of the cluster, one after the other, in a thread, so that it can be told things."""

    def __init__(self) -> None:
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._told_to_stop = threading.Event()
        name_program(worker.PROGRAM)

    def ready(self) -> list[News]:
        """Import what takes seconds."""
        _ = training.Stopped
        return []

    def begin(self, job: Job, place: Path | None, left: Mapping[str, bytes] | None) -> None:
        """Make a run.

        Args:
            job: what to do.
            place: its folder, on a storage that is shared; else None.
            left: where none is shared, the files that there are of it, by their paths in its folder; else None.
        """
        threading.Thread(target=self._make, args=(job, place, left), daemon=True).start()

    def news(self) -> list[News]:
        """What has become of the run since the last call; waits until there is something."""
        found = [self._news.get()]
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._news.get_nowait())
        return found

    def stop(self) -> None:
        """Let the run save and stop."""
        self._told_to_stop.set()

    def _make(self, job, place, left):
        with tempfile.TemporaryDirectory() as folder:
            alone = place is None
            if alone:
                place = Path(folder) / "run"
                unpack(place, left)
            last, sent = 0.0, checkpoint.numbers(place)

            def send():
                if alone:
                    self._news.put(("left", pack(place)))

            def watch(share, row):
                nonlocal last, sent
                if time.monotonic() - last > worker.PAUSE:
                    last = time.monotonic()
                    self._news.put(("row", (share, {name: float(value) for name, value in row.items()})))
                    if alone and (there := checkpoint.numbers(place)) != sent:
                        sent = there
                        send()

            try:
                with contextlib.redirect_stderr(worker.Warnings(lambda line: self._news.put(("told", line)))):
                    perform(job, watch, self._told_to_stop.is_set, place)
                send()
                self._news.put(("ended", None))
            except training.Stopped:
                send()
                self._news.put(("stopped", None))
            except UserError as error:
                send()
                self._news.put(("failed", str(error)))
            except Exception as error:  # not to be tried again, and not to be waited for
                self._news.put(("failed", f"{type(error).__name__}: {error}"))


def pack(folder: Path) -> dict[str, bytes]:
    """All files of a run, by their paths in its folder; what makes the others count comes last."""
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink() and path.name != LOCK]
    paths.sort(key=lambda path: (path.name == SUMMARY, path.name == checkpoint.MANIFEST, path))
    found = {}
    for path in paths:
        if not files.TEMPORARY.fullmatch(path.name):
            found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


def unpack(folder: Path, left: Mapping[str, bytes]) -> None:
    """Write the files of `pack` into the folder of a run; checkpoints that are not among them go.

    Raises:
        UserError: if they cannot be written.
    """
    try:
        for name, data in left.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            files.write_bytes(folder / name, data)
        checkpoint.remove(folder, but={Path(name).parent.name for name in left})
    except OSError as error:
        raise files.user_error(folder, error) from None
