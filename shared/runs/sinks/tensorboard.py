"""TensorBoard, by its own package: `tensorboard --logdir RUN`."""

import io
import re
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from shared.late import late
from shared.runs.sinks import About

files = late("tensorboard.summary.writer.event_file_writer")
events, summaries = late("tensorboard.compat.proto.event_pb2"), late("tensorboard.compat.proto.summary_pb2")

FLUSH_SECONDS = 10  # until somebody who looks on sees a number, at most


class TensorBoard:
    """A file of events."""

    leaves = re.compile(r"events\.out\.tfevents\.[^/]+")

    def __init__(self, folder: Path, about: About) -> None:
        self._file = files.EventFileWriter(str(folder / "tensorboard"), flush_secs=FLUSH_SECONDS)
        self._at = 0.0  # of the last numbers

    def add(self, step: int, numbers: Mapping[str, float], at: float) -> None:
        """Scalars, as `Sink.add`."""
        self._at = at
        self._write(step, [summaries.Summary.Value(tag=name, simple_value=value) for name, value in numbers.items()])

    def add_games(self, step: int, name: str, gif: bytes) -> None:
        """A picture that moves, as `Sink.add_games`."""
        width, height = Image.open(io.BytesIO(gif)).size
        image = summaries.Summary.Image(width=width, height=height, colorspace=3, encoded_image_string=gif)
        self._write(step, [summaries.Summary.Value(tag=name, image=image)])

    def close(self) -> None:
        """As `Sink.close`."""
        self._file.close()

    def _write(self, step, values):
        self._file.add_event(events.Event(wall_time=self._at, step=step, summary=summaries.Summary(value=values)))
