"""Files on disk: reading with a limit, and writing so that a reader sees the old file or the new one, never a half."""

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import stat
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from shared.errors import UserError

JSON_LIMIT = 1 << 20  # bytes
JSON_DEPTH = 32  # lists and objects inside one another
TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.tmp")  # the name of a file that is being written
REMEDIES = {
    errno.EEXIST: "a file stands where a folder is wanted; give another path",
    errno.ENOTEMPTY: "holds files that this program did not write; move them away",
    errno.ENOENT: "no such file or folder; check the path",
    errno.ENOTDIR: "a part of this path is no folder; check the path",
    errno.EISDIR: "this is a folder; give the path of a file",
    errno.EACCES: "not allowed; choose another place or change its permissions",
    errno.EPERM: "not allowed; choose another place or change its permissions",
    errno.EROFS: "this disk is read-only; choose another place",
    errno.ENOSPC: "the disk is full; make room or choose another place",
    errno.EDQUOT: "the disk quota is used up; make room or choose another place",
    errno.EFBIG: "larger than files may be here; raise the limit (ulimit -f) or choose another place",
    errno.ENAMETOOLONG: "this name is too long; choose a shorter one",
    errno.ELOOP: "this link leads in a circle; give the path of a file",
}


def user_error(path: str | Path, error: OSError) -> UserError:
    """The `UserError` that tells a person what an `OSError` at `path` means and what to do about it."""
    unknown = f"{error.strerror or error}; check the path and the disk"
    remedy = unknown if error.errno is None else REMEDIES.get(error.errno, unknown)
    return UserError(f"{path}: {remedy}")


def sha256(data: bytes) -> str:
    """The SHA-256 of some bytes as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def read_bytes(path: str | Path, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes (links are followed).

    Everything is judged on one open descriptor, so that the file that was checked is the file that is read. A pipe or
    a device is refused without waiting for it.

    Raises `UserError` when the file is missing, unreadable, empty, too large or not a regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError(errno.EISDIR, "is a directory")
            if not stat.S_ISREG(status.st_mode):
                raise UserError(f"{path}: not a regular file; give the path of a file")
            data = file.read((min(limit, status.st_size) or limit) + 1)  # what says 0 may hold more, in /proc
    except OSError as error:
        raise user_error(path, error) from None
    except ValueError:  # a NUL byte in the path
        raise UserError(f"{str(path)!r}: no path of a file; check the path") from None
    if not data:
        raise UserError(f"{path}: the file is empty; write it again or choose another")
    if len(data) > limit:
        raise UserError(f"{path}: larger than the {limit:,} bytes allowed here; choose another file")
    return data


def read_json(path: str | Path) -> Any:
    """What a JSON file of at most `JSON_LIMIT` bytes and `JSON_DEPTH` levels holds.

    Raises `UserError` when it cannot be read or is no such file.
    """
    data = read_bytes(path, JSON_LIMIT)
    try:
        held = json.loads(data)
        too_deep = _is_deep(held)
    except ValueError as error:
        raise UserError(f"{path}: cannot be read as JSON ({error}); mend it or choose another") from None
    except RecursionError:
        too_deep = True
    if too_deep:
        raise UserError(f"{path}: nested more than {JSON_DEPTH} levels deep; choose another file")
    return held


def _is_deep(value):
    """Whether lists and objects lie inside one another on more than `JSON_DEPTH` levels."""
    level = [value]
    for _ in range(JSON_DEPTH + 1):
        held = [list(item.values()) if isinstance(item, dict) else item for item in level]
        level = [child for item in held if isinstance(item, list) for child in item]
    return bool(level)


def json_text(value: Any, indent: int | None = None) -> str:
    """A value as strict JSON: a number that is not finite becomes null."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(held) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(held) for held in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: str | Path, value: Any) -> None:
    """Write a JSON file for people too; see `json_text` and `write_together`."""
    write_bytes(path, (json_text(value, indent=2) + "\n").encode())


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write one file, whole or not at all; see `write_together`."""
    write_together({path: data})


def write_together(contents: Mapping[str | Path, bytes | Callable[[BinaryIO], Any]]) -> None:
    """Write several files; each appears whole or not at all.

    Every file is first written beside its place and forced to the disk; only when all of them are there are they
    renamed into their places, one right after the other. On failure what was there before stays, and no temporary
    file is left behind.

    Args:
        contents: a dict from path to bytes, or to what writes them into an open file where they are too many to be
            held twice. A link is followed, so that it stays a link. The folders must exist.

    Raises `UserError` naming the path and the remedy when the disk or the permissions do not let it.
    """
    staged = {}  # final place -> temporary file
    try:
        for path, data in contents.items():
            try:
                place = Path(os.path.realpath(path))
                _refuse_special(path, place)
                staged[place] = place.with_name(f".{uuid.uuid4().hex}.tmp")
                _write_through(staged[place], data)
            except OSError as error:
                raise user_error(path, error) from None
        for place in list(staged):
            try:
                os.replace(staged[place], place)
                del staged[place]
                sync_directory(place.parent)
            except OSError as error:
                raise user_error(place, error) from None
    finally:
        for temporary in staged.values():
            with contextlib.suppress(OSError):
                temporary.unlink()


def check_place(path: str | Path) -> None:
    """Raise the `UserError` that `write_bytes` would raise, as far as it is known before writing."""
    try:
        place = Path(os.path.realpath(path))
        _refuse_special(path, place)
        if not os.access(place.parent, os.W_OK):
            raise PermissionError(errno.EACCES, "not allowed")
    except OSError as error:
        raise user_error(path, error) from None


def refuse_existing(path: str | Path, remedy: str) -> None:
    """Raise `UserError` where there is something at a path that nobody named; `remedy` says what to do about it."""
    if os.path.lexists(path):
        raise UserError(f"{path}: is there already; {remedy}")


def remove_written(folder: str | Path, names: Iterable[str]) -> None:
    """Remove the files in a folder that go by the given names, in this order, or were never finished; nothing else."""
    folder = Path(folder)
    unfinished = [path.name for path in folder.iterdir() if TEMPORARY.fullmatch(path.name)]
    for path in [folder / name for name in (*names, *unfinished)]:
        if path.is_symlink() or path.is_file():
            path.unlink()


def _refuse_special(path, place):
    """A rename would put a file where a folder, a pipe or a device stands."""
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a directory")
    if place.exists() and not place.is_file():
        raise UserError(f"{path}: not a regular file; give the path of a file")
    if not place.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder")


def _write_through(path, data):
    """Write a new file and wait until the disk has it."""
    with open(path, "xb") as file:
        if callable(data):
            data(file)
        else:
            file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(folder: str | Path) -> None:
    """Make a rename last through a power cut. Windows has no such call and orders renames itself."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
