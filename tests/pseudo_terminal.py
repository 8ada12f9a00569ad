"""A terminal for tests: a program runs on it, is typed to and signalled, and what it drew is read back."""

import codecs
import contextlib
import os
import re
import select
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

try:
    import fcntl
    import pty
    import termios
except ImportError:  # Windows: the tests that need one are skipped
    pty = None

ROOT = Path(__file__).parents[1]
ENTERED, LEFT = "\x1b[?1049h", "\x1b[?1049l"  # xterm's second screen
HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"  # its cursor
# Moving the cursor, erasing, any other escape code, a character.
TOKEN = re.compile(r"\x1b\[([\d;]*H)|\x1b\[(2J|J|K)|(\x1b\[[?>\d;]*[a-zA-Z]|\x1bP.*?\x1b\\)|(.|\n)")
PATIENCE = 60.0  # seconds; only a broken program waits that long

# What a shell does for its child: a terminal of its own to be signalled from, and a way back from Ctrl-Z. Tells on
# stderr, a line each, that the program was started, is stopped, has ended.
SHELL = """
import fcntl, os, signal, subprocess, sys, termios
ignored, *arguments = sys.argv[1:]
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
unmoved = signal.SIGTTOU, signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP  # keys typed at a shell do not end it
for number in unmoved:
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCONT])

def take_terminal():
    os.setpgrp()
    os.tcsetpgrp(0, os.getpid())
    for number in unmoved:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCONT])
    for number in ignored.split():
        signal.signal(int(number), signal.SIG_IGN)

child = subprocess.Popen([sys.executable, *arguments], stderr=sys.stdout, preexec_fn=take_terminal)
os.write(2, b"started %d\\n" % child.pid)
while True:
    _, status = os.waitpid(child.pid, os.WUNTRACED)
    os.tcsetpgrp(0, os.getpid())
    if not os.WIFSTOPPED(status):
        os.write(2, b"ended %d\\n" % os.waitstatus_to_exitcode(status))
        break
    os.write(2, b"stopped\\n")
    signal.sigwait([signal.SIGCONT])
    os.tcsetpgrp(0, child.pid)
    os.killpg(child.pid, signal.SIGCONT)
"""


class PseudoTerminal:
    """Runs `python *arguments` on a terminal of its own that answers no questions.

    Args:
        arguments: what to run, from the root of the repository.
        rows, columns: the size of the window.
        ignored: signals that the program is to ignore from its start, as under `nohup`.
        env: environment variables; those of the tests' own terminal are not passed on.
    """

    def __init__(self, *arguments, rows=24, columns=80, ignored=(), **env):
        if pty is None:
            pytest.skip("needs a pseudo-terminal")
        self.master, self._slave = pty.openpty()
        self.resize(rows, columns, tell=False)
        self.settings = termios.tcgetattr(self._slave)
        self.output = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")  # half a letter that was typed may be echoed
        ours = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLORTERM", "TERM_PROGRAM", "COLUMNS", "LINES")
        inherited = {key: value for key, value in os.environ.items() if key not in (*ours, "LC_ALL")}
        self.shell = subprocess.Popen(
            [sys.executable, "-c", SHELL, " ".join(str(int(number)) for number in ignored), *arguments],
            stdin=self._slave,
            stdout=self._slave,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=ROOT,
            env=inherited | {"TERM": "xterm-256color", "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8"} | env,
            start_new_session=True,
        )
        # The program's process group is known by its number. Asked for it, a terminal that has none yet says 0, and a
        # signal to group 0 would go to the tests themselves.
        self.program = int(self.news().removeprefix("started "))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.shell.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.signal(signal.SIGKILL)
            self.shell.kill()
        self.shell.communicate()
        os.close(self.master)
        os.close(self._slave)

    def resize(self, rows, columns, tell=True):
        """Give the window another size."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.rows, self.columns = rows, columns

    def type(self, keys):
        """Press keys."""
        os.write(self.master, keys.encode())

    def signal(self, number):
        """Send a signal to the program."""
        os.killpg(self.program, number)

    def read_until(self, text, after=0, patience=PATIENCE):
        """Read on until the output from position `after` on holds `text`; returns the position behind it."""
        deadline = time.monotonic() + patience
        while text not in self.output[after:]:
            ended = self.shell.poll() is not None
            on_time = (self._read(0.05) or not ended) and time.monotonic() < deadline
            assert on_time, f"{text!r} did not come; the output ends in {self.output[-400:]!r}"
        return self.output.index(text, after) + len(text)

    def _read(self, seconds):
        """Wait so long for output; whether there was any."""
        ready = bool(select.select([self.master], [], [], seconds)[0])
        if ready:
            self.output += self._decoder.decode(os.read(self.master, 65536))
        return ready

    def said(self):
        """What the shell has just said: "stopped", or "ended" with the exit status; else None. Output is read too."""
        self._read(0.02)
        if not select.select([self.shell.stderr], [], [], 0)[0]:
            return None
        self._read(0.0)
        return self.shell.stderr.readline().decode().rstrip("\n")

    def has_more(self):
        """Read on; whether there was output still to be read."""
        return self._read(0.05)

    def news(self):
        """What the shell says next, as by `said`."""
        deadline = time.monotonic() + PATIENCE
        while (news := self.said()) is None:
            assert time.monotonic() < deadline, f"nothing happened; the output ends in {self.output[-400:]!r}"
        return news

    def go_on(self):
        """Continue the stopped program, as `fg` does."""
        self.shell.send_signal(signal.SIGCONT)

    def typed_ahead(self):
        """What was typed and nobody read: the next program would get it."""
        return os.read(self._slave, 4096).decode()

    def end(self):
        """Wait for the end of the program; returns its exit status."""
        while not (news := self.news()).startswith("ended "):
            assert news == "stopped", f"the shell says {news!r}"
        return int(news.removeprefix("ended "))

    def is_restored(self):
        """Whether the program left the terminal as it found it."""
        return (
            termios.tcgetattr(self._slave) == self.settings
            and self.output.count(ENTERED) == self.output.count(LEFT) > 0
            and self.output.rindex(SHOWN) > self.output.rindex(HIDDEN)
        )

    def screen(self):
        """The rows of text that stand on the screen, or stood there when it was left."""
        shown = self.output[: self.output.rindex(LEFT)] if LEFT in self.output else self.output
        rows, row, column = {}, 0, 0
        for position, erase, _, character in TOKEN.findall(shown):
            if character == "\n":
                row += 1
            elif character == "\r":
                column = 0
            elif character:
                line = rows.get(row, "").ljust(column)
                rows[row] = line[:column] + character + line[column + 1 :]
                column += 1
            elif erase == "2J":
                rows = {}
            elif erase:
                rows = {index: line for index, line in rows.items() if index <= row or erase == "K"}
                rows[row] = rows.get(row, "")[:column]
            elif position:
                row, column = (int(place) - 1 for place in (position[:-1] or "1;1").split(";"))
        return [rows.get(row, "").rstrip() for row in range(max((i for i in rows if rows[i]), default=-1) + 1)]
