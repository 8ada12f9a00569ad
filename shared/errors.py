"""The one error that a person is meant to read, and what a command does with it."""

INTERRUPTED, TERMINATED = 130, 143  # exit status after SIGINT and SIGTERM, as shells count them


class UserError(Exception):
    """Something the person at the keyboard can mend.

    The message is one line that names the culprit (a file, a flag) and the remedy. Library code raises it;
    `shared.commands.parser.command` prints it on stderr and exits with status 2.
    """
