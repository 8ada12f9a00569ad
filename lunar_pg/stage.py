"""What LunarLander looks like in a terminal, and which keys a person lands it with."""

import dataclasses

from shared.display.playback import Keyboard
from shared.display.views import any_stage

NOTHING, LEFT, MAIN, RIGHT = range(4)  # engines; the left one pushes to the right

STAGE = dataclasses.replace(
    any_stage(),
    keyboard=lambda: Keyboard(
        {"KEY_UP": MAIN, "k": MAIN, "KEY_LEFT": RIGHT, "h": RIGHT, "KEY_RIGHT": LEFT, "l": LEFT, " ": NOTHING},
        idle=NOTHING,
        waits=True,
    ),
    keys="arrows or h/k/l fire the engines",
    fps=50.0,
    human_fps=15.0,
)
