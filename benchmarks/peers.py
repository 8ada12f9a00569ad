"""Stable-Baselines3's DQN (Raffin et al. 2021), measured in a process of its own: `benchmarks/peer_child.py`.

TensorFlow and PyTorch in one process may end in a segmentation fault, and each would take the other's threads. The
child runs under any Python that has Stable-Baselines3, and measures one thing at a time, when it is asked to: so ours
and theirs take turns, and a drift of the machine's speed hits both alike.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measuring import WithPeer
from shared.errors import UserError

ROOT = Path(__file__).parent.parent
LAST_WORDS = 5.0  # seconds that a process gets to end in, once it says nothing more


class Peer:
    """A child process that makes agents and times their training. Use it as a context manager.

    Args:
        python: the interpreter that runs it.
        threads: of PyTorch; None: as many as it takes itself.

    Raises `UserError` if it cannot be started or lacks the library.
    """

    def __init__(self, python: str, threads: int | None = None):
        self._python = python
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  it is open for as long as the child lives
        try:
            self._process = subprocess.Popen(
                [python, "-m", "benchmarks.peer_child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                text=True,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        except OSError as error:
            raise UserError(f"--peer-python {python}: cannot be started ({error.strerror}); name a Python") from None
        try:
            self.about = self._ask(threads=threads)["about"]  # versions and threads, for people
        except UserError:
            self.__exit__()
            raise

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError), self._process:
            self._process.kill()
        self._complaints.close()

    def make(self, name: str, env: Any, settings: Any, **options: Any) -> None:
        """Make an agent for a Gymnasium environment, or make it anew.

        Args:
            name: what it is called from now on.
            env: one that `gymnasium.make` made; the child makes its own.
            settings: a `shared.dqn.settings.Settings`; what Stable-Baselines3 knows of it is taken over.
            options: other arguments of its `DQN`.
        """
        self._ask(
            name=name,
            env={"id": env.spec.id, "max_episode_steps": env.spec.max_episode_steps, **env.spec.kwargs},
            games=settings.num_envs,
            hidden=settings.hidden,
            optimizer=settings.optimizer,
            options={
                "learning_rate": settings.learning_rate,
                "buffer_size": settings.replay_capacity,
                "learning_starts": max(settings.learning_starts, settings.batch_size),
                "batch_size": settings.batch_size,
                "gamma": settings.discount,
                "train_freq": settings.train_every // settings.num_envs,
                "target_update_interval": settings.target_sync or 1,
                "exploration_initial_eps": settings.epsilon,
                "exploration_final_eps": settings.epsilon_end,
                "seed": settings.seed,
                **options,
            },
        )

    def seconds(self, name: str, steps: int) -> float:
        """Let an agent train on for so many environment steps; returns the seconds that it took, for each step."""
        took = self._ask(name=name, steps=steps)
        return took["seconds"] / took["steps"]

    def _ask(self, **request: Any) -> dict:
        try:
            print(json.dumps(request), file=self._process.stdin, flush=True)
            answer = json.loads(self._process.stdout.readline())
        except (OSError, ValueError):  # it is not there any more, or it is something else
            try:
                ended = f"status {self._process.wait(LAST_WORDS)}"
            except subprocess.TimeoutExpired:
                ended = "it goes on"
            self._complaints.seek(0)
            last = self._complaints.read().decode(errors="replace").splitlines()[-1:] or ["it says nothing"]
            raise UserError(
                f"--peer-python {self._python}: no answer ({ended}: {last[0]}); give another, or leave it out"
            ) from None
        if "missing" in answer:
            raise UserError(
                f"{self._python}: has no Stable-Baselines3 ({answer['missing']}); install it, best in an environment "
                "of its own, and name the Python there with --peer-python"
            )
        return answer


def peer(config: WithPeer) -> Peer | None:
    """The peer that a benchmark is to measure against; None, which a line tells, if none was named and here is none.

    Raises `UserError` if the one that was named will not do.
    """
    try:
        found = Peer(config.peer_python or sys.executable, config.peer_threads)
    except UserError as error:
        if config.peer_python is not None:
            raise
        print(f"without Stable-Baselines3's figures: {error}", flush=True)
        return None
    print(f"against {found.about}", flush=True)
    return found
