"""Trackio, on this machine: `TRACKIO_DIR=RUN/trackio trackio show`."""

import contextlib
import io
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from shared.errors import UserError
from shared.late import late
from shared.runs.sinks import About

trackio = late("trackio")

AWAY = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "TRACKIO_BUCKET_ID", "TRACKIO_DATASET_ID", "TRACKIO_WEBHOOK_URL")


class Trackio:
    """A database, and a folder of media."""

    leaves = re.compile(r"\w+\.(db|db-wal|db-shm|lock)|media/.+\.gif")

    def __init__(self, folder: Path, about: About) -> None:
        place = (folder / "trackio").absolute()
        os.environ["TRACKIO_DIR"] = str(place)  # is read once, when Trackio is imported
        for name in AWAY:  # where these are set, what is logged would be sent there
            os.environ.pop(name, None)
        place.mkdir(exist_ok=True)
        if place != trackio.TRACKIO_DIR:
            raise UserError("Trackio logs one run of a process only")
        options = {"embed": False, "auto_log_cpu": False, "auto_log_gpu": False}
        with _in_silence():
            self._run = trackio.init(about.project, name=about.name, config=about.config, **options)

    def add(self, step: int, numbers: Mapping[str, float], at: float) -> None:
        """As `Sink.add`; Trackio has times of its own."""
        self._run.log(dict(numbers), step=step)

    def add_games(self, step: int, name: str, gif: bytes) -> None:
        """As `Sink.add_games`."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "games.gif"
            path.write_bytes(gif)
            self._run.log({name: trackio.Video(path, format="gif")}, step=step)

    def close(self) -> None:
        """As `Sink.close`."""
        with _in_silence():
            trackio.finish()  # not the run's own: that is called once more when the process ends


def _in_silence():
    """Trackio prints where to look; the docs say that."""
    return contextlib.redirect_stdout(io.StringIO())
