"""Where the rows of a run are shown beside `metrics.csv`: one file for each program that people look at them with."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol


class About(NamedTuple):
    """What a sink says of a run."""

    project: str  # the package of the experiment
    name: str  # of the run's folder
    config: dict[str, Any]  # of the run's `config.json`


class Sink(Protocol):
    """A log of one run, in a folder of its own inside the run's. Each sitting of a training makes it anew.

    A class of this kind is made with the run's folder and an `About`, and says what its library leaves, as `leaves`: a
    regular expression for the paths of its files, within its folder, with "/" between the names. Only these are ever
    removed. It may raise what it likes: the training goes on without it.
    """

    def add(self, step: int, numbers: Mapping[str, float], at: float) -> None:
        """Show some numbers, all of them finite.

        Args:
            step: environment steps taken; a later call never has a smaller one.
            numbers: by name.
            at: seconds since 1970.
        """

    def add_games(self, step: int, name: str, gif: bytes) -> None:
        """Show games; the arguments as of `add`, and an animated GIF."""

    def close(self) -> None:
        """Write what is still to be written."""
