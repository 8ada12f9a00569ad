"""What XLA has compiled once, for the next start: executables in the user's cache folder.

XLA can keep its executables in a folder, but a call fails where it cannot write there or reads what is damaged. So that
folder is in TensorFlow's RAM file system, where neither happens. Before the first program is compiled, what lies on the
disk is put there, if its SHA-256 is right; what is new is copied to the disk afterwards. That may fail at any point:
then XLA compiles as it would have done anyway.

An executable is machine code, so the folder on the disk has to be the user's own and closed to others. It has one
folder inside for each version, processor and number of threads, and holds `LIMIT` bytes at most: the oldest files go.

`TF_XLA_FLAGS` says whether all this is done, also to the processes that are started from here.
"""

import contextlib
import hashlib
import os
import re
import stat
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared import files
from shared.errors import UserError, warn

VARIABLE, OPTION, IN_MEMORY = "TF_XLA_FLAGS", "--tf_xla_persistent_cache_directory=", "ram://compiled"
OURS = f"--tf_xla_persistent_cache_device_types=CPU {OPTION}{IN_MEMORY}"
NAME = re.compile(r"xla_compile_cache__\d+__\d+__XLA_CPU_JIT\.pb", re.ASCII)  # of an executable, as XLA calls it
FOLDER = re.compile(r"compiled-[0-9a-f]{16}", re.ASCII)
LIMIT = 32 << 20  # bytes: some hundred programs; more would take longer to read than it saves
STALE = 3600.0  # seconds after which a file that is half written is nobody's


def switch_on() -> None:
    """Keep what XLA compiles, unless `TF_XLA_FLAGS` says something about that already."""
    flags = os.environ.get(VARIABLE, "")
    if OPTION not in flags and (not flags or flags.startswith("-")):  # else it is the path of a file with flags
        os.environ[VARIABLE] = f"{flags} {OURS}".strip()


def switch_off() -> None:
    """Keep nothing and use nothing that was kept; to be called before the first program is compiled."""
    flags = os.environ.get(VARIABLE, "").replace(OURS, "").split()
    others = [flag for flag in flags if not flag.startswith(OPTION)]
    os.environ[VARIABLE] = " ".join([*others, OPTION])


def place() -> Path:
    """The folder on the disk: in $XDG_CACHE_HOME, or where the system has such things."""
    asked = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(asked):
        base = Path(asked)
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path.home() / ".cache"
    return base / "keras-dqn-tutorials"


class CompileCache:
    """Carries executables between the disk and the RAM file system.

    Args:
        ram: TensorFlow's `tf.io.gfile`.
    """

    def __init__(self, ram: Any) -> None:
        self._ram = ram
        self._key = ""  # what the executables here depend on, beside the program; "" until they are looked for
        self._folder: Path | None = None  # of these on the disk; None: nothing is kept
        self._held: set[str] = set()  # names of what is on the disk

    def fill(self, facts: Mapping[str, Any]) -> None:
        """Put what is on the disk where XLA looks for it; a second call does nothing.

        Args:
            facts: what an executable depends on beside its program (`shared.nn.backend.execution_facts`).
        """
        if self._key:
            return
        self._key = hashlib.sha256(repr((sorted(facts.items()), _instructions())).encode()).hexdigest()[:16]
        if OURS not in os.environ.get(VARIABLE, ""):
            return
        folder = _own_folder(self._key)
        if folder is None:
            return
        self._folder = folder
        self._ram.makedirs(IN_MEMORY)
        with contextlib.suppress(OSError):
            for path in folder.iterdir():
                if NAME.fullmatch(path.name) and (executable := self._read(path)):
                    with self._ram.GFile(f"{IN_MEMORY}/{path.name}", "wb") as file:
                        file.write(executable)
                    self._held.add(path.name)

    def keep(self) -> None:
        """Copy to the disk what was compiled since the last call; what cannot be written is compiled anew next time."""
        if self._folder is None:
            return
        new = [name for name in self._ram.listdir(IN_MEMORY) if NAME.fullmatch(name) and name not in self._held]
        if not new:
            return
        self._held.update(new)
        contents: dict[str | Path, Any] = {}
        for name in new:
            with self._ram.GFile(f"{IN_MEMORY}/{name}", "rb") as file:
                executable = file.read()
            contents[self._folder / name] = self._digest(name, executable) + executable
        with contextlib.suppress(UserError, OSError):
            files.write_together(contents)
            _remove_oldest(self._folder.parent)

    def _read(self, path):
        """The executable in a file, or None where it is not as it was written, or was written for another place."""
        with contextlib.suppress(UserError, OSError):
            if not path.is_symlink():
                data = files.read_bytes(path, LIMIT)
                digest, executable = data[: hashlib.sha256().digest_size], data[hashlib.sha256().digest_size :]
                if digest == self._digest(path.name, executable):
                    return executable
        return None

    def _digest(self, name, executable):
        return hashlib.sha256(f"{self._key}/{name}\n".encode() + executable).digest()


def _own_folder(key):
    """The folder for what depends on `key`, made where it is missing; None where there cannot be one of the user's."""
    try:
        base = place()
        for folder in (base, base / f"compiled-{key}"):
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700, parents=True)
            if not _is_own(folder):
                warn(
                    f"{folder}: not a folder that only you can open (chmod 700), so what is compiled is not kept "
                    "there; remove it, or give --no-compile-cache"
                )
                return None
    except (OSError, RuntimeError):  # a disk that cannot be written; a user without a home
        return None
    return folder


def _instructions():
    """What the processor can do, where the system says so: a name such as "AMD EPYC" does not tell all."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        return next((line for line in file if line.startswith(("flags", "Features"))), "")
    return ""


def _is_own(folder):
    """Whether a folder is one, is the user's and is closed to others. (On Windows the place sees to that.)"""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        return False
    return os.name != "posix" or (status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o077)


def _remove_oldest(base):
    """Remove the oldest executables beyond `LIMIT`, of whatever version, and what was never finished."""
    folders = [path for path in base.iterdir() if FOLDER.fullmatch(path.name) and not path.is_symlink()]
    found = [(path, path.lstat()) for folder in folders for path in folder.iterdir()]
    total = 0
    for path, status in sorted(found, key=lambda one: one[1].st_mtime, reverse=True):
        if NAME.fullmatch(path.name):
            total += status.st_size
            if total > LIMIT:
                path.unlink(missing_ok=True)
        elif files.TEMPORARY.fullmatch(path.name) and time.time() - status.st_mtime > STALE:
            path.unlink(missing_ok=True)
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()  # where nothing is left
