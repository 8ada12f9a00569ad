"""The one error that a person is meant to read, and what a command does with it."""


class UserError(Exception):
    """Something the person at the keyboard can mend.

    The message is one line that names the culprit (a file, a flag) and the remedy. Library code raises it;
    `shared.cli.command` prints it on stderr and exits with status 2.
    """
