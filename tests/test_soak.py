"""The quick part of `tests/soak`."""

import os

import pytest

posix = pytest.mark.skipif(os.name != "posix", reason="forks to parse HDF5 quickly, looks into /proc, needs a terminal")


@posix
def test_killed_trainings_end_as_if_nothing_had_happened():
    from soak import kill

    report = kill.kill(runs=10, seed=20260, real=0)
    assert report.faults == []
    assert report.kills >= 10
    assert report.power_cuts > 1


@posix
def test_a_real_command_that_is_killed_ends_as_if_nothing_had_happened():
    from soak import kill

    report = kill.kill(runs=1, seed=20260, real=1)
    assert report.faults == []
    assert report.kills >= 1


@posix
def test_spoiled_files_load_or_are_refused_in_one_line():
    from soak import fuzz

    report = fuzz.fuzz(count=180, seed=20260)
    assert report.faults == []
    assert sum(report.loaded.values()) > 10
    # For what is damaged of a checkpoint there is the one before it, and damaged rows of metrics are left out.
    assert len(report.refused) == 9


def test_any_flags_train_or_are_refused_in_one_line_or_stop_and_go_on():
    from soak import flags

    report = flags.flags(lines=8, seed=20260)
    assert report.faults == []
    assert min(report.trained, report.refused, report.resumed) > 0


@posix
def test_a_study_that_is_killed_ends_as_an_unbroken_one():
    from soak import study

    report = study.study(["--seeds", "2", "--jobs", "1"], kills=1, seed=20260)
    assert report.faults == []
    assert report.kills == 1


@posix
def test_a_terminal_is_restored_however_a_session_ends():
    from soak import terminal

    report = terminal.terminal(sessions=4, seed=20260)
    assert report.faults == []
    assert report.sessions == 4
