"""What the game looks like in a terminal, and which keys a person plays with."""

import gymnasium
import numpy as np

from cave_game.envs import cells, picture
from cave_game.game import HELD, MARGIN, RELEASED, ROWS
from shared.display.playback import Keyboard, Stage

SHOWN = slice(MARGIN, ROWS - MARGIN)  # the rows that are not always rock: with the caption they fill a window of 24
HELD_FRAMES = 3  # a terminal tells when a key is pressed, not when it is let go: so long a press counts as held
# Two rows of cells in one line of text, for terminals without colours: the glyph for (upper, lower); 0 free, 1 rock,
# 2 craft, 3 crashed.
GLYPHS = np.array([list(" .oX"), list("'#oX"), list("@@@X"), list("XXXX")])


class Button(Keyboard):
    """The space bar as the button of the craft; key repeat keeps it pressed. The first press starts a flight."""

    def __init__(self) -> None:
        super().__init__({" ": HELD}, idle=RELEASED, waits=True)
        self._frames_left = 0

    def begin(self) -> None:
        """A new flight: the button is not held."""
        super().begin()
        self._frames_left = 0

    def __call__(self, observation: np.ndarray) -> int:
        """Held for a moment after each press of the space bar."""
        if super().__call__(observation) == HELD:
            self._frames_left = HELD_FRAMES
        self._frames_left -= 1
        return HELD if self._frames_left >= 0 else RELEASED


def view(env: gymnasium.Env) -> tuple[list[str], np.ndarray]:
    """The screen without the rows that are always rock, as text (two rows a line) and as coloured cells."""
    game, state = env.unwrapped.game, env.unwrapped.state
    shown = cells(game, state)[SHOWN]
    return ["".join(line) for line in GLYPHS[shown[0::2], shown[1::2]]], picture(game, state)[SHOWN]


STAGE = Stage(
    view=view,
    verdict=lambda episode: (
        "through!" if episode.score == episode.length else f"crashed after {episode.score:.0f} steps"
    ),
    tally=lambda played: f"steps survived: {', '.join(f'{episode.score:.0f}' for episode in played)}",
    keyboard=Button,
    keys="the space bar starts and lifts",
    fps=30.0,
    human_fps=15.0,
    half_blocks=True,
    counter="steps",
    every=2,
)
