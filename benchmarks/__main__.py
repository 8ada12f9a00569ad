"""How fast this is beside others, side by side in one run: `python -m benchmarks [PART ...]`.

Every peer runs in a process of its own, and they take turns. The table has medians, and how many times as fast ours is:
the median of the ratios within each turn, and the smallest and largest of them. A ratio that fell by a fifth against
the recorded one (benchmarks/recorded.json, made by --record) is marked. A peer that is not installed is one line.

--python names a Python that has the peers, in an environment of its own best:

  pip install stable-baselines3 threadpoolctl
  pip install jax "gymnax<1" flax optax chex flashbax

and --purejaxrl the path of PureJaxRL's dqn.py (github.com/luchris429/purejaxrl).
"""

import contextlib
import dataclasses
import importlib
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.measuring import Measuring, Row, Timer
from benchmarks.processes import Child, MissingError
from shared import files
from shared.commands.parser import Parser, command, settings_from
from shared.errors import UserError, say

PARTS = {
    "engine": "benchmarks.engine",
    "cartpole": "benchmarks.cartpole",
    "convolution": "benchmarks.convolution",
    "cave": "benchmarks.cave",
    "lunar": "benchmarks.lunar",
    "breakout": "benchmarks.breakout",
    "command": "benchmarks.command_line",
}
PROCESSES = {  # name: what says in a line what is measured there
    "NumPy": "benchmarks.products:about_numpy",
    "ours": "benchmarks.products:about_ours",
    "SB3": "benchmarks.stable_baselines:about",
    "PureJaxRL": "benchmarks.purejaxrl:about",
}
PEERS = ("SB3", "PureJaxRL")  # run under `--python`
MAY_BE_MISSING = (*PEERS, "Atari")  # need libraries that not everybody has
PAUSE = 0.5  # seconds; the threads of NumPy and PyTorch spin on for a while and slow what runs next
RECORD = Path(__file__).with_name("recorded.json")
FALLEN = 0.8  # of the recorded ratio
COLUMNS = ("", "ours", "against", "theirs", "times as fast (range)", "recorded")


Measured = tuple[dict[Timer, list[float]], dict[str, str], list[str]]


def measure(rows: list[Row], config: Measuring, told: Callable[[str], None]) -> Measured:
    """Measure all timers of some rows in turn.

    Args:
        rows: whose timers they are.
        config: how often, and where the peers are.
        told: called with the name of what is measured next.

    Returns the seconds of each timer, for each peer that did not work why, and a line about each process.
    """
    timers = list(dict.fromkeys(timer for row in rows for timer in row.timers))
    seconds: dict[Timer, list[float]] = {timer: [] for timer in timers}
    missing: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        children: dict[str, Child] = {}
        for turn in range(config.repeats):
            for timer in timers:
                name = timer.process
                if name in missing:
                    continue
                told(f"{turn + 1}/{config.repeats}: {name}")
                try:
                    if name not in children:
                        children[name] = stack.enter_context(_start(name, config))
                    time.sleep(PAUSE)
                    seconds[timer].append(children[name].seconds(timer))
                except MissingError as error:
                    if name not in MAY_BE_MISSING:
                        raise UserError(f"{name}: cannot be measured ({error})") from None
                    missing[name] = str(error)
        about = [f"{name}: {child.about}" for name, child in children.items() if name in PROCESSES]
    return seconds, missing, about


def _start(name: str, config: Measuring) -> Child:
    if name == "PureJaxRL" and config.purejaxrl is None:
        raise MissingError("give the path of its dqn.py with --purejaxrl")
    python = config.python if name in PEERS and config.python else sys.executable
    return Child(python, PROCESSES.get(name, "platform:python_version"))


def key(row: Row) -> str:
    """What a row is called in the record."""
    return f"{row.what} | {row.against}"


