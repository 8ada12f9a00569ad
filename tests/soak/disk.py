"""Ends a program right before one of the things that it does to files, as a kill or a power cut would.

    python -m tests.soak.disk PHASE NUMBER FOLDER MODULE ARGUMENTS...

runs `python -m MODULE ARGUMENTS...` and kills it (SIGKILL) before the NUMBER-th change below FOLDER, counted from 0 on
since the beginning or, where PHASE is "end", since training was over. FOLDER.changes says in the end how many there
were.
"""

import importlib
import os
import runpy
import signal
import sys
from pathlib import Path

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink"}  # audit events
PHASES = ("whole", "end")


class Killed(BaseException):
    """Stands for the end of the process: nothing that it does any more reaches the disk."""


def _raise():
    raise Killed


class Disk:
    """Watches a folder in a `with` block; one at a time.

    Args:
        folder: only what happens below it counts.
        at: what comes right before the change of this number ends the program; None: nothing does.
        phase: "whole", or "end" to count from `enter_end` on.
        end: ends it; default: raises `Killed`, here and at every change afterwards.
    """

    current: "Disk | None" = None

    def __init__(self, folder, at=None, phase="whole", end=_raise):
        self.folder, self.at, self.end = os.path.realpath(folder), at, end
        self.counting = phase == "whole"
        self.changes = 0
        self.unsynced = {}  # path -> bytes of it that a power cut leaves for sure

    def __enter__(self):
        Disk.current = self
        return self

    def __exit__(self, *_):
        Disk.current = None

    def enter_end(self):
        """Training is over."""
        if not self.counting:
            self.counting, self.changes = True, 0

    def cut_power(self, rng):
        """Files lose the ends that were never forced to the disk, each as much as it happens."""
        for path, kept in self.unsynced.items():
            if os.path.isfile(path) and os.path.getsize(path) > kept:
                os.truncate(path, int(rng.integers(kept, os.path.getsize(path) + 1)))

    def before(self, event, arguments):
        """An audit event that changes files."""
        path = os.fspath(arguments[0]) if isinstance(arguments[0], (str, os.PathLike)) else ""
        path = os.path.join(os.path.realpath(os.path.dirname(path) or "."), os.path.basename(path))
        if not path.startswith(self.folder):
            return
        self.count()
        if event == "open":
            self.unsynced.setdefault(path, os.path.getsize(path) if os.path.exists(path) else 0)
        elif event == "os.rename" and path in self.unsynced:
            self.unsynced[os.path.realpath(arguments[1])] = self.unsynced.pop(path)

    def count(self):
        """One change more."""
        if self.at is not None and self.counting and self.changes >= self.at:
            self.end()
        self.changes += 1

    def synced(self, descriptor):
        """A file was forced to the disk."""
        link = f"/proc/self/fd/{descriptor}"
        path = os.path.realpath(link) if os.path.exists(link) else ""
        if path.startswith(self.folder):
            self.count()
            self.unsynced.pop(path, None)


def _audit(event, arguments):
    disk = Disk.current
    if disk is not None and (event in CHANGES or (event == "open" and (arguments[2] or 0) & WRITING)):
        disk.before(event, arguments)


def _fsync(descriptor, fsync=os.fsync):
    if Disk.current is not None:
        Disk.current.synced(descriptor)
    fsync(descriptor)


def watch():
    """Let every `Disk` of this process see what happens. It cannot be undone, and costs nothing without a `Disk`."""
    if os.fsync is not _fsync:
        sys.addaudithook(_audit)
        os.fsync = _fsync


def save_often():
    """Checkpoints at every report, and a call at the end of training: what `whole_run` does is left as it is."""
    training = importlib.import_module("shared.runs.training")
    whole_run = importlib.import_module("shared.commands.whole_run")
    training.CHECKPOINT_SECONDS, training.SAVING_SHARE = 0.0, float("inf")
    finish = whole_run.finish

    def last(*arguments):
        if Disk.current is not None:
            Disk.current.enter_end()
        return finish(*arguments)

    whole_run.finish = last


def main(phase, number, folder, module, *arguments):
    """Run the module."""
    watch()
    save_often()
    sys.argv = [module, *arguments]
    disk = Disk(folder, int(number), phase, end=lambda: os.kill(os.getpid(), signal.SIGKILL))
    with disk:
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        finally:
            Path(f"{folder}.changes").write_text(str(disk.changes))


if __name__ == "__main__":
    main(*sys.argv[1:])
