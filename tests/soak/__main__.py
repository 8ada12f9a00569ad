"""Long trials, from the root of the repository: `python -m tests.soak kill --runs 1000` and so on (see --help)."""

import platform
import sys
import time
from importlib import import_module

from shared.commands.parser import Parser, command, number, whole_number

from . import flags, fuzz, kill, memory, study, terminal


def main(argv: list[str]) -> int:
    """Run one of the trials; returns the exit status, 1 where something was found."""
    parser = Parser("tests.soak", "Long trials of what the project promises (docs/reliability.md).")
    parser.add_argument("trial", choices=("kill", "fuzz", "flags", "memory", "terminal", "study"), help="what to try")
    parser.add_argument("--runs", type=whole_number, default=1000, help="kill: trainings (default: 1000)")
    parser.add_argument("--files", type=whole_number, default=10_000, help="fuzz: spoiled files (default: 10000)")
    parser.add_argument("--lines", type=whole_number, default=200, help="flags: command lines (default: 200)")
    parser.add_argument("--minutes", type=number, default=30.0, help="memory: how long (default: 30)")
    parser.add_argument(
        "--train", choices=memory.COMMANDS, default="cave_game.train", help="memory: what (default: cave_game.train)"
    )
    parser.add_argument("--sessions", type=whole_number, default=200, help="terminal: sessions (default: 200)")
    parser.add_argument("--kills", type=whole_number, default=10, help="study: kills of all of it (default: 10)")
    parser.add_argument("--seed", type=whole_number, default=0, help="everything drawn comes from it (default: 0)")
    arguments = parser.parse_args(argv)
    modules = [import_module(name) for name in ("tensorflow", "keras", "numpy", "h5py", "blessed")]
    versions = " ".join(f"{module.__name__} {module.__version__}" for module in modules)
    print(f"{time.strftime('%Y-%m-%d')}, {platform.platform()}, Python {platform.python_version()}, {versions}")
    began = time.monotonic()

    def say(text):
        print(f"after {time.monotonic() - began:.0f} s: {text}", file=sys.stderr, flush=True)

    if arguments.trial == "kill":
        report = kill.kill(arguments.runs, arguments.seed, say=say)
    elif arguments.trial == "fuzz":
        report = fuzz.fuzz(arguments.files, arguments.seed, say)
    elif arguments.trial == "flags":
        report = flags.flags(arguments.lines, arguments.seed, say)
    elif arguments.trial == "memory":
        report = memory.memory(arguments.minutes, arguments.train)
    elif arguments.trial == "study":
        report = study.study(["--seeds", "10", "--grid", *study.GRID], arguments.kills, arguments.seed, say)
    else:
        report = terminal.terminal(arguments.sessions, arguments.seed, say)
    print(f"{report}\n{time.monotonic() - began:.0f} s")
    return 1 if report.faults else 0


if __name__ == "__main__":
    command(main)
