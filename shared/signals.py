"""Signals that are heard at once.

Python's own handlers wait for compiled code to return, which takes seconds, or minutes where something large is being
compiled. So a thread listens on a socket into which the interpreter writes the number of a signal the moment it comes.
"""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

from shared.errors import INTERRUPTED

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
