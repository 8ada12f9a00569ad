"""Ctrl-C while compiled code is at work, which holds Python's own handlers up."""

import contextlib
import os
import signal
import threading
import time

import pytest

from shared import signals


@pytest.mark.parametrize(("handler", "ends"), [(signal.default_int_handler, True), (lambda *_: None, False)])
def test_a_second_interrupt_ends_a_program_that_is_busy(monkeypatch, handler, ends):
    """But not where somebody else has taken the signal, such as a screen that has to be put back."""
    ended, before = threading.Event(), signal.signal(signal.SIGINT, handler)
    monkeypatch.setattr(os, "_exit", lambda status: ended.set() if status == 130 else None)
    try:
        with signals.heard(signals.leave_on_second_interrupt):
            for _ in range(2):
                with contextlib.suppress(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)
                time.sleep(2 * signals.TOGETHER)
            assert ended.wait(10 if ends else 0) == ends
    finally:
        signal.signal(signal.SIGINT, before)
    assert signal.set_wakeup_fd(-1) == -1
