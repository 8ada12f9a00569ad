"""Logs beside `metrics.csv`: what TensorBoard, Trackio and Weights & Biases find; none of it costs a training."""

import csv
import importlib.util
import json
import sqlite3
import struct
from pathlib import Path

import pytest

from catch_dqn import train
from shared import names
from shared.errors import UserError
from shared.runs import logs
from shared.runs.folder import METRICS, Run

CONFIG = {"experiment": "catch_dqn", "settings": {"batch_size": 16}}
GIF = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\4\0\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"  # one pixel
SMALL = ["--episodes", "60", "--hidden", "16", "16", "--batch-size", "16", "--replay-capacity", "200"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def row(number, loss):
    return {"steps": 10 * number, "score": "nan" if number < 2 else 0.5, "loss": f"{loss:.6g}", "seconds": number / 8}


def in_tensorboard(folder):
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    (path,) = (folder / "tensorboard").iterdir()
    for event in EventFileLoader(str(path)).Load():
        for value in event.summary.value:
            is_scalar = value.metadata.plugin_data.plugin_name == "scalars"
            yield event.step, value.tag, value.tensor.float_val[0] if is_scalar else value.tensor.string_val[2]


def in_trackio(folder):
    found = sqlite3.connect(folder / "trackio" / "catch_dqn.db").execute("SELECT step, metrics FROM metrics")
    for step, metrics in found.fetchall():
        for name, value in json.loads(metrics).items():
            is_video = isinstance(value, dict)
            yield step, name, (folder / "trackio" / "media" / value["file_path"]).read_bytes() if is_video else value


def in_wandb(folder):
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = (folder / "wandb").glob("offline-run-*/run-*.wandb")
    for data in leveldb_records(path.read_bytes()[7:], first_block=32768 - 7):
        record = Record()
        record.ParseFromString(data)
        items = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        for name, value in items.items():
            if name.endswith("/path"):
                yield int(items["_step"]), name.removesuffix("/path"), (path.parent / "files" / value).read_bytes()
            elif not name.startswith(("_", "evaluation/games")):
                yield int(items["_step"]), name, float(value)


def leveldb_records(data, first_block):
    """The records in a log of LevelDB's kind: blocks of pieces, each with a checksum, its length and its kind."""
    at, end, whole = 0, first_block, b""
    while at + 7 <= len(data):
        if end - at < 7:
            at, end = end, end + 32768
            continue
        _, size, kind = struct.unpack("<IHB", data[at : at + 7])
        whole += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # all of a record; the last piece of one
            yield whole
            whole = b""


FOUND = {"tensorboard": in_tensorboard, "trackio": in_trackio, "wandb": in_wandb}


@pytest.mark.parametrize("name", FOUND)
def test_a_log_has_one_value_for_each_step_whatever_was_killed_in_between(name, monkeypatch, capsys):
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is an extra: pip install .[{name}]")
    monkeypatch.setenv("TRACKIO_SPACE_ID", "somebody/else")
    monkeypatch.setenv("WANDB_MODE", "online")
    run = Run.claim("run")
    run.begin(CONFIG, "weights.h5")
    run.add_metrics(row(1, 9.0))
    run.log_to([name])
    for number in (2, 3):
        run.add_metrics(row(number, 9.0))
    size = run.sync(METRICS)
    run.add_metrics(row(4, 9.0))  # after the checkpoint
    run.close()

    run = Run.open("run")
    run.cut(METRICS, size)
    run.log_to([name])
    for number in (4, 5):
        run.add_metrics(row(number, 1.0))
    run.logs.finish(50, {"mean_score": 0.75, "unknown": float("nan")}, lambda: GIF)
    run.close()

    found = [(step, what, value) for step, what, value in FOUND[name](Path("run")) if what not in ("seconds", "step")]
    expected = [(10 * number, "loss", 9.0 if number < 4 else 1.0) for number in range(1, 6)]
    expected += [(10 * number, "score", 0.5) for number in range(2, 6)]
    expected += [(50, "evaluation/mean_score", 0.75), (50, "evaluation/games", GIF)]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert "warning" not in capsys.readouterr().err

    own = Path("run") / name / "mine.txt"
    own.write_text("a note of the user's")
    run = Run.claim("run", overwrite=True)
    run.begin(CONFIG, "weights.h5")
    run.close()
    assert [path for path in Path("run", name).rglob("*") if path.is_file()] == [own]


class Fails:
    """A sink that fails when it is told to."""

    leaves = None
    at, told = "", []

    def __init__(self, folder, about):
        self.told.clear()
        self._may("begin")

    def add(self, step, numbers, at):
        self._may("add")
        self.told.append(step)

    def add_games(self, step, name, gif):
        self._may("games")

    def close(self):
        self._may("close")

    def _may(self, what):
        if what == self.at:
            raise RuntimeError(f"cannot {what}")


@pytest.mark.parametrize("at", ["begin", "add", "games", "close"])
def test_a_log_that_fails_is_one_warning_and_the_others_go_on(at, monkeypatch, capsys):
    class Works(Fails):
        told = []

    monkeypatch.setitem(names.SINKS, "fails", Fails)
    monkeypatch.setitem(names.SINKS, "works", Works)
    monkeypatch.setattr(Fails, "at", at)
    monkeypatch.setattr(Works, "at", "")
    run = Run.claim("run")
    monkeypatch.setattr(logs, "clear", lambda *_: None)
    run.begin(CONFIG, "weights.h5")
    run.log_to(["fails", "works"])
    for number in (1, 2, 3):
        run.add_metrics(row(number, 1.0))
    run.logs.finish(30, {"mean_score": 1.0}, lambda: GIF)
    run.close()
    assert Works.told == [10, 20, 30, 30]
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"--log fails: cannot {at}; the training goes on without this log" in told
    assert len(run.read_metrics()) == 3


def test_games_that_cannot_be_drawn_are_one_warning(monkeypatch, capsys):
    monkeypatch.setitem(names.SINKS, "works", Fails)
    monkeypatch.setattr(Fails, "at", "")
    monkeypatch.setattr(logs, "clear", lambda *_: None)
    log = logs.Logs(Path(), ["works"], lambda: CONFIG, list)
    log.finish(30, {}, lambda: 1 / 0)
    assert "the games cannot be shown (division by zero)" in capsys.readouterr().err


def test_a_log_lies_about_no_folder_of_somebodys(tmp_path):
    Path("run").mkdir()
    Path("thesis").mkdir()
    for path in ("thesis/events.out.tfevents.1", "thesis/debug.log"):
        Path(path).write_text("years of work")
    Path("run/tensorboard").symlink_to(tmp_path / "thesis")
    Path("run/wandb").mkdir()
    Path("run/wandb/latest-run").symlink_to(tmp_path / "thesis")
    logs.clear(Path("run"))
    assert not Path("run/wandb").exists()
    assert len(list(Path("thesis").iterdir())) == 2


def test_what_is_not_there_is_one_line_before_anything_begins(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "wandb" else real(name))
    with pytest.raises(UserError, match=r'^--log wandb: wandb is not installed; run pip install "\.\[wandb\]"'):
        train.main(["--log", "tensorboard,wandb", "--out", "run"])
    with pytest.raises(UserError, match=r"^--log: 'tensorbord' is no log; give some of tensorboard,trackio,wandb"):
        train.main(["--log", "tensorbord", "--out", "run"])
    assert not Path("run").exists()


def test_a_folder_of_that_name_is_not_the_package(monkeypatch):
    """As Weights & Biases leaves one wherever it is used."""
    Path("no_such_package").mkdir()
    monkeypatch.syspath_prepend(".")
    with pytest.raises(UserError, match="no_such_package is not installed"):
        logs.require(["no_such_package"])


def test_a_training_shows_the_rows_of_its_metrics_and_games(capsys):
    pytest.importorskip("tensorboard")
    assert train.main([*SMALL, "--log", "tensorboard", "--out", "run"]) == 0
    with open("run/metrics.csv") as file:
        rows = list(csv.DictReader(file))
    found = list(in_tensorboard(Path("run")))
    for name in ("loss", "win_rate", "epsilon"):
        expected = [(int(row["steps"]), pytest.approx(float(row[name]))) for row in rows if row[name] != "nan"]
        assert [(step, value) for step, what, value in found if what == name] == expected
    assert next(value for _, what, value in found if what == "evaluation/games").startswith(b"GIF89a")
    summary = json.loads(Path("run/summary.json").read_text())
    assert (540, "evaluation/wins", summary["wins"]) in found
    assert "warning" not in capsys.readouterr().err
