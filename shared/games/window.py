"""A window that shows moving pictures. Matplotlib is imported when one is opened."""

import os
from typing import Any

import numpy as np

from shared.errors import UserError
from shared.pace import Pace

SHORTEST_WAIT = 0.001  # seconds in which a window answers to the mouse even when frames are late; 0 would be for ever


class Window:
    """A window that shows moving pictures, for `render_mode="human"`.

    Closing it, like Ctrl-C, ends the program's work: the next `show` raises `KeyboardInterrupt`.

    Args:
        title: stands in its title bar.
        fps: frames per second.

    Raises `UserError` where there is no display, or no toolkit to open a window with.
    """

    def __init__(self, title: str, fps: float) -> None:
        import matplotlib.pyplot as plt

        self._plt, self._pace = plt, Pace(fps)
        self._image: Any = None
        self._figure = _open_window(plt, title)

    def show(self, pixels: np.ndarray) -> None:
        """Show one picture, uint8 [H, W, 3], and wait until its time is over."""
        if not self._plt.fignum_exists(self._figure.number):
            raise KeyboardInterrupt("the window was closed")
        if self._image is None:
            axis = self._figure.add_axes((0, 0, 1, 1))
            axis.set_axis_off()
            self._image = axis.imshow(pixels, interpolation="nearest")
            self._pace.restart()
        self._image.set_data(pixels)
        self._figure.canvas.draw_idle()
        self._figure.canvas.start_event_loop(max(SHORTEST_WAIT, self._pace.left()))
        self._pace.advance()

    def close(self) -> None:
        """Close the window."""
        self._plt.close(self._figure)


def _open_window(plt, title):
    remedy = 'use render_mode="rgb_array" or "ansi", or play in the terminal'
    try:
        figure = plt.figure(title, figsize=(5, 5))
    except Exception as error:
        raise UserError(f'render_mode="human": no window could be opened ({error}); {remedy}') from error
    if plt.get_backend().lower() in _without_windows():
        plt.close(figure)
        asked = "MPLBACKEND" in os.environ
        cause = f"MPLBACKEND={os.environ['MPLBACKEND']} draws no windows" if asked else "there is no display or toolkit"
        raise UserError(f'render_mode="human": {cause}; {remedy}')
    figure.show()
    return figure


def _without_windows():
    from matplotlib.backends import BackendFilter, backend_registry

    return backend_registry.list_builtin(BackendFilter.NON_INTERACTIVE)
