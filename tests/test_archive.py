"""Archives of unknown origin are judged by their table of contents, and unpacked no further than it says."""

import io
import struct
import time
import warnings
import zipfile

import pytest

from shared.errors import UserError
from shared.model_files import archive

GOOD = {
    "metadata.json": b"{}",
    "config.json": b'{"class_name": "Sequential"}',
    "model.weights.h5": b"\x89HDF" + bytes(500),
}


def zipped(members, packing=zipfile.ZIP_STORED):
    """An archive of (name, bytes) pairs, or of a dict."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name that is twice there
        for name, data in members.items() if isinstance(members, dict) else members:
            file.writestr(name, data)
    return buffer.getvalue()


def patched(data, place, form, value):
    data = bytearray(data)
    struct.pack_into(form, data, place, value)
    return bytes(data)


def declared(size):
    """An archive whose weights are said to unpack to so many bytes, in the table and before the member itself."""
    data = zipped(GOOD, zipfile.ZIP_DEFLATED)
    name = b"model.weights.h5"
    data = patched(data, data.index(name) - 30 + 22, "<L", size)
    return patched(data, data.rindex(name) - 46 + 24, "<L", size)


def test_what_was_packed_is_unpacked():
    for data in (
        archive.pack(GOOD),
        zipped(GOOD),
        zipped(GOOD, zipfile.ZIP_DEFLATED),
        zipped(GOOD | {"assets/a/b": b"x"}),
    ):
        assert archive.unpack(data, "a.keras") == {name: GOOD[name] for name in ("config.json", "model.weights.h5")}
    assert archive.pack(GOOD) == archive.pack(GOOD)


HOSTILE = {
    "no weights": (zipped({"config.json": b"{}"}), "an archive without model.weights.h5"),
    "no document": (zipped({"model.weights.h5": b"x"}), "an archive without config.json"),
    "another archive": (zipped({"a.txt": b"x"}), "a.txt: does not belong in an archive of Keras"),
    "up": (zipped(GOOD | {"../evil": b"x"}), r"\.\./evil: does not belong"),
    "up from assets": (zipped(GOOD | {"assets/../../evil": b"x"}), "does not belong"),
    "absolute": (zipped(GOOD | {"/etc/evil": b"x"}), "/etc/evil: does not belong"),
    "twice": (zipped([*GOOD.items(), ("config.json", b"{}")]), "config.json: is twice in the archive"),
    "an escape code": (zipped(GOOD | {"\x1b]0;pwned\a": b"x"}), r"\\x1b\]0;pwned\\x07: does not belong"),
    "many": (zipped(GOOD | {f"assets/{i}": b"" for i in range(20)}), "an archive of 23 members"),
    "a bomb": (
        zipped(GOOD | {"model.weights.h5": bytes(50 << 20)}, zipfile.ZIP_DEFLATED),
        "unpacks from .* to 52,428,800",
    ),
    "a document too large": (
        zipped(GOOD | {"config.json": bytes(2 << 20)}),
        "config.json: larger than the 1,048,576 bytes",
    ),
    "a bomb beside it": (zipped(GOOD | {"assets/x": bytes(50 << 20)}, zipfile.ZIP_DEFLATED), "assets/x: unpacks from"),
    "4 GiB": (declared(0xFFFFFFF0), "model.weights.h5: larger than the 268,435,456 bytes"),
    "less than there is": (declared(100), "damaged archive"),
    "more than there is": (declared(5000), "damaged archive"),
    "packed by LZMA": (zipped(GOOD, zipfile.ZIP_LZMA), "packed in an unusual way"),
    "encrypted": (patched(zipped(GOOD), zipped(GOOD).index(b"PK\x01\x02") + 8, "<H", 1), "is encrypted"),
    "cut": (zipped(GOOD)[:-1], "it has no end, or more behind it"),
    "more behind it": (zipped(GOOD) + b"x", "it has no end, or more behind it"),
    "only a beginning": (b"PK\x03\x04", "it has no end"),
    "a changed byte": (zipped(GOOD).replace(b"Sequential", b"sequential", 1), "damaged archive"),
    "a table too large": (patched(zipped(GOOD), len(zipped(GOOD)) - 10, "<L", 1 << 20), "an archive of 3 members"),
    "a table elsewhere": (patched(zipped(GOOD), len(zipped(GOOD)) - 6, "<L", 1 << 30), "damaged archive"),
    "64 bits": (zipped(GOOD)[:-22] + b"PK\x06\x07" + bytes(16) + zipped(GOOD)[-22:], "which is none of Keras"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_at_once(name):
    data, words = HOSTILE[name]
    began = time.process_time()
    with pytest.raises(UserError, match=f"^a.keras: .*{words}") as caught:
        archive.unpack(data, "a.keras")
    assert str(caught.value).isprintable()
    assert time.process_time() - began < 2


def test_a_million_members_are_not_even_listed():
    """`zipfile` would take half a minute and a gigabyte to list them."""
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 60 << 20, 0, 0)
    began = time.process_time()
    with pytest.raises(UserError, match="an archive of 65535 members"):
        archive.unpack(b"PK\x03\x04" + bytes(60 << 20) + end, "a.keras")
    assert time.process_time() - began < 2
