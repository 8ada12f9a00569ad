"""What the kinds of layers in `architecture.KINDS` may be set to, and the shapes of their weights.

A check takes a setting's value and returns it normalised, or raises `ValueError`. A function of shapes takes the
settings and the shape of the input with its batch axis, and returns the shapes of the weights in Keras' order.
"""

import math
from collections.abc import Callable
from typing import Any

Shape = tuple[int | None, ...]


def number(low: float = -math.inf, high: float = math.inf) -> Callable[[Any], float]:
    """A check for a finite number from `low` to `high`."""

    def check(value):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            value = math.nan
        if not math.isfinite(value):
            raise ValueError("must be a number" + (f" from {low:g} to {high:g}" if math.isfinite(low) else ""))
        return float(value)

    return check


def number_or_none(low: float, high: float) -> Callable[[Any], float | None]:
    """The same, or nothing."""
    check = number(low, high)
    return lambda value: None if value is None else check(value)


def axis(value: Any) -> int:
    """One axis that is not the batch's; Keras 2 writes it as a list."""
    value = value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value
    if isinstance(value, bool) or not isinstance(value, int) or value == 0 or not -8 <= value <= 8:
        raise ValueError("must be an axis, a whole number from -8 to 8 and not 0, which is the batch's")
    return value


def axes(value: Any) -> tuple[int, ...]:
    """One or several such axes, ascending."""
    listed = value if isinstance(value, (list, tuple)) else [value]
    if not 0 < len(listed) <= 8 or list(listed) != sorted(set(map(axis, listed))):
        raise ValueError("must be a list of ascending axes")
    return tuple(listed)


def order_of_axes(value: Any) -> tuple[int, ...]:
    """The numbers of all axes but the batch's, each once."""
    if not isinstance(value, (list, tuple)) or not 0 < len(value) <= 8:
        raise ValueError("must be a list of the axes")
    if any(isinstance(one, bool) or not isinstance(one, int) for one in value):
        raise ValueError("must be a list of whole numbers")
    if sorted(value) != list(range(1, len(value) + 1)):
        raise ValueError(f"must have each of the axes 1 to {len(value)} once")
    return tuple(value)


def target_shape(high: int) -> Callable[[Any], Shape]:
    """A check for sizes of axes up to `high`, one of which may be -1 for what is left."""

    def check(value):
        if not isinstance(value, (list, tuple)) or not 0 < len(value) <= 8:
            raise ValueError("must be a list of whole numbers")
        for size in value:
            if isinstance(size, bool) or not isinstance(size, int) or not (size == -1 or 1 <= size <= high):
                raise ValueError(f"must have whole numbers from 1 to {high:,}, one of them perhaps -1")
        if value.count(-1) > 1:
            raise ValueError("must have one -1 at most")
        return tuple(value)

    return check


def edge_widths(value: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """What is added above and below, left and right: one number, one for each of the two axes, or all four."""
    value = [value, value] if isinstance(value, int) else value
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError("must be two pairs of whole numbers")
    pairs = [(pair, pair) if isinstance(pair, int) else pair for pair in value]
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ValueError("must be two pairs of whole numbers")
        if any(isinstance(width, bool) or not isinstance(width, int) or not 0 <= width <= 1024 for width in pair):
            raise ValueError("must be whole numbers from 0 to 1,024")
    (top, bottom), (left, right) = pairs
    return (top, bottom), (left, right)


def dense_weights(settings: dict, shape: Shape) -> list[Shape]:
    """Kernel [I, O] and bias."""
    return [(shape[-1], settings["units"]), (settings["units"],)][: 1 + settings["use_bias"]]


def conv_weights(settings: dict, shape: Shape) -> list[Shape]:
    """Kernel [rows, columns, I, O] and bias."""
    kernel = (*settings["kernel_size"], shape[-1], settings["filters"])
    return [kernel, (settings["filters"],)][: 1 + settings["use_bias"]]


def batch_normalization_weights(settings: dict, shape: Shape) -> list[Shape]:
    """Scale (gamma), offset (beta), moving mean, moving variance."""
    return [(shape[settings["axis"]],)] * (2 + settings["scale"] + settings["center"])


def layer_normalization_weights(settings: dict, shape: Shape) -> list[Shape]:
    """Scale (gamma) and offset (beta)."""
    return [tuple(shape[one] for one in settings["axis"])] * (settings["scale"] + settings["center"])


def lstm_weights(settings: dict, shape: Shape) -> list[Shape]:
    """Kernel [I, 4 U], recurrent kernel [U, 4 U] and bias, with the gates in the order i, f, c, o."""
    units = settings["units"]
    return [(shape[-1], 4 * units), (units, 4 * units), (4 * units,)][: 2 + settings["use_bias"]]
