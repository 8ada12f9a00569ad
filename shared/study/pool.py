"""Who makes the runs of a study: a pool takes jobs and tells what becomes of them. Here: processes on this machine.

Each process computes with one thread, and there are as many as processors. The last bits of a run depend on its
threads: with always one, a run is the same beside whatever else it is made. And it pays: at T1's size (2x100 units,
batch 256) a step takes 545 µs of processor time with one thread and 764 µs with two, which wait for each other (medians
of three, two cores that did other work too).
"""

import collections
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from shared.errors import UserError, one_line
from shared.machine import memory_bytes, processors
from shared.study import worker
from shared.study.job import Job

WORKER = (worker.__name__,)
THREADS = dict.fromkeys(
    ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"
)
WORKER_MEMORY = 1 << 30  # bytes that a process with TensorFlow and a small network takes, about
TRIES = 3  # of one run, where the process dies that makes it
LAST_LINES = 20  # of what a worker prints, kept for when it dies


class Event(NamedTuple):
    """What became of a job.

    `kind` is one of: "began", "row" (it goes on), "told" (a warning), "ended", "failed" (it cannot be done), "lost"
    (its process died, and it is going to be tried again), "stopped" (saved and left).
    """

    kind: str
    job: Job
    text: str = ""  # the warning, or why
    share: float = 0.0  # of the training that is over
    row: Mapping[str, float] = {}  # of its metrics


class Pool(Protocol):
    """Makes runs."""

    def perform(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Make the runs and tell what happens; over when all have ended, failed or stopped."""

    def stop(self) -> None:
        """Let all runs save and stop, and begin no other. Can be called from any thread."""


def take_next(waiting: list[Job], setting: str | None, others: Iterable[str | None]) -> Job:
    """Take a worker's next job from those that wait.

    Args:
        waiting: at least one job; the one that is taken is removed.
        setting: what the worker has compiled, or None: a job of this setting comes first.
        others: the settings that the other workers are at: else a job that the fewest of them have compiled.
    """
    elsewhere = collections.Counter(others)
    job = min(waiting, key=lambda job: (job.setting != setting, elsewhere[job.setting]))
    waiting.remove(job)
    return job


class LocalPool:
    """Processes on this machine. A process gets runs of the setting that it has compiled, as long as there are any.

    Args:
        workers: how many processes; None: one for each processor, as far as memory goes.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or max(1, min(processors(), memory_bytes() // WORKER_MEMORY))
        self._messages: queue.SimpleQueue[tuple[_Process | None, str, Any]] = queue.SimpleQueue()
        self._stopping = False

    def stop(self) -> None:
        """Let all runs save and stop, and begin no other."""
        self._messages.put((None, "stop", None))

    def perform(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Make the runs.

        Raises:
            UserError: if no process can be started.
        """
        waiting, tries = list(jobs), collections.Counter[Job]()
        processes: list[_Process] = []
        try:
            for _ in range(min(self.workers, len(jobs))):
                yield from self._occupy(self._start(processes), waiting, processes)
            while processes:
                process, kind, what = self._messages.get()
                if process is None:
                    self._stopping = True
                    for one in processes:
                        one.tell("stop") if one.job else one.leave()
                    continue
                job = process.job
                if kind == "gone":
                    processes.remove(process)
                    why = process.reason()
                    if job is None:
                        continue
                    tries[job] += 1
                    if not process.ready and process.status > 0 and not self._stopping:
                        raise UserError(f"a process for the runs cannot be started: {why}")
                    if self._stopping:
                        yield Event("stopped", job)
                    elif tries[job] < TRIES:
                        yield Event("lost", job, why)
                        waiting.insert(0, job)
                    else:
                        yield Event("failed", job, f"{TRIES} processes died of it: {why}")
                    if waiting and not self._stopping:
                        yield from self._occupy(self._start(processes), waiting, processes)
                elif kind == "ready":
                    process.ready = True
                elif job is None:
                    pass  # a word from a job that is over
                elif kind == "told":
                    yield Event("told", job, what)
                elif kind == "row":
                    yield Event("row", job, share=what[0], row=what[1])
                else:
                    process.job = None
                    yield Event(kind, job, what or "")
                    yield from self._occupy(process, waiting, processes)
        finally:
            for process in processes:
                process.kill()

    def _start(self, processes):
        process = _Process(self._messages)
        processes.append(process)
        return process

    def _occupy(self, process, waiting, processes):
        """Give a process its next job, or let it go."""
        if not waiting or self._stopping:
            process.leave()
            return
        job = take_next(waiting, process.setting, (one.setting for one in processes if one is not process))
        process.begin(job)
        yield Event("began", job)


class _Process:
    """A worker, and two threads that listen to it."""

    def __init__(self, messages):
        self.job: Job | None = None
        self.setting: str | None = None  # that it has compiled, or is about to
        self.ready = False
        self.status = 0
        self._messages, self._last = messages, collections.deque[str](maxlen=LAST_LINES)
        path = os.pathsep.join([place for place in sys.path if place])  # it imports what is imported here
        self._process: Any = subprocess.Popen(
            [sys.executable, "-m", *WORKER],
            env={**os.environ, **THREADS, "TF_FORCE_GPU_ALLOW_GROWTH": "true", "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self._complaints = threading.Thread(target=self._hear_complaints, daemon=True)
        self._complaints.start()
        threading.Thread(target=self._hear_answers, daemon=True).start()

    def begin(self, job):
        """Let it do a job."""
        self.job, self.setting = job, job.setting
        self.tell(job._asdict())

    def tell(self, message):
        """Send a message; one that is gone does not get it, and is noticed by that."""
        with contextlib.suppress(OSError):
            print(json.dumps(message), file=self._process.stdin, flush=True)

    def leave(self):
        """Let it end."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def kill(self):
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def reason(self):
        """Why it ended, once it is gone."""
        self._complaints.join()
        if self.status < 0:
            name = signal.Signals(-self.status).name
            return f"ended by {name}" + (", as the system does where memory runs out" if name == "SIGKILL" else "")
        return f"status {self.status}, {one_line(self._last[-1]) if self._last else 'without a word'}"

    def _hear_answers(self):
        for line in self._process.stdout:
            self._messages.put((self, *json.loads(line)))
        self.status = self._process.wait()
        self._messages.put((self, "gone", None))

    def _hear_complaints(self):
        self._last.extend(line for line in self._process.stderr if line.strip())
