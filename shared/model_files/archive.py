"""The `.keras` archive of Keras 3: a zip with a document, the weights as HDF5, and a note of the version.

A zip of unknown origin is judged by its table of contents before anything is unpacked, and unpacked in memory: how many
members, which names, how large, how much smaller they are packed. `zipfile` builds that table itself, so its size is
looked at first.
"""

import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

from shared.errors import UserError
from shared.model_files import hdf5, safe_yaml

SIGNATURE = b"PK\x03\x04"
DOCUMENT, WEIGHTS, NOTE = "config.json", "model.weights.h5", "metadata.json"
LIMITS = {DOCUMENT: safe_yaml.MAX_FILE, WEIGHTS: hdf5.MAX_FILE, NOTE: 1 << 16}  # bytes when unpacked
MAX_MEMBERS = 16  # Keras writes three, and `assets/` for layers that we do not have
MAX_RATIO = 100  # unpacked to packed; Keras does not pack at all
MAX_TABLE = 1 << 16  # bytes of the table of contents
_END = struct.Struct("<4s4H2LH")  # the record at the end of every zip, without its comment
_END_SIGNATURE, _ZIP64_SIGNATURE = b"PK\x05\x06", b"PK\x06\x07"
_ZIP64_LOCATOR = 20  # bytes before the end record, in an archive of 4 GiB or more


def unpack(data: bytes, path: str | Path) -> dict[str, bytes]:
    """The document and the weights in an archive, by their names.

    Args:
        data: the archive.
        path: where it comes from, for messages.

    Raises `UserError` when it is damaged or is not what Keras writes.
    """
    _check_end(data, path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_members(archive.infolist(), path)
            return {name: _read(archive, name) for name in (DOCUMENT, WEIGHTS)}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, struct.error, NotImplementedError):
        raise UserError(f"{path}: damaged archive; choose another file") from None


def pack(members: dict[str, bytes]) -> bytes:
    """An archive of these members, not packed, as Keras writes it; the same members give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


def note(keras_version: str) -> bytes:
    """`metadata.json`, with no date, since that would be another one each time."""
    return json.dumps({"keras_version": keras_version, "date_saved": "1980-01-01@00:00:00"}).encode()


def _read(archive, name):
    """A member's bytes; asked for so many, `zipfile` unpacks no more than the member declares."""
    size = archive.getinfo(name).file_size
    with archive.open(name) as member:
        data = member.read(size)
    if len(data) != size:
        raise zipfile.BadZipFile
    return data


def _check_end(data, path):
    """Look at the end record, as `zipfile` will: how large the table of contents says that it is."""
    end = data[-_END.size :]
    if len(end) < _END.size or not end.startswith(_END_SIGNATURE):
        raise UserError(f"{path}: damaged archive: it has no end, or more behind it; choose another file")
    count, table, _, comment = _END.unpack(end)[-4:]
    before = data[-_END.size - _ZIP64_LOCATOR : -_END.size]
    if comment or count > MAX_MEMBERS or table > MAX_TABLE or before.startswith(_ZIP64_SIGNATURE):
        raise UserError(f"{path}: an archive of {count} members, which is none of Keras; choose another file")


def _check_members(members, path):
    """Refuse what Keras does not write, before anything is unpacked."""
    names = [member.filename for member in members]
    for member in members:
        name = member.filename
        where = f"{path}: {name:.60}"
        if names.count(name) > 1:
            raise UserError(f"{where}: is twice in the archive; choose another file")
        if name not in LIMITS and not (name.startswith("assets/") and ".." not in name.split("/")):
            raise UserError(f"{where}: does not belong in an archive of Keras; choose another file")
        if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UserError(f"{where}: is encrypted or packed in an unusual way; save the model again")
        if member.file_size > LIMITS.get(name, hdf5.MAX_FILE):
            raise UserError(
                f"{where}: larger than the {LIMITS.get(name, hdf5.MAX_FILE):,} bytes allowed here; choose another file"
            )
        if member.file_size > MAX_RATIO * max(member.compress_size, 1 << 10):
            raise UserError(
                f"{where}: unpacks from {member.compress_size:,} to {member.file_size:,} bytes, which no "
                "weights do; choose another file"
            )
    for name in (DOCUMENT, WEIGHTS):
        if name not in names:
            raise UserError(f"{path}: an archive without {name}; choose another file")
