"""How a value walks back to where it is needed: T5's thought experiment. Run it: `python -m tabular_rl.corridor`.

    D S S Y S S R      You stand in cell 3. Death waits in cell 0, a reward of 1 in cell 6.

Q-learning with α = 1 sets Q(s, a) to r + γ max_a' Q(s', a'). One pass to the right teaches only the last cell before
the reward; the next pass takes that value one cell further back, discounted once more.
"""

import dataclasses

import numpy as np

from shared.commands.parser import Parser, command, settings_from
from shared.options import check_limits, option

CELLS = "DSSYSSR"
DEATH, START, REWARD = CELLS.index("D"), CELLS.index("Y"), CELLS.index("R")
LEFT, RIGHT = 0, 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """What the command can be told."""

    discount: float = option(0.9, "value of a reward one step later, gamma", low=0.0, high=1.0)

    def __post_init__(self) -> None:
        check_limits(self)


def walk(q: np.ndarray, action: int, discount: float, penalty: float = 0.0) -> None:
    """Go from the start to one end and learn on the way.

    Args:
        q: float64 [7, 2], `q[cell, action]`; changed in place.
        action: `LEFT` or `RIGHT`, all the way.
        discount: gamma.
        penalty: subtracted from the reward, which is 0, in the cell of death.
    """
    cell = START
    while cell not in (DEATH, REWARD):
        next_cell = cell + (1 if action == RIGHT else -1)
        reward = 1.0 if next_cell == REWARD else -penalty if next_cell == DEATH else 0.0
        q[cell, action] = reward + discount * q[next_cell].max()  # the ends keep 0: nothing comes after them
        cell = next_cell


def _show(title, q):
    print(title)
    for name, action in (("left ", LEFT), ("right", RIGHT)):
        print(f"  {name} " + " ".join(f"{value:6.3f}" for value in q[:, action]))


def main(argv: list[str]) -> int:
    """Run the command with a list of arguments; returns its exit status."""
    parser = Parser("tabular_rl.corridor", "Watch values walk back through a corridor, one cell with each pass.")
    parser.add_settings(Config())
    discount = settings_from(parser.parse_args(argv), Config).discount

    print("        " + " ".join(f"{cell:>6s}" for cell in CELLS))
    q = np.zeros((len(CELLS), 2))
    walk(q, LEFT, discount)
    _show("after a walk to death, which costs nothing: nothing is learned", q)
    for number in range(1, REWARD - START + 1):
        walk(q, RIGHT, discount)
        _show(f"after pass {number} to the reward", q)
    walk(q, LEFT, discount, penalty=1.0)
    _show(
        "after a walk to death that costs 1: only the last step before it is bad, from there one can still turn back", q
    )
    return 0


if __name__ == "__main__":
    command(main)
