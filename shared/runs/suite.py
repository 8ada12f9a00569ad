"""The experiments of one package, and how a run on disk names one of them."""

import dataclasses
import importlib.resources
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from shared.errors import UserError
from shared.options import check_limits, from_json
from shared.runs.experiment import Experiment


@dataclasses.dataclass(frozen=True)
class Suite:
    """What `train`, `play` and `evaluate` of one package choose from.

    Args:
        package: its name; runs go to runs/<package>/.
        experiments: by name; the first one is the default.
        flag: of the command line, chooses among them.
        make: for tasks known by an id, of which there are more than are listed: id -> `Experiment`. Raises `UserError`
            for an unknown id.
        known: whether `make` finds an id without importing anything; a file may name only such an id.
        program: how its commands are called, such as "python ring.py"; default: `python -m <package>.train` and so on.
    """

    package: str
    experiments: Mapping[str, Experiment]
    flag: str = "--game"
    make: Callable[[str], Experiment] | None = None
    known: Callable[[str], bool] = lambda name: False
    program: str | None = None

    @property
    def default(self) -> str:
        """The name of the experiment that is meant where none is named."""
        return next(iter(self.experiments))

    @property
    def has_choice(self) -> bool:
        """Whether there is more than one experiment."""
        return len(self.experiments) > 1 or self.make is not None

    def find(self, name: str | None) -> Experiment:
        """The experiment of that name; None: the default one."""
        if name is None or name in self.experiments or self.make is None:
            return self.experiments[name or self.default]
        return self.make(name)

    def named(self, name: str) -> list[str]:
        """The words of a command line that choose an experiment: none where there is no choice."""
        return [self.flag, name] if self.has_choice else []

    def command(self, verb: str) -> str:
        """How the command `verb` ("train", "play", "evaluate") is called."""
        return f"{self.program} {verb}" if self.program else f"python -m {self.package}.{verb}"

    def shipped(self, name: str) -> Path | None:
        """The folder of the agent that comes with the package, or None."""
        if self.program:
            return None
        folder = Path(str(importlib.resources.files(self.package))) / "pretrained" / name
        return folder if folder.is_dir() else None

    def of_run(self, config: dict[str, Any], place: Any, named: str | None = None) -> "Choice":
        """What was chosen for a run, from its config. Nothing of that is taken on trust.

        Args:
            config: what its `config.json` holds.
            place: of the file, for the complaint.
            named: the experiment that the person has named, if so: a file alone may not name what has to be imported.

        Raises:
            UserError: if it is the run of another package, or not a config that this program wrote.
        """
        self.refuse_package(config.get("experiment", self.package), place, "run")
        held = from_json(RunConfig, config, place)
        experiment = self.of_file(held.game, place, "run", named)
        for name, there in (("preset", experiment.presets), ("engine", experiment.engines)):
            if getattr(held, name) not in there:
                raise UserError(f"{place}: {name} {getattr(held, name)!r:.60} is not known here; choose another run")
        settings = from_json(type(experiment.presets[held.preset]), held.settings, place)
        return Choice(experiment, held.preset, held.engine, settings)

    def refuse_package(self, package: Any, place: Any, kind: str) -> None:
        """Raise `UserError` where a file is of another package; `place` and `kind` are those of `of_file`."""
        if package != self.package:
            raise UserError(
                f"{place}: a {kind} of {package!s:.60}, not of {self.package}; use the commands of that one"
            )

    def of_file(self, name: str, place: Any, kind: str, named: str | None = None) -> Experiment:
        """The experiment that a file names.

        Args:
            name: its name.
            place: of the file, for the complaint.
            kind: what the file is of: "run".
            named: the experiment that the person has named, if so: a file alone may not name what has to be imported.

        Raises:
            UserError: if it is not known.
        """
        if name not in self.experiments and not (self.make is not None and (name == named or self.known(name))):
            remedy = f"give {self.flag} as well" if self.make is not None else f"choose another {kind}"
            raise UserError(f"{place}: {self.flag} {name!r:.60} is not known here; {remedy}")
        return self.find(name)


class Choice(NamedTuple):
    """What a run is known by."""

    experiment: Experiment
    preset: str
    engine: str
    settings: Any  # of the class of the preset's


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What the `config.json` of a run says."""

    experiment: str  # the package
    game: str  # the experiment's name in it
    preset: str
    engine: str
    settings: dict  # of the class of the preset's
    versions: dict
    command: tuple[str, ...]
    began: str

    def __post_init__(self) -> None:
        check_limits(self)
