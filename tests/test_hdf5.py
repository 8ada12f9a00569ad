"""Weights files of unknown origin are read without harm, or refused in one line with the network unchanged."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import hdf5_many
import keras
import numpy as np
import pytest
from hdf5_hostile import HOSTILE

from shared import storage
from shared.errors import UserError
from shared.model_files import assignment, hdf5

ROOT = Path(__file__).parent.parent
FLIPPED_FILES = 200


def network(seed=1):
    """Conv2D (3, 3, 1, 2), Dense (32, 4), Dense (4, 3)."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((6, 6, 1)),
            layers.Conv2D(2, 3, activation="relu", name="conv"),
            layers.Flatten(name="flatten"),
            layers.Dense(4, name="dense"),
            layers.Dense(3, name="dense_1"),
        ]
    )


@pytest.fixture
def model():
    return network()


@pytest.fixture
def path(tmp_path):
    """A good file, with other weights than those of `model`."""
    path = tmp_path / "weights.h5"
    storage.save_weights(network(seed=2), path)
    return path


def same(weights, others):
    return all(np.array_equal(a, b) for a, b in zip(weights, others, strict=True))


def refused(model, path):
    """The message with which a file is refused; the network must not have changed."""
    before = model.get_weights()
    with pytest.raises(UserError) as caught:
        storage.load_weights(model, path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert same(model.get_weights(), before)
    return message


@pytest.mark.parametrize("spoil", HOSTILE, ids=lambda spoil: spoil.__name__)
def test_a_hostile_file_is_refused(model, path, spoil):
    spoil(path)
    assert HOSTILE[spoil] in refused(model, path)


def test_the_message_names_the_first_layer_that_differs_and_both_shapes(path):
    other = keras.Sequential(
        [keras.layers.Input((6, 6, 1)), keras.layers.Conv2D(5, 3, name="c"), keras.layers.Flatten()]
    )
    message = refused(other, path)
    assert "layer c: the file has (3, 3, 1, 2) and (2,), the network has (3, 3, 1, 5) and (5,); choose" in message


def outcomes(contents):
    """For each file, what `hdf5.parse` would return, or the `UserError` that it would raise."""
    with hdf5_many.Parser(hdf5.CPU_SECONDS) as parser:
        for data in contents:
            try:
                yield parser.parse(data, "file.h5")
            except UserError as error:
                yield error


def test_no_length_of_a_truncated_file_is_taken_for_whole(path):
    whole = path.read_bytes()
    parts = [whole[:length] for length in range(512, len(whole), 512)]
    assert len(parts) > 10
    assert all(isinstance(outcome, UserError) for outcome in outcomes(parts))


def test_files_with_flipped_bits_are_refused_or_read_as_plain_numbers(model, path):
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(20261)
    contents = []
    for _ in range(FLIPPED_FILES):
        data = whole.copy()
        places = rng.integers(0, len(data), rng.integers(1, 5))
        data[places] ^= (1 << rng.integers(0, 8, len(places))).astype(np.uint8)
        contents.append(data.tobytes())
    messages = []
    for outcome in outcomes(contents):
        try:
            if isinstance(outcome, UserError):
                raise outcome
            staged = assignment.stage(assignment.pair_layers(model, outcome), "file.h5")
        except UserError as error:
            messages.append(str(error))
        else:
            assert [values.shape for _, values in staged] == [tuple(weight.shape) for weight in model.weights]
            assert all(np.isfinite(values).all() for _, values in staged)
    assert 0 < len(messages) < FLIPPED_FILES
    assert all(message.startswith("file.h5: ") and message.isprintable() for message in messages)


def said(layout, layers, more=""):
    """A program that answers with this layout and these layers."""
    header = f'{{"layout": "{layout}", "layers": [{layers}], "optimizer": [], "attributes": {{}}, "backends": []}}'
    return f"print({header!r}, {more!r}, sep=chr(10), end='')"


@pytest.mark.parametrize(
    "program",
    [
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "while True: pass",
        "import time; time.sleep(60)",
        "print('not json')",
        "print('[]')",
        "print('{}')",
        said("legacy", '["dense", [5]]'),
        said("other", ""),
        said("v3", "", "more bytes than announced"),
        said("v3", '["a", [{"name": "0", "shape": [-2, -2], "dtype": "<f4", "read": true}]]'),
        said("v3", '["a", [{"name": "0", "shape": [2], "dtype": "|O", "read": true}]]'),
        said("v3", "").replace("backends", "frontends"),
        "print('[' * 100_000)",
        "",
    ],
)
def test_a_child_that_crashes_hangs_or_lies_is_not_believed(model, path, monkeypatch, tmp_path, program):
    child = tmp_path / "child.py"
    child.write_text("import sys; sys.stdin.buffer.read()\n" + program)
    monkeypatch.setattr(hdf5, "CHILD", child)
    monkeypatch.setattr(hdf5, "WALL_SECONDS", 2)
    assert "damaged or hostile" in refused(model, path)


@pytest.mark.skipif(os.name != "posix", reason="needs setrlimit")
def test_the_child_is_bounded_in_memory_and_cpu_time():
    program = (
        "import resource; from shared.model_files.hdf5_child import limit_this_process as limit; limit(1 << 30, 5)\n"
        "print([resource.getrlimit(getattr(resource, f'RLIMIT_{what}'))[0] for what in ('AS', 'CPU', 'FSIZE')])"
    )
    shown = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert shown.stdout == f"[{1 << 30}, 5, 0]\n"


def test_reading_takes_a_moment_only(model, path, cpu_seconds):
    began = cpu_seconds()
    storage.load_weights(model, path)
    assert cpu_seconds() - began < 2


@pytest.mark.parametrize("kind", ["missing", "folder", "dangling", "pipe"])
def test_what_is_no_file_is_refused_without_waiting(model, tmp_path, kind):
    path = tmp_path / "weights.h5"
    if kind == "folder":
        path.mkdir()
    elif kind == "dangling":
        path.symlink_to(tmp_path / "nowhere")
    elif kind == "pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("needs named pipes")
        os.mkfifo(path)
    expected = {"folder": "this is a folder", "pipe": "not a regular file"}.get(kind, "no such file")
    assert expected in refused(model, path)


def test_a_link_to_a_good_file_loads(model, path):
    link = path.with_name("link.h5")
    link.symlink_to(path)
    storage.load_weights(model, link)
    assert same(model.get_weights(), network(seed=2).get_weights())


def test_numbers_of_other_widths_and_byte_orders_load(model, path):
    expected = network(seed=2).get_weights()
    with h5py.File(path, "r+") as file:
        for name, dtype in (("dense/dense/kernel", ">f8"), ("dense_1/dense_1/kernel", ">f4")):
            values = file[name][()].astype(dtype)
            del file[name]
            file[name] = values
    storage.load_weights(model, path)
    assert same(model.get_weights(), expected)
