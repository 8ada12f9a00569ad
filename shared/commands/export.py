"""The command `export`: a trained agent for where there is no Python."""

from shared import files
from shared.commands.exports import web
from shared.commands.parser import Parser, path_name
from shared.commands.trained import add_weights_arguments, load_trained
from shared.errors import UserError, say
from shared.runs.suite import Suite

TARGETS = (web.TARGET,)


def export(argv: list[str], suite: Suite) -> int:
    """`python -m <package>.export`.

    Args:
        argv: the arguments.
        suite: whose agents can be exported.

    Returns the exit status.
    """
    parser = Parser(suite.command("export"), "Write a trained agent as a file for where there is no Python.")
    add_weights_arguments(parser, suite)
    for target in TARGETS:
        parser.add_argument(target.flag, type=path_name, metavar="FILE", help=target.meaning)
    arguments = parser.parse_args(argv)
    asked = [(target, getattr(arguments, target.flag.strip("-").replace("-", "_"))) for target in TARGETS]
    wanted = [(target, path) for target, path in asked if path is not None]
    if not wanted:
        raise UserError(f"nothing to write; give {' or '.join(f'{target.flag} FILE' for target in TARGETS)}")
    for target, path in wanted:
        if path.suffix.lower() != target.suffix:
            raise UserError(f"{target.flag} {path}: give a name that ends in {target.suffix}")
        files.check_place(path)
    trained = load_trained(arguments, suite)
    say(f"agent: {trained.weights}")
    for target, path in wanted:
        target.write(trained, path)
        say(f"written: {path} ({path.stat().st_size:,} bytes)")
    return 0
