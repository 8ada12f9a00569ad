"""Settings in a file of one's own: what `train --preset FILE` reads, and a tuning leaves.

    # python -m catch_dqn.train --preset FILE
    experiment: catch_dqn
    game: catch
    preset: tuned
    settings:
      learning_rate: 0.0021
      batch_size: 128

It says in what the settings differ from those of a preset. It may come from anybody: it is read as plain data, names
an experiment that is there, and its settings are checked as those of the command line are.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from shared import files
from shared.errors import UserError, one_line
from shared.late import late
from shared.options import changed_by, check_limits, from_json
from shared.runs.experiment import Experiment
from shared.runs.suite import Choice, Suite

safe_yaml = late("shared.model_files.safe_yaml")

SUFFIXES = (".yaml", ".yml")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Content:
    """What such a file says."""

    experiment: str  # the package
    game: str  # the experiment's name in it
    preset: str  # that gives the other settings
    settings: dict  # by name

    def __post_init__(self) -> None:
        check_limits(self)


class PresetFile(NamedTuple):
    """A file of settings."""

    path: Path
    experiment: Experiment
    preset: str  # that it changes
    changes: dict[str, Any]  # settings by name, as YAML has them

    def over(self, settings: Any) -> Any:
        """Settings with those of the file in their place. Raises `UserError` for those that there are not."""
        for name in self.changes:
            if name in self.experiment.fixed:
                raise UserError(f"{self.path}: {name}: means nothing to {self.experiment.name}; leave it out")
        return changed_by(settings, self.changes, self.path)


def is_file(text: str) -> bool:
    """Whether the word after `--preset` names a file, not a preset."""
    return Path(text).suffix in SUFFIXES or Path(text).name != text


def read(path: Path, suite: Suite, named: str | None = None) -> PresetFile:
    """Read a file of settings.

    Args:
        path: of the file, YAML or JSON.
        suite: the experiments that it may be for.
        named: the experiment that the person has named, if so.

    Raises:
        UserError: naming the file, if it is none, or for another experiment.
    """
    document = safe_yaml.parse(files.read_bytes(path, safe_yaml.MAX_FILE), path)
    suite.refuse_package(document.get("experiment", suite.package), path, "preset")
    held = from_json(_Content, document, path)
    experiment = suite.of_file(held.game, path, "preset", named)
    if named not in (None, held.game):
        raise UserError(f"{path}: a preset of {held.game}, not of {named}; give {suite.flag} {held.game}")
    if held.preset not in experiment.presets:
        there = ", ".join(experiment.presets)
        raise UserError(f"{path}: preset {held.preset!r:.60}: {held.game} has only {there}; write one of these")
    return PresetFile(path, experiment, held.preset, held.settings)


def write(path: Path, choice: Choice, package: str, remarks: Sequence[str]) -> None:
    """Write a file of settings.

    Args:
        path: of the file.
        choice: whose settings it is to hold, as far as they differ from the preset; but for the seed.
        package: of its experiment.
        remarks: lines for people.

    Raises:
        UserError: if it cannot be written.
    """
    before, now = map(dataclasses.asdict, (choice.experiment.presets[choice.preset], choice.settings))
    changes = {name: value for name, value in now.items() if value != before[name] and name != "seed"}
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in changes.items()}
    content = _Content(experiment=package, game=choice.experiment.name, preset=choice.preset, settings=plain)
    heading = "".join(f"# {one_line(remark)}\n" for remark in remarks)
    files.write_bytes(path, (heading + safe_yaml.dump(dataclasses.asdict(content))).encode())
