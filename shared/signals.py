"""Signals that are heard at once.

Python's own handlers wait for compiled code to return, which takes seconds, or minutes where something large is being
compiled. So a thread listens on a socket into which the interpreter writes the number of a signal the moment it comes.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from shared.errors import HUNG_UP, INTERRUPTED, TERMINATED, one_line, program

TOGETHER = 0.1  # seconds: signals so close to the first one are that one, as `timeout` sends it to all of a group


@contextlib.contextmanager
def heard(by: Callable[[int, bool], bool]) -> Iterator[None]:
    """Within this block, in the main thread, hear of the signals that have handlers of Python's.

    Args:
        by: is called in a thread with the number of a signal and whether another one had come well before it; says
            whether this one counts as one that came.
    """
    listening, sending = socket.socketpair()
    sending.setblocking(False)

    def listen():
        first = None
        with listening:
            while number := listening.recv(1):
                again = first is not None and time.monotonic() - first > TOGETHER
                if by(number[0], again) and first is None:
                    first = time.monotonic()

    before = signal.set_wakeup_fd(sending.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=listen, daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        sending.close()


def leave_on_second_interrupt(number: int, again: bool) -> bool:
    """For `heard`: where Ctrl-C is a `KeyboardInterrupt`, the second one ends the process, whatever it is at."""
    counts = number == signal.SIGINT and signal.getsignal(number) is signal.default_int_handler
    if counts and again:
        os._exit(INTERRUPTED)
    return counts


SIGNALS = {
    getattr(signal, name): status
    for name, status in (("SIGINT", INTERRUPTED), ("SIGTERM", TERMINATED), ("SIGHUP", HUNG_UP))
    if hasattr(signal, name)
}


class Stopping:
    """Notes the first SIGINT, SIGTERM or SIGHUP as `status`, an exit status; a second one ends the process at once.

    In a notebook or at Python's prompt there is more to lose than the training: there the second one is a
    `KeyboardInterrupt`.

    What is ignored on entry stays ignored: SIGHUP under `nohup`, SIGINT in the background. Outside of the main thread,
    where no handler can be set, signals do what they did before.

    Args:
        told: is called with a line for the person after the first signal.
        saved: where the last checkpoint is, for the line after the second.
    """

    def __init__(self, told: Callable[[str], None], saved: object) -> None:
        self.status: int | None = None
        self._told, self._saved = told, saved
        self._before: dict[int, Any] = {}
        self._first = 0.0  # when the first one came, monotonic seconds
        self._at_prompt = hasattr(sys, "ps1")
        self._hearing, self._heard = contextlib.ExitStack(), False

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._note)
            self._hearing.enter_context(heard(self._hear))
        return self

    def __exit__(self, *_):
        if threading.current_thread() is threading.main_thread():
            self._hearing.close()
            for number, handler in self._before.items():
                signal.signal(number, handler)

    def _note(self, number, _):
        if self.status is None:
            self.status, self._first = SIGNALS[number], time.monotonic()
        elif self._at_prompt and time.monotonic() - self._first > TOGETHER:
            raise KeyboardInterrupt

    def _hear(self, number, again):
        """At once, in a thread; see `heard`."""
        if number not in self._before:
            return False
        if not self._heard:
            self._heard = True
            with contextlib.suppress(OSError, ValueError):  # where it cannot be printed
                self._told("stopping after saving; the same again stops at once")
        elif again and not self._at_prompt:
            line = f"{program()}: stopped at once; what was saved last is in {one_line(self._saved)}\n"
            with contextlib.suppress(OSError):
                os.write(2, f"\n{line}".encode() if os.isatty(2) else line.encode())  # below a bar
            os._exit(SIGNALS[number])
        return True
