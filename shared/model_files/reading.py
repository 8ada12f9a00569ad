"""The first stages of a model file: its bytes are read once, and they say of what kind it is, not its name."""

from pathlib import Path
from typing import NamedTuple

from shared import files
from shared.errors import UserError
from shared.model_files import archive, hdf5


class ModelFile(NamedTuple):
    """What a file holds: the text of a document, arrays, or both."""

    path: Path
    sha256: str
    text: bytes | None
    arrays: hdf5.WeightsFile | None
    is_archive: bool = False


class ArraysFile(NamedTuple):
    """The arrays of a file."""

    path: Path
    sha256: str
    arrays: hdf5.WeightsFile


def read(path: str | Path) -> ModelFile:
    """Read a file of any of the kinds that `docs/files.md` lists: HDF5, an archive of Keras 3, or a text.

    Raises `UserError` when it cannot be read, is larger than such files are, or is damaged.
    """
    data, path = files.read_bytes(path, hdf5.MAX_FILE), Path(path)
    sha256 = files.sha256(data)
    if data.startswith(hdf5.SIGNATURE):
        arrays = hdf5.parse(data, path)
        config = arrays.attributes.get("model_config")
        text = None if config is None else config.encode("utf-8", "surrogateescape")
        return ModelFile(path, sha256, text, arrays)
    if data.startswith(archive.SIGNATURE):
        members = archive.unpack(data, path)
        arrays = hdf5.parse(members[archive.WEIGHTS], path)
        return ModelFile(path, sha256, members[archive.DOCUMENT], arrays, is_archive=True)
    return ModelFile(path, sha256, data, None)


def read_arrays(path: str | Path) -> ArraysFile:
    """The same for a file that must hold arrays."""
    file = read(path)
    if file.arrays is None:
        raise UserError(f"{path}: not an HDF5 file, nor a .keras archive; choose another")
    return ArraysFile(file.path, file.sha256, file.arrays)
