"""A process that makes the runs of a study, one after the other. The pool starts it (`shared.study.pool`).

It is told on its standard input, a JSON value a line: a job, or `"stop"`. It answers on its standard output in the same
way, with pairs: `["ready", null]`, `["row", [share, figures]]`, `["told", warning]`, and for the end of each job
`["ended", null]`, `["failed", why]` or `["stopped", null]`. What else anything in it prints goes to its standard error.

When its input ends, it ends at once: no worker outlives the study. Signals are the study's business: those that a
terminal sends to all of a group are ignored here.
"""

import contextlib
import functools
import io
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from shared.errors import UserError, name_program
from shared.study.job import Job, perform

PROGRAM = "worker"  # how it is called in its warnings
PAUSE = 0.2  # seconds between two reports of how far a run is


class Warnings(io.TextIOBase):
    """Stands in for standard error: takes the warnings out of it (`shared.errors.warn`).

    Args:
        told: is called with each warning.
    """

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told, self._behind, self._line = told, sys.stderr, ""

    def write(self, text: str) -> int:
        """Take whole lines."""
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            head, warning, message = line.partition(f"{PROGRAM}: warning: ")
            if warning and not head:
                self._told(message)
            else:
                print(line, file=self._behind, flush=True)
        return len(text)


def main() -> None:
    """Do what comes on standard input."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    name_program(PROGRAM)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    told_to_stop = threading.Event()

    def listen():
        for line in sys.stdin:
            message = json.loads(line)
            if message == "stop":
                told_to_stop.set()
            else:
                jobs.put(Job(**{**message, "argv": tuple(message["argv"])}))
        os._exit(0)

    def answer(kind: str, what: Any = None) -> None:
        try:
            print(json.dumps([kind, what]), file=answers, flush=True)
        except BrokenPipeError:
            os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    from shared.runs.training import Stopped  # with Keras and TensorFlow, which takes seconds

    answer("ready")
    while True:
        job, last = jobs.get(), 0.0

        def watch(share, row):
            nonlocal last
            if time.monotonic() - last > PAUSE:
                last = time.monotonic()
                answer("row", [share, {name: float(value) for name, value in row.items()}])

        if told_to_stop.is_set():
            answer("stopped")
            continue
        try:
            with contextlib.redirect_stderr(Warnings(functools.partial(answer, "told"))):
                perform(job, watch, told_to_stop.is_set)
            answer("ended")
        except UserError as error:
            answer("failed", str(error))
        except Stopped:
            answer("stopped")


if __name__ == "__main__":
    main()
