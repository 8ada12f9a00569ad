"""Stands in for `shared.study.worker` without TensorFlow: does what the first word of a job's arguments says.

`end`, `fail` (cannot be done), `warn` (and end), `wait` (until told to stop), `die` (ended by SIGKILL, always),
`die-once`, `exit` (with a status). Each job first tells the process's number as a metric.
"""

import json
import os
import queue
import signal
import sys
import threading
from pathlib import Path

told, stop = queue.SimpleQueue(), threading.Event()


def listen():
    """Hear what the pool says."""
    for line in sys.stdin:
        message = json.loads(line)
        stop.set() if message == "stop" else told.put(message)
    os._exit(0)


def answer(kind, what=None):
    """Say something to the pool."""
    print(json.dumps([kind, what]), flush=True)


threading.Thread(target=listen, daemon=True).start()
answer("ready")
while True:
    job = told.get()
    word, place = job["argv"][0], Path(job["folder"])
    answer("row", [0.5, {"process": os.getpid()}])
    if word == "die" or (word == "die-once" and not place.exists()):
        place.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    elif word == "exit":
        print("something before\nMemoryError: no room", file=sys.stderr, flush=True)
        os._exit(3)
    elif word == "fail":
        answer("failed", "--learning-rate 3: too large")
    elif word == "wait":
        stop.wait()
        answer("stopped")
    else:
        if word == "warn":
            answer("told", "values run away")
        answer("ended")