def ratios(row: Row, seconds: dict[Timer, list[float]]) -> list[float]:
    """How many times as fast ours was, in each turn; none where there is nothing to compare with."""
    theirs = seconds[row.theirs] if row.theirs else []
    return [b / a for a, b in zip(seconds[row.ours], theirs, strict=False)]


def line(row: Row, seconds: dict[Timer, list[float]], recorded: float | None) -> tuple[str, ...]:
    """A row of the table as text."""
    ours = duration(statistics.median(seconds[row.ours]))
    if row.theirs is None:
        return (row.what, ours, "", "", "", "")
    found = ratios(row, seconds)
    middle = statistics.median(found)
    before = "" if recorded is None else number(recorded)
    if recorded is not None and middle < FALLEN * recorded:
        before += f", FELL by {1 - middle / recorded:.0%}"
    times = f"{number(middle)} ({number(min(found))} to {number(max(found))})"
    return (row.what, ours, row.against, duration(statistics.median(seconds[row.theirs])), times, before)


def duration(seconds: float) -> str:
    """Seconds in a unit that suits them."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{number(seconds / size)} {unit}"
    return f"{number(seconds * 1e6)} µs"


def number(value: float) -> str:
    """Three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(lines: Iterable[tuple[str, ...]]) -> str:
    """Lines as a table of Markdown."""
    rows = [COLUMNS, *lines]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    cells = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    cells.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def record() -> dict[str, Any]:
    """What `--record` kept: `ratios` by `key`, and `about`, a line for each process; both empty without the file."""
    return files.read_json(RECORD) if RECORD.exists() else {"about": [], "ratios": {}}


def newest(lines: Iterable[str]) -> list[str]:
    """Of lines such as "NumPy: NumPy 2.4.6, threads: 2" the last one about each process, in the order of the first."""
    return list({line.partition(":")[0]: line for line in lines}.values())


def main(argv: list[str]) -> None:
    """Run the command with a list of arguments."""
    parser = Parser("benchmarks", __doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (default: all)")
    parser.add_settings(Measuring())
    parser.add_argument("--record", action="store_true", help="keep the ratios, to compare with from now on")
    arguments = parser.parse_args(argv)
    config = settings_from(arguments, Measuring)
    for name in arguments.parts:
        if name not in PARTS:
            raise UserError(f"{name}: no such part; choose from {', '.join(PARTS)}")
    if config.purejaxrl is not None and not Path(config.purejaxrl).is_file():
        raise UserError(f"--purejaxrl {config.purejaxrl}: no such file; give the path of PureJaxRL's dqn.py")
    if config.quick and arguments.record:
        raise UserError("--quick --record: brief measurements say nothing; leave out one of them")
    if config.quick:
        config = dataclasses.replace(config, repeats=1)

    before = record()
    compared = {} if config.quick else before["ratios"]
    found, known = {}, before["about"]
    for name in arguments.parts or PARTS:
        rows = importlib.import_module(PARTS[name]).PART.rows(config)
        with _progress() as told:
            seconds, missing, about = measure(rows, config, told)
        rows = [row for row in rows if not missing.keys() & {timer.process for timer in row.timers}]
        known = newest([*known, *about])
        found |= {key(row): statistics.median(ratios(row, seconds)) for row in rows if row.theirs}
        lines = [line(row, seconds, compared.get(key(row))) for row in rows]
        lines += [(f"{peer}: not measured ({why})", *[""] * (len(COLUMNS) - 1)) for peer, why in missing.items()]
        say(f"{name}, {'--quick: these figures say nothing' if config.quick else f'medians of {config.repeats}'}")
        for text in about:
            say(text)
        print(f"\n{table(lines)}\n", flush=True)
    if arguments.record:
        kept = {name: round(ratio, 4) for name, ratio in sorted((before["ratios"] | found).items())}
        files.write_json(RECORD, {"about": known, "ratios": kept})
        say(f"recorded: {RECORD}")


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """A function that shows on a terminal what is measured."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda text: None
        return
    with console.status("") as status:
        yield lambda text: status.update(text)


if __name__ == "__main__":
    command(main)
