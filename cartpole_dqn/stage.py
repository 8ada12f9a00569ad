"""What the game looks like in a terminal, and which keys a person plays with."""

from collections.abc import Iterable

import gymnasium
import numpy as np

from cartpole_dqn.physics import HALF_LENGTH, LEFT, MAX_POSITION, RIGHT
from shared.display.playback import Keyboard, Stage

# The scene in the terminal: coloured cells, two rows of them in a line of text.
COLUMNS, ROWS = 73, 40
CELLS_PER_METRE = (COLUMNS - 1) / (2 * MAX_POSITION)
CART_WIDTH, CART_HEIGHT, TRACK = 13, 5, ROWS - 4  # cells; the row of the track
AIR, TRACK_CELL, CART, POLE = range(4)
COLOURS = np.array([(24, 26, 32), (92, 98, 112), (77, 144, 212), (255, 196, 61)], np.uint8)
GLYPHS = np.array([" ", "-", "#", "|"])


def scene(state: Iterable[float]) -> np.ndarray:
    """What is where: the kind of each cell, int [40, 73].

    Args:
        state: position (m), velocity, angle (rad) and spin of CartPole.
    """
    position, _, angle, _ = (float(number) for number in state)
    cells = np.full((ROWS, COLUMNS), AIR)
    cells[TRACK] = TRACK_CELL
    middle = (COLUMNS - 1) / 2 + position * CELLS_PER_METRE
    along = np.linspace(0, 2 * HALF_LENGTH * CELLS_PER_METRE, 4 * ROWS)  # the pole, from its hinge to its tip
    rows = np.rint(TRACK - CART_HEIGHT - along * np.cos(angle)).astype(int)
    columns = np.rint(middle + along * np.sin(angle)).astype(int)
    seen = (rows >= 0) & (columns >= 0) & (columns < COLUMNS)
    cells[rows[seen], columns[seen]] = POLE
    left = round(middle) - CART_WIDTH // 2
    cells[TRACK - CART_HEIGHT : TRACK, max(0, left) : max(0, left + CART_WIDTH)] = CART
    return cells


def view(env: gymnasium.Env) -> tuple[list[str], np.ndarray]:
    """The scene as text (two rows a line) and as coloured cells."""
    cells = scene(env.unwrapped.state)
    return ["".join(line) for line in GLYPHS[np.maximum(cells[0::2], cells[1::2])]], COLOURS[cells]


def hands() -> Keyboard:
    """Hands on the cart: it is pushed the way of the last key. The first key starts a game."""
    keys = {"KEY_LEFT": LEFT, "h": LEFT, "KEY_RIGHT": RIGHT, "l": RIGHT}
    return Keyboard(keys, idle=LEFT, waits=True, keeps=True)


STAGE = Stage(
    view=view,
    verdict=lambda episode: f"{episode.score:.0f} steps",
    tally=lambda played: f"steps survived: {', '.join(f'{episode.score:.0f}' for episode in played)}",
    keyboard=hands,
    keys="arrows or h/l start and push",
    actions=("left", "right"),
    fps=50.0,
    human_fps=10.0,
    half_blocks=True,
    counter="steps",
    every=2,
)
