"""Fixtures that several test files share."""

import dataclasses
import os
import signal

import matplotlib
import pytest

from catch_dqn.experiment import EXPERIMENTS

# Most of the time goes into compiling. XLA's older way from operations to machine code takes two thirds of it, and
# what it makes computes the same; the test processes side by side are threads enough. A value that is given holds, an
# empty one too: `XLA_FLAGS= TF_NUM_INTRAOP_THREADS= python -m pytest` tests what users run, and takes a quarter longer.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def signals_as_in_a_shell():
    """Nothing that the tests start inherits that a signal is ignored or blocked: it would not end when told to.

    A script's background job ignores SIGINT and SIGQUIT, `nohup` lets SIGHUP be ignored, and both hand that on. A
    handler is not handed on: one that does nothing ignores a signal as well, for these tests alone.
    """
    mask = getattr(signal, "pthread_sigmask", None)  # not on Windows
    blocked = mask(signal.SIG_BLOCK, ()) if mask else ()
    before = {}
    for name in ("SIGINT", "SIGQUIT", "SIGHUP", "SIGTERM", "SIGTSTP"):
        number = getattr(signal, name, None)
        if number is not None and (signal.getsignal(number) is signal.SIG_IGN or number in blocked):
            before[number] = signal.signal(number, lambda *_: None)
    if mask:
        mask(signal.SIG_UNBLOCK, before)
    yield
    if mask:
        mask(signal.SIG_BLOCK, blocked)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session", autouse=True)
def a_cache_folder_of_the_tests(tmp_path_factory):
    """Nothing of the user's is used; what one test has compiled serves the others. (Fonts are listed as ever.)"""
    folder = tmp_path_factory.getbasetemp()
    together = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLCONFIGDIR", matplotlib.get_cachedir())
        patch.setenv("XDG_CACHE_HOME", str(together / "cache"))
        yield


@pytest.fixture
def cpu_seconds():
    """A function: seconds that this process and the children it has waited for have computed.

    What else the machine does makes them no more, as it would the time on the clock. (Windows counts no children.)
    """
    return lambda: sum(os.times()[:4])


@pytest.fixture
def catch():
    """The Catch experiment."""
    return EXPERIMENTS["catch"]


@pytest.fixture
def small(catch):
    """Settings of a training that takes a second or two."""
    return dataclasses.replace(
        catch.presets["tutorial"], episodes=60, hidden=(16, 16), batch_size=16, replay_capacity=200
    )
