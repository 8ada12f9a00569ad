"""Weights files of unknown origin, read without trusting them.

A child process (`shared/model_files/hdf5_child.py`) does the parsing, because damaged files crash and hang the HDF5
library. This side never opens such a file with h5py; it believes nothing in the answer that it has not checked.
"""

import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.errors import UserError
from shared.model_files.hdf5_child import NUMBERS

CHILD = Path(__file__).with_name("hdf5_child.py")
SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAX_FILE = 256 << 20  # bytes
CHILD_MEMORY = 1 << 30  # bytes of address space, beside what the file itself needs
CPU_SECONDS = 5
WALL_SECONDS = 20  # a busy machine may need some to start Python
MAX_HEADER = 8 << 20  # bytes


@dataclass(frozen=True)
class StoredArray:
    """One array of a file. `values` is None where it could not be read: an odd type, or more than the file can hold."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    values: np.ndarray | None


@dataclass(frozen=True)
class StoredLayer:
    """The arrays that a file keeps for one layer."""

    name: str
    arrays: tuple[StoredArray, ...]

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of its arrays."""
        return tuple(array.shape for array in self.arrays)


@dataclass(frozen=True)
class WeightsFile:
    """What an HDF5 file written by some version of Keras holds.

    `layout` is "legacy" or "v3" (`shared/model_files/hdf5_child.py` tells them apart by content). `layers` lists those
    that have weights: in the model's order in the legacy layout, by kind and number in v3. `optimizer` are its
    variables, where saved.
    `attributes` has what there is of `hdf5_child.TEXTS`, `backends` what any part of the file says that it was made
    under, in small letters.
    """

    layout: str
    layers: tuple[StoredLayer, ...]
    optimizer: tuple[StoredArray, ...]
    attributes: dict[str, str]
    backends: frozenset[str]


def parse(data: bytes, path: str | Path) -> WeightsFile:
    """Parse the bytes of an HDF5 file in a child process.

    Args:
        data: the bytes.
        path: where they come from, for messages.

    Returns a `WeightsFile`. Raises `UserError` when it is not a weights file, is damaged, or is not plain data.
    """
    if not data.startswith(SIGNATURE):
        raise UserError(f"{path}: not an HDF5 file; choose another")
    command = [sys.executable, "-P", str(CHILD), str(CHILD_MEMORY + 4 * len(data)), str(CPU_SECONDS)]
    # One thread: each of OpenBLAS' threads would take its share of the address space.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    hostile = UserError(f"{path}: damaged or hostile HDF5 file; choose another")
    try:
        answer = subprocess.run(
            command,
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=WALL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise hostile from None
    except OSError as error:
        raise UserError(
            f"{path}: no process could be started to read it ({error.strerror}); free some memory"
        ) from None
    if answer.returncode != 0:
        raise hostile
    try:
        return read_answer(answer.stdout, path)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise hostile from None


def read_answer(answer: bytes, path: str | Path) -> WeightsFile:
    """Turn the child's answer into a `WeightsFile`.

    Raises `UserError` with the child's reason to refuse the file; any other exception means that the child was not
    itself any more.
    """
    end = answer.index(b"\n", 0, MAX_HEADER)
    header = json.loads(answer[:end])
    if "refused" in header:
        reason = " ".join(str(header["refused"])[:300].split())
        raise UserError(f"{path}: {reason if reason.isprintable() else 'damaged file'}; choose another file")
    body = memoryview(answer)[end + 1 :]

    def arrays(listed):
        nonlocal body
        for item in listed:
            name, shape, dtype = str(item["name"]), tuple(int(size) for size in item["shape"]), str(item["dtype"])
            values = None
            if item["read"]:
                if dtype not in NUMBERS or min(shape, default=0) < 0:
                    raise ValueError
                size = math.prod(shape) * np.dtype(dtype).itemsize
                values = np.frombuffer(body[:size], dtype).reshape(shape)
                body = body[size:]
            yield StoredArray(name, shape, dtype, values)

    layers = tuple(StoredLayer(str(name), tuple(arrays(listed))) for name, listed in header["layers"])
    optimizer = tuple(array for _, listed in header["optimizer"] for array in arrays(listed))
    attributes = {str(key): str(text) for key, text in header["attributes"].items()}
    if header["layout"] not in ("legacy", "v3") or len(body):
        raise ValueError
    backends = frozenset(str(text).lower() for text in header["backends"])
    return WeightsFile(header["layout"], layers, optimizer, attributes, backends)
