"""What an Atari game looks like in a terminal, and which keys a person plays Breakout with."""

import dataclasses

from shared.display.playback import Keyboard, Stage
from shared.display.views import any_stage

NOTHING, FIRE, RIGHT, LEFT = range(4)  # of Breakout

FPS = 15.0  # four frames of sixty are one step


def atari_stage(num_actions: int) -> Stage:
    """The stage of a game with so many actions."""
    return dataclasses.replace(any_stage(num_actions), fps=FPS, human_fps=FPS, counter="score", every=1)


def breakout_stage() -> Stage:
    """The same, with arrow keys."""
    return dataclasses.replace(
        atari_stage(4),
        actions=("stay", "fire", "right", "left"),
        keyboard=lambda: Keyboard(
            {"KEY_LEFT": LEFT, "h": LEFT, "KEY_RIGHT": RIGHT, "l": RIGHT, " ": NOTHING}, idle=NOTHING, waits=True
        ),
        keys="arrows or h/l start and move the paddle",
    )
