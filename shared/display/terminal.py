"""Moving pictures in a terminal, and a terminal that is as it was when they end.

A frame is lines of text and, where there are colours, a picture of coloured cells in their place. Where there is no
terminal (a pipe, a file, `TERM=dumb`), the same calls print the text of each frame and nothing else.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from shared.late import late
from shared.pace import Pace

blessed = late("blessed")

HALF_BLOCK = "▀"  # upper half in the foreground colour, lower half in the background colour
GAP = "  "  # between a frame and what stands beside it
UNKNOWN_SIZE = (80, 24)  # columns and rows of a window that reports 0 (a serial line, some containers)
QUERY_SECONDS = "0.1"  # blessed asks a terminal two questions; the default patience is 5 s for each
POLL_SECONDS = 0.1  # how often a wait for a key looks for Ctrl-Z
LEAVING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGBREAK")  # end the program; each system has some of them
GONE: tuple[type[Exception], ...] = (OSError,)  # what setting the mode of a terminal raises that is no longer there
with contextlib.suppress(ImportError):  # Windows has no such module
    import termios

    GONE += (termios.error,)


class Screen:
    r"""A terminal that shows frames at a steady pace and reads keys meanwhile.

    Inside `with`, the frames have the whole window, and the terminal is put back on every way out: the end, an error,
    Ctrl-C (`KeyboardInterrupt`), Ctrl-\, SIGTERM and SIGHUP (`SystemExit` with status 128 + signal), and for as long
    as Ctrl-Z stops the program. Signals that were ignored before stay ignored.

        with Screen(fps=10) as screen:
            while playing:
                screen.show(lines, picture, caption=["score 3"])
                for key in screen.wait():
                    ...

    Args:
        fps: frames per second, above 0.
        half_blocks: draw two picture rows in one terminal row, one character per column, for large pictures; otherwise
            every picture cell is one row high and two characters wide, which is about square.
    """

    def __init__(self, fps: float = 10.0, half_blocks: bool = False) -> None:
        self.pace = Pace(fps)
        self.half_blocks = half_blocks
        self.on_terminal = _is_terminal(sys.stdout)  # a person may be watching: keep the pace
        # A person may be watching and typing, on a terminal that can move its cursor.
        self.interactive = self.on_terminal and _is_terminal(sys.stdin) and _moves_cursor()
        # The window's size at the last frame; None: something else stands on the screen.
        self._size_drawn: tuple[int, int] | None = None
        self._taken = False  # the window is ours
        self._handlers: dict[int, Any] = {}  # signal -> who had it before
        self._leaving: int | None = None  # the signal that wants the program to end
        self._stopping = False  # Ctrl-Z was pressed

    def __enter__(self) -> Self:
        if not self.interactive:
            self.pace.restart()
            return self
        try:
            self._take_signals()
            self._terminal = _open_terminal()
            self._colours = self._terminal.number_of_colors >= 8 and not os.environ.get("NO_COLOR")
            self._glyphs = can_show(HALF_BLOCK)
            self._sequences: dict[tuple[int, ...], str] = {}  # colour -> escape sequence
            self._take()
            self._leave_if_asked()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *error):
        try:
            self._give_back()
        finally:
            while self._handlers:
                signal.signal(*self._handlers.popitem())
        if error[0] is None:
            self._leave_if_asked()

    def show(
        self,
        lines: Sequence[str] = (),
        picture: np.ndarray | None = None,
        caption: Sequence[str] = (),
        beside: Sequence[str] = (),
    ) -> bool:
        """Draw one frame, at once; `wait` then keeps the pace.

        Args:
            lines: the frame as text, one string per row.
            picture: the frame as colours, uint8 [rows, columns, 3], drawn in place of `lines` where it can be.
            caption: lines of text under the frame.
            beside: lines of text to the right of the frame; where the window is too narrow, to that of the caption.

        Returns:
            True if the frame was shown, False if the window is too small (it says so).
        """
        if not self.interactive:
            print(*lines, *caption, *beside, "", sep="\n", flush=self.on_terminal)
            return True
        self._obey_signals()
        columns, rows = self._size()
        if picture is not None and self._colours and (self._glyphs or not self.half_blocks):
            frame, width = self._paint(picture)
        else:
            width = max(map(len, lines), default=0)
            frame = [line.ljust(width) for line in lines] if beside else list(lines)
        under, under_width = list(caption), max(map(len, caption), default=0)
        if width + len(GAP) + max(map(len, beside), default=0) <= columns:
            frame, width = self._joined(frame, width, beside)
        else:
            under, under_width = self._joined([line.ljust(under_width) for line in under], under_width, beside)
        frame += under
        width = max(width, under_width)
        fits = width <= columns and len(frame) <= rows
        if not fits:
            complaint = ["window too small", f"needs {width} x {len(frame)}", f"has {columns} x {rows}"]
            frame = [line[:columns] for line in complaint[:rows]]
        self._draw(frame, (columns, rows))
        return fits

    def wait(self) -> list[str]:
        """Wait until the next frame is due; return the keys pressed meanwhile, oldest first.

        A key is its character, or blessed's name for it (`"KEY_LEFT"`). Without a terminal to type on there are none,
        and into a pipe or a file there is no wait either.
        """
        keys = []
        if self.interactive:
            while key := self.key(self.pace.left()):
                keys.append(key)
        elif self.on_terminal:
            time.sleep(self.pace.left())
        self.pace.advance()
        return keys

    def key(self, timeout: float | None = None) -> str | None:
        """The next key, or None when `timeout` seconds (None: for ever) pass without one or nobody can type."""
        if not self.interactive:
            return None
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        while True:
            self._obey_signals()
            left = max(0.0, deadline - time.monotonic())
            try:
                stroke = self._terminal.inkey(timeout=min(left, POLL_SECONDS), esc_delay=POLL_SECONDS)
            except (EOFError, OSError):  # the terminal is gone
                raise SystemExit(128 + 1) from None
            if stroke:
                return stroke.name or str(stroke)
            if left <= POLL_SECONDS:
                return None

    def _joined(self, rows, width, beside):
        """Rows of that width with lines of text to their right, and how wide all that is."""
        if not beside:
            return rows, width
        rows = rows + [width * " "] * (len(beside) - len(rows))
        texts = [f"{self._terminal.normal}{GAP}{text}" for text in beside] + [""] * (len(rows) - len(beside))
        joined = [row + text for row, text in zip(rows, texts, strict=True)]
        return joined, width + len(GAP) + max(map(len, beside))

    def _size(self):
        """Columns and rows of the window."""
        return self._terminal.width or UNKNOWN_SIZE[0], self._terminal.height or UNKNOWN_SIZE[1]

    def _draw(self, frame, size):
        """Write the whole frame over the last one in one go: no flicker, and nothing else that was printed stays."""
        terminal = self._terminal
        start = terminal.home if self._size_drawn == size else terminal.clear
        rows = [f"{line}{terminal.normal}{terminal.clear_eol}" for line in frame]
        self._size_drawn = size
        self._write(start + "\r\n".join(rows) + terminal.clear_eos)

    def _paint(self, picture):
        """The picture as rows of text with colours, and its width in characters."""
        if self.half_blocks:
            upper, lower = picture[0::2], picture[1::2]
            rows = [
                self._runs([(*top, *bottom) for top, bottom in zip(above, below, strict=True)])
                for above, below in zip(upper.tolist(), lower.tolist(), strict=False)
            ]
            if len(upper) > len(lower):  # the last of an odd number of rows stands alone
                rows.append(self._runs([(*cell, 0, 0, 0) for cell in upper[-1].tolist()]))
            return rows, picture.shape[1]
        return [self._runs([tuple(cell) for cell in row]) for row in picture.tolist()], 2 * picture.shape[1]

    def _runs(self, cells):
        """One row of cells, with an escape sequence only where the colour changes."""
        parts, last = [], None
        for cell in cells:
            if cell != last:
                parts.append(self._sequence(cell))
                last = cell
            parts.append(HALF_BLOCK if self.half_blocks else "  ")
        return "".join(parts)

    def _sequence(self, cell):
        """The escape sequence for a cell: (r, g, b) of its background, or of its upper and its lower half."""
        if cell not in self._sequences:
            upper = self._terminal.color_rgb(*cell[:3]) if len(cell) == 6 else ""
            self._sequences[cell] = upper + self._terminal.on_color_rgb(*cell[-3:])
        return self._sequences[cell]

    def _write(self, text):
        self._terminal.stream.write(text)
        self._terminal.stream.flush()

    def _take(self):
        """Take the window: second screen, no cursor, no line wrap, keys unbuffered and not echoed."""
        terminal = self._terminal
        self._typing = terminal.cbreak()
        self._typing.__enter__()
        self._taken = True
        self._write(terminal.enter_fullscreen + terminal.hide_cursor + terminal.rmam)
        self._size_drawn = None
        self.pace.restart()

    def _give_back(self):
        """Undo `_take`. A terminal that is gone (SIGHUP) cannot be written to; the rest is still undone."""
        if not self._taken:
            return
        self._taken = False
        terminal = self._terminal
        try:
            below = "" if terminal.exit_fullscreen else terminal.move_xy(0, self._size()[1] - 1) + "\n"
            with contextlib.suppress(OSError, ValueError):
                self._write(terminal.normal + terminal.smam + below + terminal.exit_fullscreen + terminal.normal_cursor)
            with contextlib.suppress(OSError, EOFError):
                while terminal.inkey(timeout=0, esc_delay=0):  # keys meant for the game are not for the shell
                    pass
        finally:
            with contextlib.suppress(*GONE):
                self._typing.__exit__(None, None, None)

    def _take_signals(self):
        """Turn the signals that would end or stop the program on the spot into a way out through `__exit__`."""
        if threading.current_thread() is not threading.main_thread():
            return
        # SIGINT comes first, and goes back last: Python's own handler raises, and could do so between two of these.
        for name, handler in (*((name, self._ask_to_leave) for name in LEAVING), ("SIGTSTP", self._ask_to_stop)):
            number = getattr(signal, name, None)
            # What is ignored (`nohup`, a job in the background) stays so; None is a handler that is not Python's.
            if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._handlers[number] = signal.signal(number, handler)

    def _ask_to_leave(self, number, frame):
        """The program is to end: at once, unless the terminal is changing hands, then when that is done.

        Signals come in bursts (a closed window, an impatient person); an exception in the middle of the way back would
        leave the rest undone. Blocking them would not help: a mask holds for one thread, another thread takes the
        signal, and Python calls this in the main thread all the same.
        """
        self._leaving = self._leaving or number
        while frame is not None:
            if frame.f_code in UNBROKEN:
                return
            frame = frame.f_back
        self._leave_if_asked()

    def _ask_to_stop(self, number, frame):
        # Writing from inside a handler could cut into a frame that is being written.
        self._stopping = True

    def _leave_if_asked(self):
        number, self._leaving = self._leaving, None
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        if number is not None:
            raise SystemExit(128 + number)

    def _obey_signals(self):
        if self._stopping:
            self._stop()
        self._leave_if_asked()

    def _stop(self):
        """Ctrl-Z: hand the terminal back, stop as the shell expects, and take it again when continued."""
        self._stopping = False
        self._give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)  # to this thread, so that nothing below runs before the stop
        signal.signal(signal.SIGTSTP, self._ask_to_stop)
        if self._leaving is None:  # else it was continued, perhaps in the background, only to end
            self._take()


# What no signal breaks off: from the first instruction to the last, and in all that it calls.
UNBROKEN = {method.__code__ for method in (Screen.__enter__, Screen.__exit__, Screen._stop)}


def _is_terminal(stream):
    return stream is not None and stream.isatty()


def _moves_cursor():
    """Whether `TERM` promises more than a line printer (Windows consoles set no `TERM`)."""
    return os.name == "nt" or os.environ.get("TERM", "") not in ("", "dumb")


def can_show(glyph: str) -> bool:
    """Whether the terminal's encoding has the glyph. Under `LC_ALL=C` Python writes UTF-8, the terminal may not."""
    if os.environ.get("LC_ALL") in ("C", "POSIX"):
        return False
    try:
        glyph.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return True


def _open_terminal():
    """The terminal as blessed knows it, without its long waits, and able to move the cursor under `NO_COLOR`.

    blessed (1.52) waits 5 s for each answer of a terminal that gives none; this variable is its own switch for that.
    It takes `NO_COLOR` for "no escape codes at all"; the standard (no-color.org) asks for no colours only.
    """
    os.environ.setdefault("BLESSED_QUERY_TIMEOUT_SECONDS", QUERY_SECONDS)
    no_color = os.environ.pop("NO_COLOR", None)
    try:
        return blessed.Terminal()
    finally:
        if no_color is not None:
            os.environ["NO_COLOR"] = no_color
