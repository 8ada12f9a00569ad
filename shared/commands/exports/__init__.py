"""What a trained agent can be exported as: a file of this folder for each, listed in `shared/commands/export.py`."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from shared.commands.trained import Trained


class Target(NamedTuple):
    """One thing that an agent can become."""

    flag: str  # of the command line, such as "--web"; what follows it is where to write
    suffix: str  # that the name of what is written ends in
    meaning: str  # for --help
    # Writes it whole or not at all. Raises `UserError` for an agent that it cannot be made of.
    write: Callable[[Trained, Path], None]
