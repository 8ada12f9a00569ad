"""Spoiled files of every kind: each must load or be refused in one line, soon, with nothing changed.

Model files are loaded; a run with a spoiled config or checkpoint is gone on with.
"""

import contextlib
import copy
import dataclasses
import io
import json
import shutil
import tempfile
import time
import unittest.mock
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import hdf5_many
import keras
import numpy as np
import yaml

from shared import files, legacy, storage
from shared.commands import train, whole_run
from shared.errors import UserError, one_line
from shared.model_files import hdf5, safe_yaml
from shared.runs import checkpoint
from shared.runs.folder import CONFIG, METRICS

from . import kill

DATA = Path(__file__).parents[1] / "data"
RUN = "run"
SLOW = 15.0  # seconds, on a busy machine
# What may stand where something else should.
STRANGE = (
    *(None, True, False, 0, 1, -1, 2.5, 1e12, 10**25, float("nan"), float("-inf")),
    *("", "x", "no", "\x1b]0;pwned\a", "\u202eevil", "Dense", "Lambda", "relu", "a" * 5000),
    *([], {}, [[1]], [None], ["Dense"], {"class": ["Adam"]}, {"class_name": "Lambda", "config": {}}, [[[[[[]]]]]]),
    *([1] * 5000, ["dense"] * 3000, {"config": {"config": {}}}, [["x", 0, 0]]),
)
BYTES = [bytes([byte]) for byte in b":{}[]&*!|>-?%@,'\"\n\t\x00\x1b\xff\xc3 0e"]


@dataclasses.dataclass
class Report:
    """What became of the files, by kind, and what should not have happened."""

    loaded: Counter = dataclasses.field(default_factory=Counter)
    refused: Counter = dataclasses.field(default_factory=Counter)
    faults: list[str] = dataclasses.field(default_factory=list)
    slowest: float = 0.0  # seconds

    def __str__(self) -> str:
        kinds = sorted(self.loaded | self.refused)
        lines = [f"{kind}: {self.loaded[kind]} loaded, {self.refused[kind]} refused" for kind in kinds]
        return "\n".join([*lines, f"slowest: {self.slowest:.1f} s", f"faults: {len(self.faults)}", *self.faults])


def fuzz(count: int, seed: int, say: Callable[[str], None] = lambda text: None) -> Report:
    """Spoil `count` files, a kind after the other, and use them.

    The same `seed` gives the same files. A fault in the report names the kind and the number with which
    `spoiled(originals, kind, number, seed)` makes that file again. `say` is given the report now and then.
    """
    report = Report()
    with tempfile.TemporaryDirectory() as folder, hdf5_many.Parser(cpu_seconds=1) as parser:
        model = network()
        originals = originals_in(Path(folder), model) | run_files_in(Path(folder) / RUN)
        kinds = list(originals)
        with (
            unittest.mock.patch.object(hdf5, "parse", parser.parse),
            # What reads none of these files, and takes most of the time:
            unittest.mock.patch.object(whole_run, "finish", return_value=()),
        ):
            for number in range(count):
                kind = kinds[number % len(kinds)]
                _try(report, model, kind, spoiled(originals, kind, number, seed), Path(folder), number)
                if number % 500 == 499:
                    say(str(report))
    return report


def network() -> keras.Model:
    """Conv2D, Flatten, two heads of Dense, added; compiled and trained by one batch."""
    keras.utils.set_random_seed(1)
    layers = keras.layers
    state = layers.Input((6, 6, 1), name="state")
    body = layers.Flatten()(layers.Conv2D(2, 3, activation="relu")(state))
    model = keras.Model(state, layers.Add()([layers.Dense(3)(body), layers.Dense(3)(layers.Dropout(0.1)(body))]))
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.PolynomialDecay(1e-2, 10)), keras.losses.Huber())
    model.train_on_batch(np.zeros((2, 6, 6, 1)), np.zeros((2, 3)))
    return model


