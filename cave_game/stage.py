"""What the games look like in a terminal, and which keys a person plays with."""

import dataclasses

import gymnasium
import numpy as np

from cave_game.game import HELD, MARGIN, RELEASED, ROWS
from shared.display.playback import Keyboard, Stage

SHOWN = slice(MARGIN, ROWS - MARGIN)  # the rows that are not always rock: with the caption they fill a window of 24
HELD_FRAMES = 3  # a terminal tells when a key is pressed, not when it is let go: so long a press counts as held
# Two rows of cells in one line of text, for terminals without colours: the glyph for (upper, lower), each a kind of
# cell (`cave_game.envs`): 0 free, 1 rock, 2 craft, 3 crashed, 4 block, 5 tail.
GLYPHS = np.array([list(" .oX.."), list("'#oX#."), list("@@@X@@"), list("XXXXXX"), list("'#oX#-"), list("''oX--")])


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
    """The screen without its uppermost and lowest rows, as text (two rows a line) and as coloured cells."""
    shown = env.unwrapped.cells(env.unwrapped.state)[SHOWN]
    return ["".join(line) for line in GLYPHS[shown[0::2], shown[1::2]]], env.unwrapped.picture(env.unwrapped.state)[
        SHOWN
    ]


STAGE = Stage(
    view=view,
    verdict=lambda episode: (
        "through!" if episode.score == episode.length else f"crashed after {episode.score:.0f} steps"
    ),
    tally=lambda played: f"steps survived: {', '.join(f'{episode.score:.0f}' for episode in played)}",
    keyboard=Button,
    keys="the space bar starts and lifts",
    actions=("fall", "rise"),
    fps=30.0,
    human_fps=15.0,
    half_blocks=True,
    counter="steps",
    every=2,
)
# A flight that was not cut ends with a reward of -1, or with one that is missing: see `reward` of `Cave2017`.
STAGE_2017 = dataclasses.replace(
    STAGE,
    verdict=lambda episode: "through!" if episode.score in (0, episode.length) else f"crashed at step {episode.length}",
    tally=lambda played: f"steps made: {', '.join(str(episode.length) for episode in played)}",
    counts="length",
)
STAGES = {"cave": STAGE, "cave2017": STAGE_2017}
