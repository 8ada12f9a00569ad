"""The whole training state on disk, so that a run killed at any moment goes on to the bit.

`checkpoints/<number>/` holds `arrays.npz` and `manifest.json` (size and SHA-256 of the arrays, what the run was, on
what it ran). A checkpoint is written beside its place and renamed into it; the two newest are kept, and the newest
that verifies is the one to go on from.
"""

import hashlib
import io
import json
import os
import shutil
import warnings
from pathlib import Path

import numpy as np

from shared import files
from shared.errors import UserError

FOLDER = "checkpoints"
ARRAYS, MANIFEST = "arrays.npz", "manifest.json"
KEPT = 2


def save(run_path, number, arrays, facts):
    """Write a checkpoint.

    Args:
        run_path: the run's folder.
        number: grows from checkpoint to checkpoint, such as the environment steps taken.
        arrays: dict of NumPy arrays by name.
        facts: a JSON object, kept in the manifest.
    """
    folder = Path(run_path) / FOLDER
    place, beside = folder / f"{number:012d}", folder / "being-written"
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    data = buffer.getvalue()
    manifest = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), **facts}
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        files.write_bytes(beside / ARRAYS, data)
        files.write_bytes(beside / MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())
        if place.exists():  # a resumed run has come by here again
            shutil.rmtree(place)
        os.replace(beside, place)
        files.sync_directory(folder)
        for old in _numbered(folder)[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise files.user_error(folder, error) from None


def load(run_path):
    """Read the newest checkpoint that verifies.

    Returns its arrays (dict by name) and its manifest. Warns where a newer one was damaged.

    Raises:
        UserError: if there is none.
    """
    folder = Path(run_path) / FOLDER
    for place in reversed(_numbered(folder)):
        try:
            manifest = json.loads((place / MANIFEST).read_text())
            data = (place / ARRAYS).read_bytes()
            if len(data) == manifest["size"] and hashlib.sha256(data).hexdigest() == manifest["sha256"]:
                with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                    return dict(arrays), manifest
        except (OSError, ValueError, KeyError, TypeError):
            pass
        warnings.warn(f"{place}: damaged, passed over for the checkpoint before it", stacklevel=2)
    raise UserError(f"{run_path}: has no checkpoint to go on from; start again with --overwrite, or give another --out")


def _numbered(folder):
    return sorted(path for path in folder.glob("*") if path.name.isdigit()) if folder.is_dir() else []
