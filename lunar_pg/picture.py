"""A picture of a policy: how likely each action is as one thing changes. `python -m lunar_pg.picture`."""

from pathlib import Path
from typing import Any

import numpy as np

from lunar_pg.experiment import SUITE
from shared.commands.parser import Parser, command
from shared.commands.trained import add_weights_arguments, load_trained
from shared.display.charts import Shares, shares
from shared.errors import UserError, say
from shared.late import late

numpy_policy = late("lunar_pg.numpy_policy")

POINTS = 301  # along each axis

# For each task the names of its actions, the observation that the picture starts from, and what is changed in it:
# (what the axis says, place in the observation, from, to).
SCENES = {
    "lunar": (
        ("nothing", "left engine", "main engine", "right engine"),
        (0.0, 0.7, 0.0, -0.4, 0.0, 0.0, 0.0, 0.0),
        (
            ("tilt, radians (to the left: above 0); in the middle, sinking", 4, -0.8, 0.8),
            ("place, from the left edge (-1) to the right edge (1); upright, sinking", 0, -1.0, 1.0),
            ("speed upwards (below 0: sinking); upright, in the middle", 3, -1.2, 0.4),
        ),
    ),
    "cartpole": (
        ("push left", "push right"),
        (0.0, 0.0, 0.0, 0.0),
        (
            ("tilt of the pole, radians (to the right: above 0)", 2, -0.2, 0.2),
            ("speed of the pole's tip, radians a second", 3, -2.0, 2.0),
            ("place of the cart", 0, -2.4, 2.4),
        ),
    ),
}


def main(argv: list[str]) -> int:
    """Run the command with a list of arguments; returns its exit status."""
    parser = Parser("lunar_pg.picture", "Draw how likely each action is as one part of the observation changes.")
    add_weights_arguments(parser, SUITE)
    parser.add_output("--out", "policy.png", "the picture")
    arguments = parser.parse_args(argv)
    trained = load_trained(arguments, SUITE)
    if trained.experiment.name not in SCENES:
        raise UserError(
            f"--env {trained.experiment.name}: only {' and '.join(SCENES)} have a picture; choose one of them"
        )
    draw(arguments.out, trained.network(), trained.experiment.name)
    say(trained.weights)
    say(f"drawn: {arguments.out}")
    return 0


def draw(path: str | Path, model: Any, name: str) -> None:
    """Draw the policy of a task in `SCENES` as a PNG file, a chart for each part of the observation that changes."""
    policy = numpy_policy.NumpyPolicy(model)
    actions, start, axes = SCENES[name]
    charts = []
    for label, place, low, high in axes:
        x = np.linspace(low, high, POINTS)
        observations = np.tile(np.array(start, np.float32), (POINTS, 1))  # [POINTS, D]
        observations[:, place] = x
        charts.append(Shares(label, x, policy.probabilities(observations).T))
    shares(path, charts, actions, "probability")


if __name__ == "__main__":
    command(main)
