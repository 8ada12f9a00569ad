"""A file is read with a limit, and appears whole or not at all."""

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from shared import files
from shared.errors import UserError

ROOT = Path(__file__).parent.parent
OLD, NEW = b"old content\n" * 100, b"new content, which is longer\n" * 100


def test_a_file_is_written_and_read_back(tmp_path):
    path = tmp_path / "weights.h5"
    files.write_bytes(path, NEW)
    assert files.read_bytes(path, len(NEW)) == NEW
    assert os.listdir(tmp_path) == ["weights.h5"]
    files.write_bytes(str(path), OLD)
    assert path.read_bytes() == OLD


def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        files.write_bytes(tmp_path / "weights.h5", NEW)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "weights.h5").stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "real.h5", tmp_path / "link.h5"
    target.write_bytes(OLD)
    link.symlink_to(target)
    files.write_bytes(link, NEW)
    assert link.is_symlink()
    assert target.read_bytes() == NEW


def test_sha256_is_that_of_the_standard():
    # FIPS 180-2, appendix B.1.
    assert files.sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(Path.mkdir, "this is a folder", id="folder"),
        pytest.param(
            getattr(os, "mkfifo", None),
            "not a regular file",
            id="pipe",
            marks=pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes"),
        ),
    ],
)
def test_what_is_no_file_is_neither_written_nor_read(tmp_path, make, words):
    path = tmp_path / "weights.h5"
    make(path)
    mode = path.lstat().st_mode
    with pytest.raises(UserError, match=words) as written:
        files.write_bytes(path, NEW)
    with pytest.raises(UserError, match=words) as read:
        files.read_bytes(path, 10_000)
    assert str(written.value).startswith(f"{path}: ")
    assert str(read.value).startswith(f"{path}: ")
    assert path.lstat().st_mode == mode
    assert os.listdir(tmp_path) == ["weights.h5"]


def test_a_missing_folder_is_named(tmp_path):
    path = tmp_path / "nowhere" / "weights.h5"
    with pytest.raises(UserError, match=f"^{path}: no such file or folder; check the path"):
        files.write_bytes(path, NEW)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no such file"), (b"", "empty"), (NEW, "larger than the 1,000 bytes")],
    ids=["missing", "empty", "too large"],
)
def test_what_cannot_be_read_is_said(tmp_path, content, words):
    path = tmp_path / "weights.h5"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=f"^{path}: .*{words}"):
        files.read_bytes(path, 1000)


def test_a_path_with_a_nul_byte_is_refused():
    with pytest.raises(UserError, match="check the path"):
        files.read_bytes("weights\0.h5", 1000)


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
def test_when_the_system_refuses_the_old_file_stays_and_nothing_else(tmp_path, monkeypatch, call, number):
    path = tmp_path / "weights.h5"
    path.write_bytes(OLD)

    def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr("builtins.open" if call == "open" else f"os.{call}", refuse)
        with pytest.raises(UserError, match=f"^{path}: .*; ") as caught:
            files.write_bytes(path, NEW)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == OLD
    assert os.listdir(tmp_path) == ["weights.h5"]


def run(program, tmp_path):
    return subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.skipif(os.name != "posix", reason="needs setrlimit")
def test_a_full_disk_leaves_the_old_file(tmp_path):
    (tmp_path / "weights.h5").write_bytes(OLD)
    done = run(
        "import resource, sys; from shared import files; from shared.errors import UserError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: files.write_bytes(sys.argv[1] + '/weights.h5', b'x' * 5000)\n"
        "except UserError as error: print(error)\n",
        tmp_path,
    )
    assert done.stdout.startswith(f"{tmp_path}/weights.h5: larger than files may be here")
    assert os.listdir(tmp_path) == ["weights.h5"]
    assert (tmp_path / "weights.h5").read_bytes() == OLD


KILLED = """
import os, signal, sys
from shared import files

remaining = int(sys.argv[1].rsplit("-", 1)[1])

def dies(function):
    def call(*args, **kwargs):
        global remaining
        if remaining == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        remaining -= 1
        return function(*args, **kwargs)
    return call

import builtins
builtins.open, os.fsync, os.replace = dies(open), dies(os.fsync), dies(os.replace)
files.write_together({sys.argv[1] + "/a": b"new a", sys.argv[1] + "/b": b"new b"})
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_kill_at_any_call_leaves_each_file_old_or_new(tmp_path):
    seen = []
    for calls in range(20):
        folder = tmp_path / f"after-{calls}"
        folder.mkdir()
        for name in "ab":
            (folder / name).write_bytes(b"old " + name.encode())
        done = run(KILLED, folder)
        a, b = ((folder / name).read_bytes().decode() for name in "ab")
        assert a in ("old a", "new a")
        assert b in ("old b", "new b")
        seen.append((a[:3], b[:3]))
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert seen == sorted(seen, reverse=True), "the files change once, in order"
    assert (seen[0], seen[-1]) == (("old", "old"), ("new", "new"))
    assert calls == 8, "two files: an open, two fsyncs and a rename each"


def test_several_files_change_together_or_not_at_all(tmp_path):
    (tmp_path / "a").write_bytes(OLD)
    with pytest.raises(UserError, match="nowhere"):
        files.write_together({tmp_path / "a": NEW, tmp_path / "nowhere" / "b": NEW})
    assert (tmp_path / "a").read_bytes() == OLD
    assert os.listdir(tmp_path) == ["a"]
