"""What ten seeds cost in a study, against one training by its command: `python -m benchmarks.study --preset tutorial`.

Both in turn, Catch, as a person calls them, from the start of Python to its end. Prints the medians of the seconds and
of the processor's seconds, and their ratios.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measuring import Measuring
from shared.commands.parser import Parser, command, settings_from

SEEDS = 10


def main(argv):
    """Measure and print."""
    parser = Parser("benchmarks.study", __doc__)
    parser.add_argument("--preset", choices=("tutorial", "tuned"), default="tuned", help="of Catch (default: tuned)")
    parser.add_settings(Measuring(repeats=3))
    arguments = parser.parse_args(argv)
    alone, together = [], []
    with tempfile.TemporaryDirectory() as place:
        for number in range(settings_from(arguments, Measuring).repeats):
            flags, out = ["--preset", arguments.preset], Path(place) / str(number)
            alone.append(measured("catch_dqn.train", *flags, "--out", f"{out}-alone"))
            together.append(measured("shared.study", "catch_dqn", "--seeds", SEEDS, "--out", out, "--", *flags))
            print(f"one: {alone[-1][0]:.1f} s, {SEEDS} seeds: {together[-1][0]:.1f} s", flush=True)
    for i, unit in enumerate(("s", "s of processor time")):
        one, ten = (statistics.median(times[i] for times in all_times) for all_times in (alone, together))
        print(f"{arguments.preset}: one {one:.1f} {unit}, {SEEDS} seeds {ten:.1f} {unit}: {ten / one:.2f} times")


def measured(module, *words):
    """Seconds, and seconds of processor time with all children, of a program."""
    began, before = time.monotonic(), os.times()
    subprocess.run([sys.executable, "-m", module, *map(str, words)], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    spent = after.children_user - before.children_user + after.children_system - before.children_system
    return time.monotonic() - began, spent


if __name__ == "__main__":
    command(main)
