"""Any training over seeds and settings: `python -m shared.study catch_dqn --seeds 10 -- --preset tuned`."""

import dataclasses

from shared.commands import output
from shared.commands.parser import Parser, command, command_line, path_name, settings_from
from shared.errors import UserError, say, warn
from shared.options import check_limits, option
from shared.study import cluster, published
from shared.study.plan import add_experiment, asked, plan
from shared.study.pool import LocalPool, Pool
from shared.study.running import carry_out

ABOUT = """Train with several seeds and settings side by side, and compare them.

EXPERIMENT is a package such as catch_dqn, or the path of a file with a game of your own. What follows -- are flags of
its train command, for all runs:

  python -m shared.study catch_dqn --seeds 10 --grid learning_rate=1e-3,3e-4 optimizer=sgd,adam -- --preset tuned

python -m shared.study published --help: the tutorials' published figures, made again.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudySettings:
    """How many runs, and how many at a time."""

    seeds: int = option(10, "runs of each setting, with the seeds 0, 1, 2 and so on", low=1, high=100_000)
    jobs: int | None = option(None, "runs at a time (default: as many as pay on this machine)", low=1, high=1024)

    def __post_init__(self):
        check_limits(self)


def main(argv: list[str]) -> int:
    """Run the command with a list of arguments; returns its exit status."""
    if argv[:1] == ["published"]:
        return published.main(argv[1:])
    parser = Parser("shared.study", ABOUT)
    add_experiment(parser)
    parser.add_settings(StudySettings())
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="settings for all runs, by the names of their flags",
    )
    parser.add_argument(
        "--grid",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE,VALUE",
        help="settings to compare: every value of each with every value of the others",
    )
    parser.add_argument(
        "--out", type=path_name, metavar="FOLDER", help="the folder of the study (default: one in runs/studies/)"
    )
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="make the runs on a Ray cluster: auto, or ray://HEAD:10001 (docs/cluster.md)",
    )
    parser.add_argument(
        "--shared-storage", action="store_true", help="of the cluster: --out is the same folder on all its machines"
    )
    parser.add_compile_cache()
    arguments, experiment, flags = asked(parser, argv)
    settings = settings_from(arguments, StudySettings)
    if arguments.shared_storage and arguments.cluster is None:
        raise UserError("--shared-storage: is about a cluster; give --cluster as well, or leave it out")
    fixed, grid = _named(arguments.set, "--set"), _named(arguments.grid, "--grid")
    varied = {name: _values(name, value) for name, value in grid.items()}
    planned = plan(experiment, flags, settings.seeds, fixed, varied, arguments.out)
    if arguments.cluster is None:
        pool: Pool = LocalPool(settings.jobs)
    else:
        pool = cluster.RayPool(arguments.cluster, settings.jobs, arguments.shared_storage)
    with output.patience():
        found = carry_out(planned, pool)
        if len(found.rows) < len(planned.jobs):
            say(
                f"stopped and saved; {len(found.rows)} of {len(planned.jobs)} runs are finished; go on with: "
                f"{command_line('python -m shared.study', *argv)}"
            )
            return found.status
        for line in [*found.table().splitlines(), "", *found.figures().splitlines()]:
            say(line)
        say(f"everything is in {found.folder}")
        if found.status:
            warn("some runs failed; the same command tries them again")
    return found.status


def _named(words, where):
    """`name=value` words as a dict; names with hyphens are those of the flags."""
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        name = name.removeprefix("--").replace("-", "_")
        if not equals or not name or not value:
            raise UserError(f"{where} {word}: give NAME=VALUE, such as batch_size=64")
        if name in found:
            raise UserError(f"{where} {word}: {name} is given twice; leave one out")
        found[name] = value
    return found


def _values(name, text):
    values = text.split(",")
    if not all(values) or len(set(values)) < len(values):
        raise UserError(f"--grid {name}={text}: give different values with one comma between two of them")
    return values


if __name__ == "__main__":
    command(main)
