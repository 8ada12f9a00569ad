"""Variants of one training, side by side over seeds: `python -m benchmarks.compare NAME`.

Trains every variant of the comparison NAME with every seed (`shared.study`), draws score and loss against environment
steps as bands (mean over the seeds and its 95 % interval) into `docs/images/NAME-score.png` and `NAME-loss.png`, and
prints the final evaluations. Pictures that are there are replaced with `--overwrite` only. Finished runs in
`runs/compare/` are used again.
"""

from pathlib import Path

from benchmarks.measuring import Seeds
from shared import files
from shared.commands.comparison import curve
from shared.commands.parser import Parser, command, settings_from
from shared.display.charts import Panel, bands
from shared.rollouts.intervals import bracketed, iqm_and_ci95, mean_and_ci95, plus_minus
from shared.study.running import compared

BALL8 = ["--game", "ball8", "--preset", "tutorial", "--episodes", "2000"]
CARTPOLE = ["--variant", "double", "--preset", "tuned", "--time-limit", "200"]
TUNED_CAVE = ["--preset", "tuned", "--steps", "400000", "--learning-rate-decay", "400000"]
ONCE = ["--batch-size", "64", "--train-every", "64"]  # each step is learned from about once, not four times
COMPARISONS = {  # NAME: (package, {variant: flags of its train})
    # The article's plot: clipped Huber loss with both optimizers at the same settings; and RMSprop with the step that
    # a momentum of 0.9 comes to.
    "rmsprop-against-graves": (
        "catch_dqn",
        {
            "RMSprop": [*BALL8, "--optimizer", "rmsprop"],
            "RMSPropGraves": [*BALL8, "--optimizer", "rmsprop-graves"],
            "RMSprop, step x 10": [*BALL8, "--optimizer", "rmsprop", "--learning-rate", "0.0025"],
        },
    ),
    # What T5's habit costs, to take a time limit for the end of the world.
    "cartpole-truncation": (
        "cartpole_dqn",
        {
            "goes on": [*CARTPOLE, "--truncation", "bootstrap"],
            "has ended": [*CARTPOLE, "--truncation", "terminal"],
        },
    ),
    # What each part of CAVE's settings is worth: each is taken out alone.
    "cave": (
        "cave_game",
        {
            "tuned": TUNED_CAVE,
            "no layer norm": [*TUNED_CAVE, "--no-layer-norm"],
            "returns of one step": [*TUNED_CAVE, "--n-step", "1"],
            "clipped Huber loss": [*TUNED_CAVE, "--loss", "clipped-huber"],
            "learned from once": [*TUNED_CAVE, *ONCE],
            "from pictures, once": [
                *(*TUNED_CAVE, *ONCE),
                *("--observation", "screens", "--convolutions", "strided", "--hidden", "256"),
            ],
        },
    ),
    "catch-presets": ("catch_dqn", {"tutorial": ["--preset", "tutorial"], "tuned": ["--preset", "tuned"]}),
}


def main(argv):
    """Train, draw and print."""
    parser = Parser("benchmarks.compare", __doc__)
    parser.add_argument("name", choices=COMPARISONS)
    parser.add_settings(Seeds())
    parser.add_argument("--x", choices=("steps", "episodes"), default="episodes", help="the horizontal axis")
    parser.add_argument("--overwrite", action="store_true", help="replace the pictures that are there")
    arguments = parser.parse_args(argv)
    pictures = {column: Path("docs/images") / f"{arguments.name}-{column}.png" for column in ("score", "loss")}
    for picture in pictures.values():
        if not arguments.overwrite:
            files.refuse_existing(picture, "give --overwrite to replace it")
    count = settings_from(arguments, Seeds).seeds
    package, variants = COMPARISONS[arguments.name]
    found = compared(package, variants, count, Path("runs/compare") / arguments.name)
    curves = {"score": [], "loss": []}
    for variant in variants:
        for column, drawn in curves.items():
            drawn.append(curve(variant, list(found.curves[variant].values()), arguments.x, column))
        scores = [row["mean_score"] for row in found.rows if row["setting"] == variant]
        mean, middle = plus_minus(*mean_and_ci95(scores), ".2f"), bracketed(*iqm_and_ci95(scores), ".1f")
        print(f"{variant}: score over {count} seeds: mean {mean}, interquartile mean {middle}", flush=True)
    for column, drawn in curves.items():
        panel = Panel(column, column, log=column == "loss")
        bands(pictures[column], drawn, arguments.x, panel)


if __name__ == "__main__":
    command(main)
