"""What a study is going to do: every setting of the grid with every seed, each a `Job`."""

import argparse
import itertools
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from shared import files
from shared.commands.parser import Parser, command_line
from shared.commands.program import suite_of
from shared.commands.train import refuse_another, requested
from shared.dqn.settings import what_stays
from shared.errors import UserError, warn
from shared.options import flag, refuse_unknown, value_types
from shared.runs.folder import CONFIG, Run
from shared.runs.suite import Suite
from shared.study.job import Job

OWN = ("--seed", "--out", "--overwrite", "--resume")  # flags of `train` that a study gives itself
SWITCH = {"on": True, "true": True, "off": False, "false": False}
ROOT = Path("runs/studies")
LONGEST = 100  # letters of a folder's name


class Setting(NamedTuple):
    """One of the settings that are compared."""

    label: str  # what it is called
    values: dict[str, str]  # of the grid, by name
    argv: tuple[str, ...]  # of `train`


class Plan(NamedTuple):
    """What is to be done."""

    folder: Path  # of the study
    settings: tuple[Setting, ...]
    jobs: tuple[Job, ...]  # setting by setting, in each of them by the seed
    suite: Suite


def add_experiment(parser: Parser) -> None:
    """Let a command name what it trains."""
    parser.add_argument("experiment", nargs="?", metavar="EXPERIMENT", help="what is trained")
    parser.add_argument("--env", metavar="ID", help="a Gymnasium environment instead, such as Acrobot-v1")


def asked(parser: Parser, argv: Sequence[str]) -> tuple[argparse.Namespace, str, list[str]]:
    """What the arguments of a command that trains say, with what it trains before `--` and flags of `train` after it.

    Returns the arguments, the experiment (as of `shared.commands.program.suite_of`) and the flags.

    Raises:
        UserError: if an argument is unknown, or nothing to be trained is named.
    """
    end = list(argv).index("--") if "--" in argv else len(argv)
    arguments, unknown = parser.parse_known_args(argv[:end])
    if unknown:
        raise UserError(f"{unknown[0]}: unknown argument; flags of train stand after -- (see --help)")
    if (arguments.experiment is None) == (arguments.env is None):
        raise UserError("name what is to be trained: a package such as catch_dqn, a file such as ring.py, or --env ID")
    flags = list(argv[end + 1 :])
    if arguments.env is not None:
        return arguments, "shared.dqn", ["--env", arguments.env, *flags]
    return arguments, arguments.experiment, flags


def plan(
    experiment: str,
    argv: Sequence[str],
    seeds: int,
    fixed: Mapping[str, str],
    grid: Mapping[str, Sequence[str]],
    out: Path | None = None,
) -> Plan:
    """The jobs of a study, all of which can be done.

    Args:
        experiment: as of `shared.commands.program.suite_of`.
        argv: flags of its command `train`, for all runs.
        seeds: runs of each setting, with the seeds 0, 1, 2 and so on.
        fixed: settings for all runs, by name, their values as words.
        grid: settings to compare: by name, the values of each.
        out: the folder of the study; default: one in `runs/studies/` that is named after all this.

    Raises:
        UserError: if there is no such experiment or setting, or the folder of a run holds another one.
    """
    suite = suite_of(experiment)
    refuse_own([*argv, *(flag(name) for name in (*fixed, *grid))], "a study")
    for name in [*fixed, *grid]:
        if (name in fixed and name in grid) or any(word.split("=")[0] == flag(name) for word in argv):
            raise UserError(f"{name}: given twice; leave one out")
    base = tuple(argv) + words(suite, argv, fixed)
    settings = []
    for chosen in itertools.product(*grid.values()):
        values = dict(zip(grid, chosen, strict=True))
        label = " ".join(f"{name}={value}" for name, value in values.items()) or command_line(experiment, *base)
        settings.append(Setting(label, values, base + words(suite, base, values)))
    varied = (f"{name}={','.join(values)}" for name, values in grid.items())
    folder = out or ROOT / folder_name(" ".join([suite.package, *base, *varied]))
    return planned(experiment, settings, seeds, folder)


def planned(experiment: str, settings: Sequence[Setting], seeds: int, folder: Path) -> Plan:
    """The jobs of a study of these settings, all of which can be done.

    Args:
        experiment: as of `shared.commands.program.suite_of`.
        settings: what is compared. The runs of a single one go to the folder itself, others to a folder for each.
        seeds: runs of each setting.
        folder: of the study.

    Raises:
        UserError: if a setting cannot be trained, or the folder of a run holds another one.
    """
    suite, jobs, told = suite_of(experiment), [], []
    for setting in settings:
        choice = requested((*setting.argv, "--seed", "0"), suite)
        told.append(what_stays(choice.defaults.settings, choice.choice.settings))
        place = folder / folder_name(setting.label) if setting.values else folder
        jobs += [
            Job(experiment, (*setting.argv, "--seed", str(seed)), str(place / f"seed{seed}"), setting.label, seed)
            for seed in range(seeds)
        ]
    for warning in dict.fromkeys(filter(None, told)):
        warn(warning)
    for job in jobs:
        if os.path.lexists(Path(job.folder) / CONFIG):
            refuse_another(Run(job.folder).read_config(), list(job.argv), suite, Path(job.folder))
    return Plan(folder, tuple(settings), tuple(jobs), suite)


def refuse_own(argv: Sequence[str], what: str) -> None:
    """Raise `UserError` for a flag of `train` that `what` gives its runs itself."""
    for word in argv:
        if word.split("=")[0] in OWN:
            raise UserError(f"{word}: {what} gives this itself; leave it out (--seeds says how many, --out where)")


def words(suite: Suite, argv: Sequence[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """Settings as flags of a command line.

    Args:
        suite: what can be trained.
        argv: the flags that it has already.
        values: by name, as words: "0.001", "on", "64 64".

    Raises:
        UserError: for a setting that there is not, or that cannot have this value.
    """
    choosing = [name for name in values if name in ("preset", "engine", suite.flag[2:])]
    found = [word for name in choosing for word in (f"--{name}", values[name])]
    kind: Any = type(requested((*argv, *found), suite).choice.settings)
    others = {name: value for name, value in values.items() if name not in choosing}
    refuse_unknown(others, kind)
    for name, value in others.items():
        of_one, several, _ = value_types(kind)[name]
        if of_one is bool:
            if value not in SWITCH:
                raise UserError(f"{name}={value}: neither on nor off; give one of these")
            found.append(flag(name) if SWITCH[value] else f"--no-{flag(name)[2:]}")
        else:
            found += [flag(name), *(value.split() if several else [value])]
    return tuple(found)


def folder_name(text: str) -> str:
    """A name for a folder that says as much of a text as may be in one."""
    name = re.sub(r"[^\w.,=+]+", "-", text)
    return name if len(name) <= LONGEST else f"{name[:LONGEST]}-{files.sha256(text.encode())[:8]}"
