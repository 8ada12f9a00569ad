"""Checkpoints: what is read back is what was written, or the one before it, or nothing."""

import io
import json
import zipfile

import numpy as np
import pytest

from shared import files
from shared.errors import UserError
from shared.runs import checkpoint

ARRAYS = {"a/b": np.arange(5, dtype=np.float32), "steps": np.array(7)}


def save(folder, number, scale=1):
    checkpoint.save(folder, number, {name: array * scale for name, array in ARRAYS.items()}, {"seconds": 1.5})


def test_round_trip(tmp_path):
    save(tmp_path, 10)
    arrays, manifest = checkpoint.load(tmp_path)
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype
    assert manifest["seconds"] == 1.5


def test_two_newest_are_kept(tmp_path):
    for number in (9, 10, 100, 99):
        save(tmp_path, number)
    assert [path.name for path in sorted((tmp_path / "checkpoints").iterdir())] == ["000000000099", "000000000100"]


@pytest.mark.parametrize("damage", ["truncated", "one bit", "no manifest", "manifest is no JSON", "manifest is a list"])
def test_a_damaged_one_is_passed_over_with_a_warning(tmp_path, damage, capsys):
    save(tmp_path, 1, scale=3)
    save(tmp_path, 2)
    newest = tmp_path / "checkpoints" / f"{2:012d}"
    data = bytearray((newest / "arrays.npz").read_bytes())
    if damage == "truncated":
        (newest / "arrays.npz").write_bytes(data[:-1])
    elif damage == "one bit":
        data[len(data) // 2] ^= 1
        (newest / "arrays.npz").write_bytes(data)
    elif damage == "no manifest":
        (newest / "manifest.json").unlink()
    else:
        (newest / "manifest.json").write_text("[" if "no JSON" in damage else "[]")
    arrays, _ = checkpoint.load(tmp_path)
    assert f"warning: {newest}: damaged, passed over" in capsys.readouterr().err
    assert int(arrays["steps"]) == 21


def test_none_to_go_on_from(tmp_path):
    with pytest.raises(UserError, match="has no checkpoint to go on from"):
        checkpoint.load(tmp_path)


def test_half_written_one_does_not_count(tmp_path):
    save(tmp_path, 1)
    half = tmp_path / "checkpoints" / "being-written"
    half.mkdir()
    (half / "arrays.npz").write_bytes(b"half")
    arrays, _ = checkpoint.load(tmp_path)
    assert int(arrays["steps"]) == 7
    save(tmp_path, 2, scale=2)
    assert not half.exists()


@pytest.mark.parametrize("step", ["write", "fsync", "rename"])
def test_a_failure_at_any_step_leaves_the_one_before(tmp_path, monkeypatch, step):
    import os

    save(tmp_path, 1)
    with monkeypatch.context() as patched:
        name = {"write": "os.open", "fsync": "os.fsync", "rename": "os.replace"}[step]

        def fail(*_args, **_options):
            raise OSError(28, os.strerror(28))

        if step == "write":
            patched.setattr("shared.files._write_through", fail)
        else:
            patched.setattr(name, fail)
        with pytest.raises(UserError, match="the disk is full"):
            save(tmp_path, 2, scale=2)
    arrays, _ = checkpoint.load(tmp_path)
    assert int(arrays["steps"]) == 7


def forged(folder, number, data):
    """A checkpoint of somebody else's making, whose manifest is right about its arrays."""
    save(folder, number)
    place = folder / "checkpoints" / f"{number:012d}"
    (place / "arrays.npz").write_bytes(data)
    (place / "manifest.json").write_text(json.dumps({"size": len(data), "sha256": files.sha256(data)}))


def npz(compressed=False, **arrays):
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def bomb():
    """An array that says it is larger than any machine."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": (1 << 50,)})
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as members:
        members.writestr("a/b.npy", buffer.getvalue())
        members.writestr("steps.npy", buffer.getvalue())
    return data.getvalue()


def broken_header():
    """An array whose header is no Python literal."""
    return npz(**ARRAYS).replace(b"'fortran_order'", b"(fortran_order'")


def stray_member():
    """A member with the name of an array that is none."""
    data = io.BytesIO(npz(steps=ARRAYS["steps"]))
    with zipfile.ZipFile(data, "a") as members:
        members.writestr("a/b", b"no array")
    return data.getvalue()


FOREIGN = {
    "a stray member": stray_member(),
    "a broken header": broken_header(),
    "another shape": npz(**ARRAYS | {"a/b": np.zeros(6, np.float32)}),
    "another type": npz(**ARRAYS | {"a/b": np.zeros(5)}),
    "an array is missing": npz(steps=ARRAYS["steps"]),
    "objects": npz(**ARRAYS | {"a/b": np.array([{}] * 5, object)}),
    "compressed": npz(compressed=True, **ARRAYS),
    "a bomb": bomb(),
    "no zip": b"PK" + bytes(100),
    "half a zip": npz(**ARRAYS)[:-30],
    "one array": npz(**ARRAYS)[30:],
}


@pytest.mark.parametrize("data", FOREIGN.values(), ids=FOREIGN.keys())
def test_one_that_holds_something_else_is_passed_over(tmp_path, capsys, data):
    save(tmp_path, 1, scale=3)
    forged(tmp_path, 2, data)
    arrays, _ = checkpoint.load(tmp_path, like=ARRAYS)
    assert int(arrays["steps"]) == 21
    told = capsys.readouterr().err
    assert f"{2:012d}: damaged, passed over for the checkpoint before it (" in told
    assert told.count("\n") == 1


def test_one_that_cannot_be_restored_is_passed_over(tmp_path, capsys):
    save(tmp_path, 1, scale=3)
    save(tmp_path, 2)

    def restore(arrays, manifest):
        if arrays["steps"] == 7:
            raise ValueError("not these")
        return arrays["steps"], manifest["seconds"]

    assert checkpoint.load(tmp_path, restore=restore) == (21, 1.5)
    assert "(not these)" in capsys.readouterr().err


def test_text_may_have_any_length(tmp_path):
    like = {"text": np.frombuffer(b"abc", np.uint8)}
    checkpoint.save(tmp_path, 1, {"text": np.frombuffer(b"abcdef", np.uint8)}, {})
    assert checkpoint.load(tmp_path, like)[0]["text"].tobytes() == b"abcdef"


def test_removing_them_leaves_what_is_not_of_one(tmp_path):
    save(tmp_path, 1)
    (tmp_path / "checkpoints" / "best").mkdir()
    (tmp_path / "checkpoints" / "best" / "arrays.npz").write_text("mine")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "arrays.npz").write_text("mine")
    (tmp_path / "checkpoints" / f"{2:012d}").symlink_to(elsewhere)
    checkpoint.remove(tmp_path)
    left = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert left == [f"{2:012d}", "best"]
    assert (elsewhere / "arrays.npz").exists()
    assert (tmp_path / "checkpoints" / "best" / "arrays.npz").exists()
