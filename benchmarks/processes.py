"""Every peer in a process of its own, `benchmarks/child.py`.

TensorFlow, PyTorch and JAX in one process may end in a segmentation fault, and each would take the other's threads.
A child runs under any Python that has what it measures, and measures one thing at a time, when it is asked to: so ours
and theirs take turns, and a drift of the machine's speed hits both alike.
"""

import contextlib
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measuring import Timer
from shared.errors import UserError

ROOT = Path(__file__).parent.parent
LAST_WORDS = 5.0  # seconds that a process gets to end in, once it says nothing more


class MissingError(Exception):
    """What was to be measured is not installed, or does not work: one line."""


class NoAnswerError(MissingError):
    """The process is not there any more, or it is something else."""


class Child:
    """A child process that measures. Use it as a context manager.

    Args:
        python: the interpreter that runs it.
        about: `"module:function"` there that returns in a line what is measured: versions, threads, kernels.

    Raises `UserError` if it cannot be started or is no Python, and `MissingError` if what `about` imports is not
    installed.
    """

    def __init__(self, python: str, about: str) -> None:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  it is open for as long as the child lives
        try:
            self._process = subprocess.Popen(
                [python, "-m", "benchmarks.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                text=True,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        except OSError as error:
            raise UserError(f"--python {python}: cannot be started ({error.strerror}); name a Python") from None
        try:
            self.about = str(self._ask(about=about)["about"])
        except NoAnswerError as error:
            self.__exit__()
            raise UserError(f"--python {python}: {error}; give another, or leave it out") from None
        except MissingError:
            self.__exit__()
            raise

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError), self._process:
            self._process.kill()
        self._complaints.close()

    def seconds(self, timer: Timer) -> float:
        """Measure once."""
        return timer.times * self._ask(makes=timer.makes, arguments=timer.arguments)["seconds"]

    def _ask(self, **request: Any) -> dict[str, Any]:
        try:
            print(json.dumps(request), file=self._process.stdin, flush=True)
            answer = json.loads(self._process.stdout.readline())  # type: ignore[union-attr]
        except (OSError, ValueError):  # it is not there any more, or it is something else
            try:
                ended = f"status {self._process.wait(LAST_WORDS)}"
            except subprocess.TimeoutExpired:
                ended = "it goes on"
            self._complaints.seek(0)
            last = self._complaints.read().decode(errors="replace").splitlines()[-1:] or ["it says nothing"]
            raise NoAnswerError(f"no answer, {ended}: {last[0]}") from None
        if "missing" in answer:
            raise MissingError(answer["missing"])
        return answer
