"""Measuring against another library, in a process of its own and under another Python."""

import json
import os
import sys
import textwrap

import pytest

from benchmarks import engine, peers
from benchmarks.measuring import WithPeer
from shared.errors import UserError

LIBRARIES = {  # what stands for PyTorch and Stable-Baselines3
    "torch.py": """
        __version__, threads = "9.9", 3
        print("a library that talks")
        def set_num_threads(count):
            global threads
            threads = count
        def get_num_threads():
            return threads
        class optim:
            SGD, Adam = "the SGD of torch", "the Adam of torch"
    """,
    "stable_baselines3/__init__.py": """
        import json, pathlib, sys
        __version__ = "8.8"
        class DQN:
            num_timesteps = 0
            def __init__(self, policy, envs, **options):
                told = {"policy": policy, "envs": [str(env) for env in envs], "options": options}
                told["modules"] = sorted(sys.modules)
                pathlib.Path(__file__).with_name("told.json").write_text(json.dumps(told))
            def learn(self, steps, reset_num_timesteps):
                if steps == 13:
                    sys.exit("out of luck")
                self.num_timesteps += steps + 1
    """,
    "stable_baselines3/common/__init__.py": "",
    "stable_baselines3/common/env_util.py": "def make_vec_env(make, count): return [make() for _ in range(count)]",
}


@pytest.fixture
def python(tmp_path):
    """The path of a Python that has those libraries."""
    for name, text in LIBRARIES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text))
    path = tmp_path / "python"
    path.write_text(f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{tmp_path}" exec {sys.executable} "$@"\n')
    path.chmod(0o755)
    return str(path)


needs_shell = pytest.mark.skipif(os.name != "posix", reason="needs a shell")


@needs_shell
def test_an_agent_is_made_and_timed_elsewhere(python, catch, small, tmp_path, capsys):
    with peers.peer(WithPeer(peer_python=python, peer_threads=5)) as other:
        assert capsys.readouterr().out == "against Stable-Baselines3 8.8 on PyTorch 9.9 (threads: 5)\n"
        other.make("dqn", catch.env(small), small, verbose=0)
        assert 0 < other.seconds("dqn", 1000) < 1
    told = json.loads((tmp_path / "stable_baselines3" / "told.json").read_text())
    assert told["policy"] == "MlpPolicy"
    (env,) = told["envs"]
    assert "CatchEnv" in env
    options = {key: told["options"][key] for key in ("batch_size", "learning_rate", "gamma", "verbose")}
    assert options == {
        "batch_size": small.batch_size, "learning_rate": small.learning_rate, "gamma": small.discount, "verbose": 0
    }  # fmt: skip
    assert told["options"]["policy_kwargs"] == {"net_arch": list(small.hidden), "optimizer_class": "the SGD of torch"}
    assert not {"keras", "tensorflow"} & set(told["modules"])


@needs_shell
def test_a_peer_that_dies_is_one_line(python, catch, small):
    with peers.Peer(python) as other:
        other.make("dqn", catch.env(small), small)
        with pytest.raises(UserError, match=r"^--peer-python .*python: no answer \(status 1: out of luck\); give"):
            other.seconds("dqn", 13)


@pytest.mark.parametrize(
    ("python", "words"), [("/no/such/python", "cannot be started"), ("/bin/ls", "no answer"), ("/bin/cat", "no answer")]
)
@needs_shell
def test_what_is_no_python_is_named(python, words):
    with pytest.raises(UserError, match=f"^--peer-python {python}: {words}"):
        peers.peer(WithPeer(peer_python=python))


def test_without_the_library_there_is_a_line(monkeypatch, tmp_path, capsys):
    """Whether the tests' own Python has it or not."""
    (tmp_path / "stable_baselines3.py").write_text("raise ImportError('not here')")
    monkeypatch.setattr(peers, "ROOT", tmp_path)
    (tmp_path / "benchmarks").symlink_to(engine.__file__.removesuffix("engine.py"))
    assert peers.peer(WithPeer()) is None
    told = capsys.readouterr().out
    assert told.startswith("without Stable-Baselines3's figures: ")
    assert "has no Stable-Baselines3 (not here); install it" in told
    assert told.count("\n") == 1
    with pytest.raises(UserError, match="has no Stable-Baselines3"):
        peers.peer(WithPeer(peer_python=sys.executable))
