"""The whole training state on disk, so that a run killed at any moment goes on to the bit.

`checkpoints/<number>/` holds `arrays.npz` and `manifest.json` (size and SHA-256 of the arrays, what the run was, on
what it ran). A checkpoint is written beside its place and renamed into it; the two newest are kept, and the newest
that verifies is the one to go on from.
"""

import contextlib
import hashlib
import io
import os
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from shared import files
from shared.errors import UserError, warn

FOLDER = "checkpoints"
ARRAYS, MANIFEST, BESIDE = "arrays.npz", "manifest.json", "being-written"
NUMBER = re.compile(r"\d{12}", re.ASCII)
KEPT = 2
TEXT = np.dtype(np.uint8)  # arrays of bytes with one axis hold text, of any length
SPARE = 1 << 30  # bytes that a checkpoint may be larger than twice what it should hold
# What reading a damaged or foreign one comes to.
UNFIT = (
    *(UserError, OSError, EOFError, zipfile.BadZipFile, MemoryError),
    *(ValueError, KeyError, TypeError, RuntimeError, OverflowError),
)


def save(run_path: Path, number: int, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
    """Write a checkpoint.

    Args:
        run_path: the run's folder.
        number: grows from checkpoint to checkpoint, such as the environment steps taken.
        arrays: dict of NumPy arrays by name.
        facts: a JSON object, kept in the manifest.
    """
    folder = Path(run_path) / FOLDER
    place, beside = folder / f"{number:012d}", folder / BESIDE
    columns: dict[str, Any] = dict(arrays)
    written: dict[str, Any] = {}

    def write(file):
        with _Measured(file) as measured:
            np.savez(measured, **columns)
            written.update(size=measured.size, sha256=measured.sha256.hexdigest())

    try:
        _remove_one(beside)
        beside.mkdir(parents=True)
        files.write_together({beside / ARRAYS: write})
        files.write_json(beside / MANIFEST, {**written, **facts})
        _remove_one(place)  # a resumed run has come by here again
        os.replace(beside, place)
        files.sync_directory(folder)
        for old in _numbered(folder)[:-KEPT]:
            _remove_one(old)
    except OSError as error:
        raise files.user_error(folder, error) from None


class NoCheckpoint(UserError):
    """There is nothing to go on from."""


class _Measured(io.RawIOBase):
    """A file that is only added to, with its size in bytes and its SHA-256 so far."""

    def __init__(self, file):
        self._file, self.size, self.sha256 = file, 0, hashlib.sha256()

    def writable(self):
        return True

    def write(self, data):
        self.sha256.update(data)
        self.size += self._file.write(data)
        return len(data)


def load(
    run_path: Path,
    like: Mapping[str, np.ndarray] | None = None,
    restore: Callable[[dict[str, np.ndarray], dict[str, Any]], Any] = lambda arrays, manifest: (arrays, manifest),
) -> Any:
    """Go back to the newest checkpoint that verifies; warns where a newer one does not.

    Args:
        run_path: the run's folder.
        like: what the training saves, a dict of arrays by name: each has to be there in the same shape and type.
        restore: is given the arrays (dict by name) and the manifest; raises one of `UNFIT` where they make no sense.

    Returns what `restore` returns.

    Raises:
        NoCheckpoint: if there is none.
    """
    for place in reversed(_numbered(Path(run_path) / FOLDER)):
        try:
            return restore(*_read(place, like))
        except UNFIT as error:
            warn(f"{place}: damaged, passed over for the checkpoint before it ({error})")
    raise NoCheckpoint(
        f"{run_path}: has no checkpoint to go on from; start again with --overwrite, or give another --out"
    )


def remove(run_path: Path) -> None:
    """Remove all checkpoints of a run, and nothing else. A file that is not of a checkpoint stays, with its folder."""
    folder = Path(run_path) / FOLDER
    if not folder.is_symlink():
        for place in [folder / BESIDE, *_numbered(folder)]:
            _remove_one(place)
        with contextlib.suppress(OSError):
            folder.rmdir()


def _remove_one(place):
    if place.is_dir() and not place.is_symlink():
        files.remove_written(place, (MANIFEST, ARRAYS))
        with contextlib.suppress(OSError):
            place.rmdir()


def _numbered(folder):
    return sorted(p for p in folder.glob("*") if NUMBER.fullmatch(p.name) and p.is_dir() and not p.is_symlink())


def _read(place, like):
    """The arrays and the manifest of one checkpoint. Raises `ValueError` and others where they are no good."""
    manifest = files.read_json(place / MANIFEST)
    if not isinstance(manifest, dict) or not {"size", "sha256"} <= manifest.keys():
        raise ValueError("its manifest says nothing of the arrays")
    limit = SPARE + 2 * sum(array.nbytes for array in like.values()) if like else 1 << 40
    data = files.read_bytes(place / ARRAYS, limit)
    if len(data) != manifest["size"] or files.sha256(data) != manifest["sha256"]:
        raise ValueError("its arrays are not those that were saved")
    with zipfile.ZipFile(io.BytesIO(data)) as members:
        if any(member.compress_type != zipfile.ZIP_STORED for member in members.infolist()):
            raise ValueError("its arrays are compressed")  # they could be of any size
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            arrays = {name: np.asarray(array) for name, array in stored.items()}  # a member may be no array
    except Exception as error:  # of whatever kind NumPy's parsers of headers raise
        raise ValueError(f"its arrays cannot be read: {error}") from None
    for name, wanted in (like or {}).items():
        if name not in arrays:
            raise ValueError(f"{name} is missing")
        found = arrays[name]
        same = found.ndim == 1 if wanted.dtype == TEXT and wanted.ndim == 1 else found.shape == wanted.shape
        if not same or found.dtype != wanted.dtype:
            raise ValueError(f"{name} is {found.dtype} {found.shape}, not {wanted.dtype} {wanted.shape}")
    return arrays, manifest
