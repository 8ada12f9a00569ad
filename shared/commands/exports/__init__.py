"""What a trained agent can be exported as: a file of this folder for each, listed in `shared/commands/export.py`."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from shared import files
from shared.commands.trained import Trained
from shared.errors import UserError
from shared.late import is_installed


class Target(NamedTuple):
    """One thing that an agent can become."""

    flag: str  # of the command line, such as "--web"; what follows it is where to write
    suffix: str  # that the name of what is written ends in; empty: it is a folder
    meaning: str  # for --help
    # Writes it whole or not at all. Raises `UserError` for an agent that it cannot be made of.
    write: Callable[[Trained, Path], None]
    extra: str = ""  # that has the packages below
    packages: tuple[str, ...] = ()  # that it takes, as they are imported

    def check(self, path: Path) -> None:
        """Raise `UserError` where it is known before an agent is loaded that it cannot be written."""
        if missing := [name for name in self.packages if not is_installed(name)]:
            raise UserError(f'{self.flag}: {" and ".join(missing)} not installed; run pip install ".[{self.extra}]"')
        if not self.suffix:
            files.refuse_existing(path, "give the name of a new folder")
        elif path.suffix.lower() != self.suffix:
            raise UserError(f"{self.flag} {path}: give a name that ends in {self.suffix}")
        files.check_place(path)
