"""The one error that a person is meant to read, what a command does with it, and warnings."""

import sys
from pathlib import Path

INTERRUPTED, TERMINATED, HUNG_UP = 130, 143, 129  # exit status after SIGINT, SIGTERM and SIGHUP, as shells count them


class UserError(Exception):
    """Something the person at the keyboard can mend.

    The message is one line that names the culprit (a file, a flag) and the remedy. Library code raises it;
    `shared.commands.parser.command` prints it on stderr and exits with status 2.
    """


def warn(message: str) -> None:
    """Tell a person on stderr, in one line, what they should know although the work goes on."""
    if sys.stderr is not None:
        print(f"{program()}: warning: {one_line(message)}", file=sys.stderr, flush=True)


_called = ""  # how the running program is called


def program() -> str:
    """How the running program is called, at the head of its messages: `python -m catch_dqn.train`."""
    return _called or Path(sys.argv[0]).name or "python"


def name_program(name: str) -> None:
    """Say how the running program is called."""
    global _called
    _called = name


def one_line(text: object) -> str:
    """Text of any origin as one line that is safe to print: control characters and the like are written out."""
    joined = " ".join(str(text).split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in joined)