def originals_in(folder: Path, model: keras.Model) -> dict[str, bytes]:
    """A good file of each kind, made from a model; the weights that some need beside them are left in the folder."""
    saved = storage.save_model(model, folder)
    storage.save_weights(model, folder / "weights.h5")
    model.save(folder / "whole.h5")
    model.save_weights(folder / "v3.weights.h5")
    storage.save_model(model, folder / "model.keras")
    (folder / "keras_1.h5").write_bytes((DATA / "keras_1_th.hdf5").read_bytes())
    return {
        "our YAML": saved.architecture.read_bytes().split(b"weights:")[0],
        "Keras 1 YAML": (DATA / "keras_1_th.yaml").read_bytes(),
        "Keras JSON": model.to_json().encode(),
        "JSON in a text": json.dumps(model.to_json()).encode(),
        "weights": (folder / "weights.h5").read_bytes(),
        "weights of Keras 3": (folder / "v3.weights.h5").read_bytes(),
        "whole HDF5": (folder / "whole.h5").read_bytes(),
        "archive": (folder / "model.keras").read_bytes(),
    }


def run_files_in(folder: Path) -> dict[str, bytes]:
    """The files of a training that was killed when it was over, by what they are; the run is left in the folder."""
    ended, _ = kill.Warm()(folder, ["--out", str(folder)], at=0, phase="end")
    assert not ended
    return {
        "config of a run": (folder / CONFIG).read_bytes(),
        "metrics of a run": (folder / METRICS).read_bytes(),
        "manifest of a checkpoint": (_newest(folder) / checkpoint.MANIFEST).read_bytes(),
        "arrays of a checkpoint": (_newest(folder) / checkpoint.ARRAYS).read_bytes(),
    }


def _newest(folder):
    """The folder of the newest checkpoint."""
    return max(path for path in (folder / checkpoint.FOLDER).iterdir() if path.name.isdecimal())


def spoiled(originals: dict[str, bytes], kind: str, number: int, seed: int) -> bytes:
    """One spoiled file."""
    rng = np.random.default_rng([seed, number])
    data = originals[kind]
    if kind in ("archive", "arrays of a checkpoint") and rng.random() < 0.7:
        return _spoiled_archive(data, rng)
    if kind == "JSON in a text":
        return json.dumps(_spoiled_text(json.loads(data).encode(), rng).decode("utf-8", "replace")).encode()
    if kind in ("our YAML", "Keras 1 YAML", "Keras JSON", "config of a run", "manifest of a checkpoint"):
        return _spoiled_text(data, rng)
    return _spoiled_bytes(data, rng)


def _spoiled_text(data, rng):
    """Bytes in a wrong place, or a value of another type somewhere in the document."""
    if rng.random() < 0.3:
        return _spoiled_bytes(data, rng)
    document = safe_yaml.parse(data, "original", keras_1=True)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        _change_a_place(document, rng)
    if data.startswith(b"{"):
        return json.dumps(document).encode()
    return yaml.dump(document, Dumper=yaml.SafeDumper, sort_keys=False, allow_unicode=True).encode()


def _change_a_place(document, rng):
    """Replace, remove, wrap, double or exchange something in a document, in place."""
    places, waiting = [], [document]
    while waiting:
        item = waiting.pop()
        for key, value in item.items() if isinstance(item, dict) else enumerate(item):
            places.append((item, key))
            if isinstance(value, (dict, list)):
                waiting.append(value)
    if not places:
        return
    (item, key), (other, name) = (places[rng.integers(len(places))] for _ in range(2))
    what = rng.integers(8)
    if what <= 1 and isinstance(item[key], (int, float)):
        item[key] += int(rng.choice([-1, 1, 100]))
    elif what <= 3:
        item[key] = copy.deepcopy(STRANGE[rng.integers(len(STRANGE))])
    elif what == 4:
        del item[key]
    elif what == 5:
        item[key] = [copy.deepcopy(item[key])] * 2
    else:
        item[key] = copy.deepcopy(other[name])


