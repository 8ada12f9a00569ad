"""Programs that were compiled before change nothing but the time, and whatever lies in their folder does no harm."""

import contextlib
import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from shared import compile_cache
from shared.commands.parser import Parser
from shared.compile_cache import IN_MEMORY, OURS, VARIABLE, CompileCache

ROOT = Path(__file__).parent.parent
ONE, TWO = (f"xla_compile_cache__{number}__2__XLA_CPU_JIT.pb" for number in (1, 2))
FACTS = {"tensorflow": "2.21.0", "threads": 2}


class Ram(dict):
    """A file system in memory, as `tf.io.gfile` is: names of the files in the one folder, and what they hold."""

    makedirs = staticmethod(lambda path: None)

    def listdir(self, path):
        return list(self)

    @contextlib.contextmanager
    def GFile(self, path, mode):
        name = path.removeprefix(f"{IN_MEMORY}/")
        file = io.BytesIO(self[name] if mode == "rb" else b"")
        yield file
        self[name] = file.getvalue()


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """The folder on the disk, which is not there yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(VARIABLE, OURS)
    return tmp_path / "cache" / "keras-dqn-tutorials"


def started(facts=FACTS):
    """The RAM file system of a process that has just begun, and its cache."""
    ram = Ram()
    cache = CompileCache(ram)
    cache.fill(facts)
    return ram, cache


def compiled(**programs):
    """A process compiles programs, and ends. Returns the paths of the files on the disk."""
    ram, cache = started()
    ram.update({name: programs[key] for key, name in (("one", ONE), ("two", TWO)) if key in programs})
    cache.keep()
    return sorted(compile_cache.place().rglob("*.pb"))


def test_the_next_process_finds_what_this_one_has_compiled():
    compiled(one=b"first", two=b"second")
    assert started()[0] == {ONE: b"first", TWO: b"second"}


@pytest.mark.parametrize("facts", [FACTS | {"threads": 4}, FACTS | {"tensorflow": "2.21.1"}])
def test_other_versions_and_other_threads_have_their_own(facts):
    compiled(one=b"first")
    assert started(facts)[0] == {}
    assert started()[0] == {ONE: b"first"}


def test_another_processor_has_its_own(monkeypatch):
    compiled(one=b"first")
    monkeypatch.setattr(compile_cache, "_instructions", lambda: "flags: avx512f")
    assert started()[0] == {}


def test_nothing_is_written_where_nothing_is_new():
    (path,) = compiled(one=b"first")
    before = path.stat()
    ram, cache = started()
    cache.keep()
    assert (path.stat().st_ino, ram) == (before.st_ino, {ONE: b"first"})


DAMAGES = {
    "empty": lambda data: b"",
    "garbage": lambda data: b"\x7fELF" * 99,
    "cut": lambda data: data[:-1],
    "one bit": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "short": lambda data: data[:9],
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_is_as_if_it_were_not_there(name):
    first, _ = compiled(one=b"first", two=b"second")
    first.write_bytes(DAMAGES[name](first.read_bytes()))
    assert started()[0] == {TWO: b"second"}
    compiled(one=b"first")
    assert started()[0] == {ONE: b"first", TWO: b"second"}


def test_a_file_that_stood_elsewhere_is_not_used():
    first, second = compiled(one=b"first", two=b"second")
    os.replace(first, second)
    assert started()[0] == {}
    ram, _ = started(FACTS | {"threads": 4})
    os.replace(second, next(path for path in compile_cache.place().iterdir() if not any(path.iterdir())) / ONE)
    assert started(FACTS | {"threads": 4})[0] == ram == {}


def test_a_link_and_a_folder_among_the_files_are_not_used(tmp_path):
    first, second = compiled(one=b"first", two=b"second")
    first.rename(tmp_path / "elsewhere")
    first.symlink_to(tmp_path / "elsewhere")
    second.unlink()
    second.mkdir()
    assert started()[0] == {}


def test_only_the_user_can_open_the_folder(place):
    old = os.umask(0)
    try:
        compiled(one=b"first")
    finally:
        os.umask(old)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (place, *place.iterdir())} == {0o700}


def _a_file(place):
    place.parent.mkdir()
    place.write_text("mine")


def _a_link(place):
    place.parent.mkdir()
    (place.parent / "other").mkdir(mode=0o700)
    place.symlink_to(place.parent / "other")


@pytest.mark.parametrize(
    "make",
    [lambda place: place.mkdir(0o755, parents=True), lambda place: place.mkdir(0o770, parents=True), _a_file, _a_link],
    ids=["read by others", "written by a group", "a file", "a link"],
)
def test_a_folder_that_is_not_the_users_alone_is_left_as_it_is_with_one_line(place, make, capsys):
    make(place)
    old = os.umask(0)
    before = place.lstat()
    assert compiled(one=b"first") == []
    os.umask(old)
    assert (place.lstat().st_mode, place.lstat().st_mtime) == (before.st_mode, before.st_mtime)
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"{place}: not a folder that only you can open" in told
    assert "--no-compile-cache" in told


def test_another_users_folder_is_not_used(place, monkeypatch, capsys):
    compiled(one=b"first")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert started()[0] == {}
    assert "not a folder that only you can open" in capsys.readouterr().err


def test_where_nothing_can_be_written_nothing_is_said(place, monkeypatch, capsys):
    place.parent.write_text("a file where the cache folder should be")
    assert compiled(one=b"first") == []
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    started()[1].keep()
    assert capsys.readouterr().err == ""


def test_a_folder_that_goes_away_or_a_full_disk_cost_nothing(place, monkeypatch, capsys):
    compiled(two=b"second")
    ram, cache = started()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    ram[ONE] = b"first"
    cache.keep()
    assert started()[0] == {TWO: b"second"}
    assert capsys.readouterr().err == ""


def test_the_oldest_files_go_and_nothing_else(place, monkeypatch):
    monkeypatch.setattr(compile_cache, "LIMIT", 500)
    (first,) = compiled(one=b"1" * 300)
    os.utime(first, (1, 1))
    others = [place / "notes.txt", first.parent / "notes.pb", place / "compiled-mine" / ONE]
    others[2].parent.mkdir()
    for path in others:
        path.write_bytes(b"mine" * 500)
    half = first.with_name(f".{'0' * 32}.tmp")
    half.write_bytes(b"half")
    os.utime(half, (1, 1))
    ram, cache = started(FACTS | {"threads": 4})
    ram[TWO] = b"2" * 300
    cache.keep()
    assert not first.exists()
    assert not half.exists()
    assert all(path.read_bytes() == b"mine" * 500 for path in others)
    assert started(FACTS | {"threads": 4})[0] == {TWO: b"2" * 300}


@pytest.mark.parametrize(
    ("asked", "then"),
    [
        ("", OURS),
        ("--tf_xla_max_cluster_size=9", f"--tf_xla_max_cluster_size=9 {OURS}"),
        ("--tf_xla_persistent_cache_directory=/mine", "--tf_xla_persistent_cache_directory=/mine"),
        ("/a/file/of/flags", "/a/file/of/flags"),
    ],
)
def test_what_the_user_has_set_is_left_alone(asked, then, monkeypatch, place):
    monkeypatch.setenv(VARIABLE, asked)
    compile_cache.switch_on()
    compile_cache.switch_on()  # as in a process that was started from here
    assert os.environ[VARIABLE] == then
    if OURS not in then:
        compiled(one=b"first")
        assert not place.exists()


def test_a_flag_switches_it_off_here_and_in_what_is_started_from_here(monkeypatch, place):
    monkeypatch.setenv(VARIABLE, f"--tf_xla_max_cluster_size=9 {OURS}")
    parser = Parser("catch_dqn.train", "")
    parser.add_compile_cache()
    parser.parse_args(["--no-compile-cache"])
    compile_cache.switch_on()
    assert os.environ[VARIABLE] == "--tf_xla_max_cluster_size=9 --tf_xla_persistent_cache_directory="
    compiled(one=b"first")
    assert not place.exists()


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, "home/.cache"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "home/.cache"),
        ("darwin", {}, "home/Library/Caches"),
        ("win32", {}, "home/AppData/Local"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local"),
    ],
)
def test_every_system_has_its_place(monkeypatch, platform, variables, expected):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("home"))
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert compile_cache.place() == Path(expected) / "keras-dqn-tutorials"


def test_a_training_comes_to_the_same_weights_with_it_and_without(tmp_path, place):
    """Two at once, one of them without the cache, then one more, which compiles nothing new."""
    small = ["--episodes", "60", "--hidden", "16", "16", "--batch-size", "16", "--replay-capacity", "200"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), VARIABLE: ""}

    def start(name, *more):
        words = [sys.executable, "-m", "catch_dqn.train", *small, "--out", name, *more]
        return subprocess.Popen(words, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL)

    def names():
        return {path.name for path in place.rglob("*.pb")}

    def weights(name):
        with h5py.File(tmp_path / name / "game_weights.h5") as file:
            found = []
            file.visititems(lambda key, item: found.append(item[()].tobytes()) if isinstance(item, h5py.Dataset) else 0)
            return found

    assert [process.wait() for process in (start("none", "--no-compile-cache"), start("cold"))] == [0, 0]
    after_first = names()
    assert len(after_first) >= 4
    assert start("warm").wait() == 0
    assert names() == after_first
    assert weights("none") == weights("cold") == weights("warm")
