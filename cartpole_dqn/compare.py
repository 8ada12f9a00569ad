"""All variants side by side, over seeds: `python -m cartpole_dqn.compare --seeds 10`.

Prints a table and draws the training scores against environment steps. Finished runs are used again, so that an
interrupted comparison goes on where it was (`shared.study`).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cartpole_dqn.experiment import LESSONS, SUITE
from cartpole_dqn.variant import LIMIT, PUBLISHED_LIMIT
from shared.commands import comparison
from shared.commands.parser import Parser, command, path_name, settings_from
from shared.display.charts import Panel, bands
from shared.errors import say
from shared.options import check_limits, option
from shared.rollouts.intervals import bracketed, iqm_and_ci95
from shared.study.running import compared

NAMES = tuple(variant.name for variant in LESSONS)
PUBLISHED_SCORE = f"mean_score_{PUBLISHED_LIMIT}"
ROW = "{:<14} {:<9} {:<26} {:<26} {:>10} {:>8}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompareSettings:
    """What to compare."""

    variants: tuple[str, ...] = option(NAMES, "which variants", choices=NAMES)
    seeds: int = option(10, "runs of each variant, with the seeds 0, 1, 2 and so on", low=2, high=1000)
    preset: str = option(
        "tutorial", "settings as published, or ours, for the variants that have them", choices=("tutorial", "tuned")
    )

    def __post_init__(self):
        check_limits(self)


def main(argv: list[str]) -> int:
    """Run the command with a list of arguments; returns its exit status."""
    parser = Parser("cartpole_dqn.compare", "Train variants over several seeds; print a table and draw their curves.")
    parser.add_settings(CompareSettings())
    parser.add_argument(
        "--runs", type=path_name, default=Path("runs/cartpole_compare"), metavar="FOLDER", help="where the runs go"
    )
    parser.add_output("--out", "compare.png", "the picture")
    arguments = parser.parse_args(argv)
    config = settings_from(arguments, CompareSettings)

    variants = {}
    for name in config.variants:
        preset = config.preset if config.preset in SUITE.find(name).presets else "tutorial"
        variants[f"{name}-{preset}"] = (name, preset)
    flags = {label: ["--variant", name, "--preset", preset] for label, (name, preset) in variants.items()}
    found = compared("cartpole_dqn", flags, config.seeds, arguments.runs)
    columns = (f"score of {PUBLISHED_LIMIT}", f"score of {LIMIT}", "env steps", "seconds")
    print(ROW.format("variant", "preset", *columns))
    curves = []
    for label, (name, preset) in variants.items():
        summaries = [one for one in found.rows if one["setting"] == label]
        curves.append(comparison.curve(name, list(found.curves[label].values()), "steps", "score", log_x=True))
        print(ROW.format(name, preset, *row(summaries)))
    print(
        f"\nGreedy scores on Gymnasium's CartPole: mean of {summaries[0]['episodes']:.0f} episodes for each run; of "
        f"{config.seeds} runs the interquartile mean and its 95 % bootstrap interval. Of the "
        "steps the mean, of the seconds of training the median."
    )
    bands(arguments.out, curves, "environment steps", Panel("score", "score in training, last 100"), log_x=True)
    say(f"drawn: {arguments.out}")
    return 0


def row(summaries: Sequence[Mapping[str, float]]) -> tuple[str, ...]:
    """The four figures of a variant as text."""
    scores = []
    for key in (PUBLISHED_SCORE, "mean_score"):
        scores.append(bracketed(*iqm_and_ci95([summary[key] for summary in summaries]), ".1f"))
    steps, seconds = ([summary[key] for summary in summaries] for key in ("steps", "seconds"))
    return (*scores, f"{np.mean(steps):,.0f}", f"{np.median(seconds):.1f}")


if __name__ == "__main__":
    command(main)