def _spoiled_bytes(data, rng):
    """Some bytes changed, put in, taken away, or the end cut off."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        place, what = int(rng.integers(len(data) or 1)), rng.integers(8)
        if what <= 3 and data:
            data[place % len(data)] ^= 1 << int(rng.integers(8))
        elif what <= 5:
            data[place:place] = BYTES[rng.integers(len(BYTES))]
        elif what == 6:
            del data[place : place + int(rng.integers(1, 64))]
        elif rng.random() < 0.3:
            del data[place:]
    return bytes(data)


def _spoiled_archive(data, rng):
    """An archive in order with a spoiled member, or with members that do not belong there."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = list(members)[rng.integers(len(members))]
    what, packing = rng.integers(8), zipfile.ZIP_STORED
    if what <= 4:
        members[name] = (_spoiled_text if name.endswith("json") else _spoiled_bytes)(members[name], rng)
    elif what == 5:
        del members[name]
    elif what == 6:
        members[["../evil", "/etc/evil", "assets/x", "\x1b[2J"][rng.integers(4)]] = b"x"
    else:
        members[name], packing = bytes(int(rng.integers(1 << 22))), zipfile.ZIP_DEFLATED
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _try(report, model, kind, data, folder, number):
    """Load one spoiled file the way that files of its kind are loaded, and note what comes of it."""
    path = folder / "spoiled"
    if path.is_dir():
        shutil.rmtree(path)
    if not kind.endswith(("of a run", "of a checkpoint")):
        path.unlink(missing_ok=True)
        path.write_bytes(data)
    began = time.monotonic()
    try:
        if kind.startswith("weights"):
            _load_weights(model, path)
        elif kind == "Keras 1 YAML":
            legacy.open_model(path, folder / "keras_1.h5")
        elif kind == "our YAML":
            storage.load_model(path, folder / "dqn_model_weights.hdf5")
        elif kind.endswith(("of a run", "of a checkpoint")):
            _go_on(kind, data, folder / RUN, path)
        elif kind == "archive":
            (storage.load_model if number % 2 else legacy.open_model)(path)
        else:
            legacy.open_model(path, None if kind == "whole HDF5" else folder / "weights.h5")
        report.loaded[kind] += 1
    except UserError as error:
        report.refused[kind] += 1
        message = str(error)
        named = str(folder) in message
        if not named or "\n" in message or not one_line(message).isprintable() or len(message) > 1000:
            report.faults.append(f"{kind}, file {number}: the message {message!r:.300}")
    except Exception as error:
        report.faults.append(f"{kind}, file {number}: {type(error).__name__}: {error!s:.300}")
    seconds = time.monotonic() - began
    report.slowest = max(report.slowest, seconds)
    if seconds > SLOW:
        report.faults.append(f"{kind}, file {number}: took {seconds:.1f} s")


def _go_on(kind, data, original, folder):
    """Go on with a run one of whose files is spoiled; where that is refused, everything must be as it was."""
    folder.unlink(missing_ok=True)
    shutil.copytree(original, folder)
    place = {"config of a run": folder / CONFIG, "metrics of a run": folder / METRICS}.get(kind)
    if place is None:
        manifest = _newest(folder) / checkpoint.MANIFEST
        place = manifest if kind.startswith("manifest") else _newest(folder) / checkpoint.ARRAYS
        if place != manifest:  # as its maker would have it: what it says of the arrays is right
            facts = {"size": len(data), "sha256": files.sha256(data)}
            manifest.write_text(json.dumps(json.loads(manifest.read_text()) | facts))
    place.write_bytes(data)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    told = io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(told):
            train.train(["--resume", str(folder)], kill.WARM)
    except UserError:
        if any(path.read_bytes() != held for path, held in before.items()):
            raise AssertionError("refused, and yet changed") from None
        raise
    finally:
        if not told.getvalue().replace("\n", "").isprintable():
            raise AssertionError(f"printed {told.getvalue()!r:.300}")


def _load_weights(model, path):
    """Load weights into a model; when they are refused it must be as it was."""
    before = model.get_weights()
    try:
        storage.load_weights(model, path)
    except UserError:
        if any((now != then).any() for now, then in zip(model.get_weights(), before, strict=True)):
            raise AssertionError("refused, and yet the model has other weights") from None
        raise
