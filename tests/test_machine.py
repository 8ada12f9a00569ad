"""The memory that a training may count on, and where its pictures are shown."""

import sys

import psutil
import pytest

from shared import machine

MACHINE = 16 << 30  # bytes


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Writes what Linux says of control groups: the lines of this process' own, and limits by file."""
    own, root = tmp_path / "own", tmp_path / "groups"
    monkeypatch.setattr(machine, "OWN_GROUPS", own)
    monkeypatch.setattr(machine, "GROUPS", root)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"total": MACHINE}))

    def write(lines, limits):
        own.write_text(lines)
        for name, limit in limits.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(f"{limit}\n")

    return write


def test_the_machine_has_what_it_has(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "OWN_GROUPS", tmp_path / "none")  # as on Windows and macOS
    assert machine.memory_bytes() == psutil.virtual_memory().total > 1 << 28


@pytest.mark.parametrize(
    ("lines", "limits", "expected"),
    [
        ("0::/job\n", {"job/memory.max": 1 << 30}, 1 << 30),
        ("0::/job/task\n", {"job/memory.max": 1 << 30, "job/task/memory.max": "max"}, 1 << 30),
        ("0::/job/task\n", {"job/memory.max": 1 << 30, "job/task/memory.max": 1 << 29}, 1 << 29),
        ("0::/\n", {"memory.max": 1 << 30}, 1 << 30),
        ("0::/seen/from/outside\n", {"memory.max": 1 << 30}, 1 << 30),
        ("5:memory,hugetlb:/job\n0::/\n", {"memory/job/memory.limit_in_bytes": 1 << 30}, 1 << 30),
        ("4:cpu:/job\n0::/\n", {"cpu/job/memory.limit_in_bytes": 1 << 30}, MACHINE),
        ("0::/job\n", {"job/memory.max": "max"}, MACHINE),
        ("0::/job\n", {"job/memory.max": 1 << 62}, MACHINE),
        ("0::/job\n", {}, MACHINE),
    ],
)
def test_a_control_group_may_have_less(groups, lines, limits, expected):
    groups(lines, limits)
    assert machine.memory_bytes() == expected


def test_a_notebook_is_known_by_its_kernel(monkeypatch):
    assert not machine.in_notebook()  # not even where IPython is imported
    shell = type("Shell", (), {"kernel": None})()
    monkeypatch.setitem(sys.modules, "IPython", type("IPython", (), {"get_ipython": staticmethod(lambda: shell)}))
    assert machine.in_notebook()
    monkeypatch.setitem(sys.modules, "IPython", type("IPython", (), {"get_ipython": staticmethod(lambda: None)}))
    assert not machine.in_notebook()
