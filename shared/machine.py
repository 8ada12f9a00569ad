"""What this machine has to give, and who sits at it."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from shared.late import late

psutil = late("psutil")

# Linux limits the memory of a container or of a batch job by its control group; other systems have no such files.
OWN_GROUPS = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")


def in_notebook() -> bool:
    """Whether a notebook runs this, in a kernel of IPython's."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_bytes() -> int:
    """The memory that this process can have: that of the machine, or its control group's limit where that is less."""
    return min([psutil.virtual_memory().total, *_group_limits()])


def _group_limits() -> Iterator[int]:
    """The limits, in bytes, of the groups that this process is in, and of all around them."""
    with contextlib.suppress(OSError):
        for line in OWN_GROUPS.read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":  # version 2
                folder, name = GROUPS / path.lstrip("/"), "memory.max"
            elif "memory" in controllers.split(","):  # version 1
                folder, name = GROUPS / "memory" / path.lstrip("/"), "memory.limit_in_bytes"
            else:
                continue
            for place in (folder, *folder.parents):  # inside a container its own group may be the root
                with contextlib.suppress(OSError, ValueError):  # not there; "max"
                    yield int((place / name).read_text(encoding="utf-8"))
