"""The one error that a person is meant to read, what a command does with it, and what it says beside that."""

import sys
import unicodedata
from pathlib import Path

from shared.machine import in_notebook

INTERRUPTED, TERMINATED, HUNG_UP = 130, 143, 129  # exit status after SIGINT, SIGTERM and SIGHUP, as shells count them
BEGINNING, END = 1200, 300  # characters of a message that are told where it is longer


class UserError(Exception):
    """Something the person at the keyboard can mend.

    The message is one line that names the culprit (a file, a flag) and the remedy. Library code raises it;
    `shared.commands.parser.command` prints it on stderr and exits with status 2. What it quotes may come from a
    stranger's file, so it is made `printable` here, for every way that a message takes, and cut in the middle where it
    is longer than anybody reads.
    """

    def __init__(self, message: object) -> None:
        text = str(message)
        if len(text) > BEGINNING + END:
            text = f"{text[:BEGINNING]} ... {text[-END:]}"
        super().__init__(printable(text))


def say(line: object) -> None:
    """Tell a person a line on stdout, at once, that may quote a path or another text of any origin."""
    print(printable(str(line)).replace("\n", "\\n"), flush=True)


def warn(message: str) -> None:
    """Tell a person on stderr, in one line, what they should know although the work goes on."""
    if sys.stderr is not None:
        head = "" if in_notebook() else f"{program()}: "
        print(f"{head}warning: {one_line(message)}", file=sys.stderr, flush=True)


_called = ""  # how the running program is called


def program() -> str:
    """How the running program is called, at the head of its messages: `python -m catch_dqn.train`."""
    return _called or Path(sys.argv[0]).name or "python"


def name_program(name: str) -> None:
    """Say how the running program is called."""
    global _called
    _called = name


def one_line(text: object) -> str:
    """Text of any origin as one line that is safe to print."""
    return printable(" ".join(str(text).split()))


def printable(text: str) -> str:
    r"""Some text with everything that a terminal would obey or hide written out: `\x1b` for an escape.

    That is control characters, marks that turn the direction of writing and halves of characters, written as in a
    Python literal. Line breaks, spaces and letters of any language stay.
    """
    return "".join(c if _shows(c) else c.encode("unicode_escape").decode() for c in text)


def _shows(character):
    return character.isprintable() or character == "\n" or unicodedata.category(character) == "Zs"
