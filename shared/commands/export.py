"""The command `export`: a trained agent for elsewhere."""

from shared.commands.exports import keras_file, litert, onnx, saved_model, web
from shared.commands.parser import Parser, path_name
from shared.commands.trained import add_weights_arguments, load_trained
from shared.errors import UserError, say
from shared.runs.suite import Suite

TARGETS = (web.TARGET, onnx.TARGET, litert.TARGET, keras_file.TARGET, saved_model.TARGET)


def export(argv: list[str], suite: Suite) -> int:
    """`python -m <package>.export`.

    Args:
        argv: the arguments.
        suite: whose agents can be exported.

    Returns the exit status.
    """
    parser = Parser(suite.command("export"), "Write a trained agent for elsewhere: a page, a phone, another program.")
    add_weights_arguments(parser, suite)
    for target in TARGETS:
        metavar = "FILE" if target.suffix else "FOLDER"
        parser.add_argument(target.flag, type=path_name, metavar=metavar, help=target.meaning)
    arguments = parser.parse_args(argv)
    asked = [(target, getattr(arguments, target.flag.strip("-").replace("-", "_"))) for target in TARGETS]
    wanted = [(target, path) for target, path in asked if path is not None]
    if not wanted:
        raise UserError(f"nothing to write; give one of {', '.join(target.flag for target in TARGETS)} and a name")
    for target, path in wanted:
        target.check(path)
    trained = load_trained(arguments, suite)
    say(f"agent: {trained.weights}")
    for target, path in wanted:
        target.write(trained, path)
        size = sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())
        say(f"written: {path} ({size:,} bytes)")
    return 0
