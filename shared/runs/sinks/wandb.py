"""Weights & Biases, offline: nothing is sent before `wandb sync RUN/wandb/offline-run-*`."""

import os
import re
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path

from shared.late import late
from shared.runs.sinks import About

wandb = late("wandb")


class Wandb:
    """An offline run."""

    leaves = re.compile(
        r"latest-run|debug[\w-]*\.log|"
        r"offline-run-\d{8}_\d{6}-\w+/(run-\w+\.wandb|logs/debug[\w-]*\.log|files/[\w-]+\.(json|yaml|txt|log)|"
        r"files/media/.+\.gif)"
    )

    def __init__(self, folder: Path, about: About) -> None:
        os.environ["WANDB_ERROR_REPORTING"] = "false"  # to its makers
        quiet = {"silent": True, "console": "off"}  # the terminal is ours
        nothing_more = {"x_disable_stats": True, "x_disable_meta": True, "disable_git": True, "disable_code": True}
        self._run = wandb.init(
            dir=str(folder),
            project=about.project,
            name=about.name,
            id=uuid.uuid4().hex[:8],
            config=about.config,
            mode="offline",
            settings=wandb.Settings(**quiet, **nothing_more),
        )

    def add(self, step: int, numbers: Mapping[str, float], at: float) -> None:
        """As `Sink.add`; it has times of its own."""
        self._run.log(dict(numbers), step=step)

    def add_games(self, step: int, name: str, gif: bytes) -> None:
        """As `Sink.add_games`."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "games.gif"
            path.write_bytes(gif)
            self._run.log({name: wandb.Video(str(path), format="gif")}, step=step)

    def close(self) -> None:
        """As `Sink.close`."""
        self._run.finish()
        wandb.teardown()  # waits until everything is written
