"""The one error that a person is meant to read, and what a command does with it."""

import unicodedata

INTERRUPTED, TERMINATED = 130, 143  # exit status after SIGINT and SIGTERM, as shells count them


class UserError(Exception):
    """Something the person at the keyboard can mend.

    The message is one line that names the culprit (a file, a flag) and the remedy. Library code raises it;
    `shared.commands.parser.command` prints it on stderr and exits with status 2. What it quotes may come from a
    stranger's file, so it is made `printable` here, for every way that a message takes.
    """

    def __init__(self, message: object) -> None:
        super().__init__(printable(str(message)))


def printable(text: str) -> str:
    r"""Some text with everything that a terminal would obey or hide written out: `\x1b` for an escape.

    That is control characters, marks that turn the direction of writing and halves of characters, written as in a
    Python literal. Line breaks, spaces and letters of any language stay.
    """
    return "".join(c if _shows(c) else c.encode("unicode_escape").decode() for c in text)


def _shows(character):
    return character.isprintable() or character == "\n" or unicodedata.category(character) == "Zs"
