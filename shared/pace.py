"""A steady pace for moving pictures."""

import time


class Pace:
    """Even steps of time, which one frame after the other fills.

    A frame that comes a little late is made up for by a shorter wait; after a stall of a step or more the pace starts
    anew, so that frames are never hurried through to catch up.

    Args:
        fps: frames per second, above 0.
    """

    def __init__(self, fps: float) -> None:
        if not fps > 0:
            raise ValueError(f"fps={fps!r}: must be above 0")
        self.period = 1.0 / fps  # seconds
        self.restart()

    def restart(self) -> None:
        """A frame begins now."""
        self._due = time.monotonic() + self.period

    def left(self) -> float:
        """Seconds until the present frame is over; 0 when its time is up."""
        return max(0.0, self._due - time.monotonic())

    def advance(self) -> None:
        """The present frame is over: the next one begins."""
        if time.monotonic() - self._due < self.period:
            self._due += self.period
        else:
            self.restart()
