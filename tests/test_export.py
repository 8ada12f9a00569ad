"""`export`: what it writes computes what our network in NumPy computes, or is not written."""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import cartpole_dqn.export
import catch_dqn.export
from cartpole_dqn.experiment import SUITE as CARTPOLE
from catch_dqn.experiment import SUITE as CATCH
from shared.commands import exports
from shared.commands.exports import litert, onnx, saved_model
from shared.commands.trained import Trained, load_trained
from shared.errors import UserError

ROOT = Path(__file__).parent.parent
LAST = argparse.Namespace(experiment=None, model=None, weights=None)
MAINS = {
    "catch": (catch_dqn.export.main, CATCH, []),
    "dueling": (cartpole_dqn.export.main, CARTPOLE, ["--variant", "dueling"]),
}


def from_onnx(path, observations):
    session = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed").InferenceSession(path)
    return session.run(None, {session.get_inputs()[0].name: observations})[0]


def from_litert(path, observations):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="the extra `litert` is not installed")
    agent = interpreter.Interpreter(model_path=str(path))
    agent.allocate_tensors()
    rows = []
    for observation in observations:
        agent.set_tensor(agent.get_input_details()[0]["index"], observation[None])
        agent.invoke()
        rows.append(agent.get_tensor(agent.get_output_details()[0]["index"])[0])
    return np.stack(rows)


def from_keras(path, observations):
    return keras.saving.load_model(path, compile=False).predict(observations, verbose=0)


def from_saved_model(path, observations):
    return np.asarray(keras.layers.TFSMLayer(path, call_endpoint="serve")(observations))


@pytest.mark.parametrize("agent", MAINS)
def test_each_format_computes_what_numpy_computes(agent, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main, suite, choice = MAINS[agent]
    trained = load_trained(argparse.Namespace(experiment=(choice or [None])[-1], model=None, weights=None), suite)
    observations = np.random.default_rng(0).random((5, *trained.in_numpy.observation_shape), np.float32)
    readers = {
        "--onnx": ("a.onnx", from_onnx),
        "--litert": ("a.tflite", from_litert),
        "--keras": ("a.keras", from_keras),
        "--saved-model": ("a", from_saved_model),
    }
    assert main([*choice, *(word for flag, (name, _) in readers.items() for word in (flag, name))]) == 0
    for name, read in readers.values():
        np.testing.assert_allclose(read(tmp_path / name, observations), trained.in_numpy(observations), atol=1e-4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "a.keras", "a.onnx", "a.tflite"]
    assert ("import shared.nn.layers" in capsys.readouterr().err) == (agent == "dueling")


@pytest.mark.parametrize(("module", "name"), [(onnx, "a.onnx"), (litert, "a.tflite"), (saved_model, "a")])
def test_what_computes_something_else_is_not_kept(module, name, tmp_path, monkeypatch):
    trained = load_trained(LAST, CATCH)
    monkeypatch.setattr(exports.same, "TOLERANCE", -1.0)
    with pytest.raises(UserError, match=f"{name}: not written, for .* computes other numbers from it than Keras"):
        module.write(trained, tmp_path / name)
    assert not list(tmp_path.iterdir())


class NoGraph(keras.layers.Layer):
    """Computes in NumPy, which no converter can look into."""

    def call(self, observations):
        return np.asarray(observations)[:, :3]

    def compute_output_spec(self, observations):
        return keras.KerasTensor((None, 3))


def test_a_network_that_cannot_be_converted_is_one_line(tmp_path):
    trained = load_trained(LAST, CATCH)
    model = keras.Sequential([keras.Input((100,)), NoGraph()])
    unusual = Trained(trained.experiment, trained.settings, trained.weights, None, lambda: model)
    with pytest.raises(UserError, match="cannot be made of this network: ") as caught:
        onnx.write(unusual, tmp_path / "a.onnx")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_package_that_is_missing_is_one_line(monkeypatch):
    monkeypatch.setattr(exports, "is_installed", lambda name: name != "tf2onnx")
    with pytest.raises(UserError, match=r'--onnx: tf2onnx not installed; run pip install "\.\[onnx\]"'):
        catch_dqn.export.main(["--onnx", "a.onnx"])


def test_a_folder_of_somebody_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(UserError, match="mine: is there already; give the name of a new folder"):
        catch_dqn.export.main(["--saved-model", str(tmp_path / "mine")])
    assert not list((tmp_path / "mine").iterdir())


def test_the_program_for_a_small_machine_plays_without_us(tmp_path):
    pytest.importorskip("ai_edge_litert", reason="the extra `litert` is not installed")
    page = (ROOT / "docs/export.md").read_text(encoding="utf-8")
    program = re.search(r'```python\n("""Plays ten games.*?)```', page, flags=re.DOTALL)[1]
    program += "\nassert not {'tensorflow', 'keras', 'shared'} & set(sys.modules)\n"
    (tmp_path / "catch_small.py").write_text(program, encoding="utf-8")
    litert.write(load_trained(LAST, CATCH), tmp_path / "catch.tflite")
    command = [sys.executable, "catch_small.py", "catch.tflite"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("caught 10 of 10;"), done.stderr
