"""The command line: flags from a settings dataclass, one error path, one exit status for each ending."""

import argparse
import dataclasses
import difflib
import sys

from shared.errors import INTERRUPTED, UserError
from shared.options import flag, value_type


def command(main):
    """Run `main(argv)` as a program: exit 0, or print what a person can mend as one line and exit with status 2."""
    spec = main.__globals__.get("__spec__")  # of the module that `main` is in; a file that is run by its path has none
    program = f"python -m {spec.name}" if spec else f"python {sys.argv[0]}"
    try:
        sys.exit(main(sys.argv[1:]) or 0)
    except UserError as error:
        print(f"{program}: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        sys.stderr.close()
        sys.exit(1)


def whole_number(text):
    """An int from the command line."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def number(text):
    """A float from the command line."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


NUMBERS = {int: whole_number, float: number}


class Parser(argparse.ArgumentParser):
    """`argparse` with exact flags only, whose complaint is one line that comes with a remedy."""

    def __init__(self, module, description, **options):
        super().__init__(
            prog=f"python -m {module}",
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **options,
        )

    def error(self, message):
        """Raise `UserError` with the message and the way to the help."""
        known = [name for action in self._actions for name in action.option_strings]
        if message.startswith("unrecognized arguments: "):
            unknown = message.split(": ", 1)[1].split()[0]
            near = difflib.get_close_matches(unknown.split("=")[0], known, n=1)
            message = f"{unknown}: unknown argument" + (f"; did you mean {near[0]}?" if near else "")
        elif message.startswith("argument "):
            message = message.removeprefix("argument ")
        raise UserError(f"{message} (see --help)")

    def add_settings(self, defaults, only=None, fixed=()):
        """Add a flag for each field of a settings dataclass instance, with the instance's values as defaults.

        `only` names the fields wanted; default: all. Those in `fixed` get no flag: they keep their values.
        """
        for field in dataclasses.fields(defaults):
            if only is not None and field.name not in only:
                continue
            if field.name in fixed:
                self.set_defaults(**{field.name: getattr(defaults, field.name)})
                continue
            kind, several = value_type(type(defaults), field.name)
            default = getattr(defaults, field.name)
            options = {"default": default, "help": _help(field, default)}
            if kind is bool:
                options["action"] = argparse.BooleanOptionalAction
            else:
                options["type"] = NUMBERS.get(kind, kind)
                options["metavar"] = kind.__name__.upper()
                if field.metadata.get("choices"):
                    options["metavar"] = "|".join(field.metadata["choices"])
            if several:
                options["nargs"] = "+"
            self.add_argument(flag(field.name), **options)


def _help(field, default):
    shown = " ".join(map(str, default)) if isinstance(default, tuple) else default
    text = field.metadata["help"].replace("%", "%%")
    if isinstance(default, bool) or (default is None and "default:" in text):
        return text
    return f"{text} (default: {'none' if default is None else shown})"


def settings_from(arguments, config_class):
    """A `config_class` instance from parsed arguments."""
    values = {field.name: getattr(arguments, field.name) for field in dataclasses.fields(config_class)}
    return config_class(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})
