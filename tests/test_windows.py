"""What Windows does not have is not needed: every module is imported, and a training runs, without it."""

import os
import subprocess
import sys
from pathlib import Path

from pseudo_terminal import PseudoTerminal

ROOT = Path(__file__).parent.parent

IMPORT_TRAIN_PLAY = """
import importlib, pkgutil, as_on_windows
as_on_windows.hide()
import shared.nn.backend
for package in as_on_windows.PACKAGES:
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        importlib.import_module(module.name)
for path in sorted((as_on_windows.ROOT / "tests").glob("test_*.py")):
    importlib.import_module(path.stem)
from catch_dqn import evaluate, play, train
small = ["--episodes", "20", "--hidden", "8", "--batch-size", "4", "--replay-capacity", "100"]
assert train.main([*small, "--out", "run"]) == 0
assert evaluate.main(["--weights", "run/game_weights.h5", "--episodes", "5"]) == 0
assert play.main(["--weights", "run/game_weights.h5", "--episodes", "1", "--gif", "game.gif"]) == 0
assert play.main(["--weights", "run/game_weights.h5", "--episodes", "1"]) == 0
"""

PLAY_ONESELF = """
import sys
sys.path.insert(0, "tests")
import as_on_windows
as_on_windows.hide()
import os, signal
assert os.name == "nt" and not hasattr(signal, "SIGHUP") and not hasattr(os, "sysconf")
from catch_dqn import play
sys.exit(play.main(["--human"]))
"""


def test_every_module_can_be_imported_and_a_run_trained_and_played(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", IMPORT_TRAIN_PLAY],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert "of 80 starts" in ended.stdout
    assert (tmp_path / "game.gif").read_bytes().startswith(b"GIF89a")
    assert ended.stdout.splitlines()[-1] in ("won 0 of 1", "won 1 of 1")


def test_a_person_can_play():
    with PseudoTerminal("-c", PLAY_ONESELF) as terminal:
        terminal.read_until("game 1 of 10")
        terminal.type("q")
        assert terminal.end() == 0
        assert terminal.is_restored()
        assert "no game was finished" in terminal.output
