"""Measuring side by side: each peer in a process of its own, under another Python where one is named."""

import json
import os
import re
import sys
import textwrap

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import breakout, cartpole, processes, products, stable_baselines
from benchmarks.measuring import Measuring, Row, Timer
from shared.errors import UserError

VERSION = "platform:python_version"
LIBRARIES = {  # what stands for PyTorch and Stable-Baselines3
    "torch.py": """
        __version__ = "9.9"
        print("a library that talks")
        def set_num_threads(count):
            global threads
            threads = count
        class optim:
            SGD, Adam = "the SGD of torch", "the Adam of torch"
    """,
    "stable_baselines3/__init__.py": """
        import json, os, pathlib, sys
        __version__ = "8.8"
        class DQN:
            num_timesteps = 0
            def __init__(self, policy, envs, **options):
                import torch
                told = {"policy": policy, "envs": [str(env) for env in envs], "options": options}
                told |= {"modules": sorted(sys.modules), "threads": torch.threads}
                pathlib.Path(__file__).with_name("told.json").write_text(json.dumps(told))
                self.learning_starts = options["learning_starts"]
            def learn(self, steps, reset_num_timesteps):
                if steps == 13:
                    print("out of luck", file=sys.stderr, flush=True)
                    os._exit(1)
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
def test_an_agent_is_made_and_timed_elsewhere(python, catch, small, tmp_path):
    with processes.Child(python, "benchmarks.stable_baselines:about") as child:
        assert child.about == "Stable-Baselines3 8.8 on PyTorch 9.9"
        assert 0 < child.seconds(stable_baselines.step(catch.env(small), small, 1000, threads=5)) < 1
    told = json.loads((tmp_path / "stable_baselines3" / "told.json").read_text())
    assert told["policy"] == "MlpPolicy"
    (env,) = told["envs"]
    assert "CatchEnv" in env
    expected = {"batch_size": small.batch_size, "learning_rate": small.learning_rate, "gamma": small.discount}
    assert {key: told["options"][key] for key in expected} == expected
    assert told["options"]["policy_kwargs"] == {"net_arch": list(small.hidden), "optimizer_class": "the SGD of torch"}
    assert told["threads"] == 5
    assert not {"keras", "tensorflow"} & set(told["modules"])


@needs_shell
def test_a_peer_that_dies_or_fails_is_one_line(python, catch, small):
    with processes.Child(python, VERSION) as child:
        with pytest.raises(processes.MissingError, match=r"^ZeroDivisionError: division by zero$"):
            child.seconds(Timer("", "operator:truediv", (1, 0)))
        with pytest.raises(processes.MissingError, match=r"^no answer, status 1: out of luck$"):
            child.seconds(stable_baselines.step(catch.env(small), small, 13, threads=1))


@pytest.mark.parametrize(
    ("python", "words"), [("/no/such/python", "cannot be started"), ("/bin/ls", "no answer"), ("/bin/cat", "no answer")]
)
@needs_shell
def test_what_is_no_python_is_named(python, words):
    with pytest.raises(UserError, match=f"^--python {python}: {words}"):
        processes.Child(python, VERSION)


def test_a_peer_that_is_not_here_is_one_line_of_the_table(monkeypatch, capsys):
    monkeypatch.setitem(benchmarks.PROCESSES, "SB3", "no_such_library:about")
    monkeypatch.setattr(benchmarks, "PAUSE", 0)
    ours, theirs = Timer("NumPy", "benchmarks.products:in_numpy", ([[2, 3, 4]], 1)), Timer("SB3", "never:asked")
    monkeypatch.setattr(
        cartpole, "PART", cartpole.Part("", lambda config: [Row("a", ours, "b", theirs), Row("c", ours)])
    )
    benchmarks.main(["cartpole", "--repeats", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert re.match(r"NumPy: NumPy \S+, ", lines[1])
    table = [line for line in lines if line.startswith("| ")]
    assert len(table) == 4
    assert table[2].startswith("| c ")
    assert table[3].startswith("| SB3: not measured (ModuleNotFoundError: No module named 'no_such_library')")


def test_without_ale_py_the_part_is_one_line_and_the_next_one_is_measured(monkeypatch, capsys):
    monkeypatch.setattr(benchmarks, "PAUSE", 0)
    atari, numpy = Timer("Atari", "no_ale:timer"), Timer("NumPy", "benchmarks.products:in_numpy", ([[2, 3, 4]], 1))
    monkeypatch.setattr(breakout, "PART", breakout.Part("", lambda config: [Row("a", atari, "b", atari)]))
    monkeypatch.setattr(cartpole, "PART", cartpole.Part("", lambda config: [Row("c", numpy)]))
    benchmarks.main(["breakout", "cartpole", "--repeats", "1"])
    out = capsys.readouterr().out
    assert re.search(r"^\| Atari: not measured \(ModuleNotFoundError: No module named 'no_ale'\)", out, re.MULTILINE)
    assert re.search(r"^\| c ", out, re.MULTILINE)


def test_ratios_medians_and_marks():
    ours, theirs = Timer("", ""), Timer("", "")
    seconds = {ours: [1e-3, 2e-3, 3e-3], theirs: [4e-3, 4e-3, 30e-3]}
    row = Row("a step", ours, "theirs", theirs)
    assert benchmarks.ratios(row, seconds) == pytest.approx([4, 2, 10])
    told = ("a step", "2 ms", "theirs", "4 ms", "4 (2 to 10)")
    assert benchmarks.line(row, seconds, None) == (*told, "")
    assert benchmarks.line(row, seconds, 4.9) == (*told, "4.9")
    assert benchmarks.line(row, seconds, 5.1) == (*told, "5.1, FELL by 22%")


def test_the_record_is_kept_and_compared_with(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(benchmarks, "RECORD", tmp_path / "recorded.json")
    monkeypatch.setattr(benchmarks, "PAUSE", 0)
    timer = Timer("NumPy", "benchmarks.products:in_numpy", ([[2, 3, 4]], 1))
    monkeypatch.setattr(cartpole, "PART", cartpole.Part("", lambda config: [Row("a", timer, "itself", timer)]))
    benchmarks.main(["cartpole", "--repeats", "1", "--record"])
    kept = json.loads(benchmarks.RECORD.read_text())
    assert kept["ratios"] == {"a | itself": 1}
    assert [line.partition(":")[0] for line in kept["about"]] == ["NumPy"]
    # What was recorded before of others stays; of the same process the new line takes its place.
    benchmarks.RECORD.write_text('{"about": ["SB3: 2", "NumPy: 1"], "ratios": {"a | itself": 2, "b | c": 3}}')
    benchmarks.main(["cartpole", "--repeats", "1", "--record"])
    assert json.loads(benchmarks.RECORD.read_text()) == {
        "about": ["SB3: 2", *kept["about"]],
        "ratios": {"a | itself": 1, "b | c": 3},
    }
    benchmarks.RECORD.write_text('{"about": [], "ratios": {"a | itself": 2}}')
    capsys.readouterr()
    benchmarks.main(["cartpole", "--repeats", "1"])
    assert "| 2, FELL by 50% |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["engin"], "engin: no such part; choose from engine, cartpole"),
        (["--purejaxrl", "/no/dqn.py"], "--purejaxrl /no/dqn.py: no such file; give the path"),
        (["--quick", "--record"], "--quick --record: brief measurements say nothing"),
        (["--repeats", "0"], "--repeats 0: out of range; give a value from 1 to 1000"),
    ],
)
def test_beginners_mistakes_are_named(words, message):
    with pytest.raises(UserError) as refused:
        benchmarks.main(words)
    assert str(refused.value).startswith(message)


def test_the_blas_kernel_is_named():
    pytest.importorskip("threadpoolctl")
    assert re.match(r"NumPy [\d.]+, \w+ [\d.]+, kernel \w+, threads: \d+$", products.about_numpy())


def test_xla_multiplies_all_that_numpy_multiplies():
    """Twice as many layers take longer: XLA leaves none out."""
    import keras

    taken = [min(products.in_xla([(64, 64, 64)] * layers, 200)() for _ in range(3)) for layers in (2, 12)]
    assert keras.backend.backend() == "tensorflow"
    assert taken[1] > 3 * taken[0]


def test_every_part_names_timers_that_are_there():
    from benchmarks.child import find

    config = Measuring(quick=True, purejaxrl="dqn.py")
    for module in benchmarks.PARTS.values():
        part = find(f"{module}:PART")
        for row in part.rows(config):
            for timer in filter(None, (row.ours, row.theirs)):
                assert callable(find(timer.makes))
                json.dumps(timer.arguments)
