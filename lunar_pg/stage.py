"""What LunarLander looks like in a terminal, and which keys a person lands it with."""

import dataclasses

from shared.display.playback import Keyboard
from shared.display.views import any_stage

# Engines. Gymnasium's "left" one drives the lander to the left and tilts it that way; a test measures it.
NOTHING, LEFT, MAIN, RIGHT = range(4)

STAGE = dataclasses.replace(
    any_stage(),
    keyboard=lambda: Keyboard(
        {"KEY_UP": MAIN, "k": MAIN, "KEY_LEFT": LEFT, "h": LEFT, "KEY_RIGHT": RIGHT, "l": RIGHT, " ": NOTHING},
        idle=NOTHING,
        waits=True,
    ),
    keys="arrows or h/k/l start and fire the engines",
    actions=("none", "left", "main", "right"),
    fps=50.0,
    human_fps=15.0,
)
