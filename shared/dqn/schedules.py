"""Quantities that change while training goes on. `xp` is `numpy` or `keras.ops`."""

from typing import Any

from shared.arrays import Array


def linear(xp: Any, start: float, end: float, duration: float | None, elapsed: Array) -> Array:
    """Move from `start` to `end` in a straight line over `duration`, then stay.

    `duration` and `elapsed` share a unit (environment steps, say); a duration of 0 gives `end` from the first.
    """
    if not duration:
        return end
    fraction = xp.clip(xp.array(elapsed, dtype="float32") / duration, 0.0, 1.0)
    return start + (end - start) * fraction
