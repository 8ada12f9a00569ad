"""The command line: flags from a settings dataclass, one error path, one exit status for each ending."""

import argparse
import dataclasses
import difflib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from shared import compile_cache, files, signals
from shared.commands import output
from shared.errors import INTERRUPTED, UserError, name_program, one_line, program
from shared.options import flag, value_types


def command(main: Callable[[list[str]], int | None], name: str | None = None) -> NoReturn:
    """Run `main(argv)` as a program, called `name` in its messages; default: after the module that `main` is in.

    Exit status 0; 2 after printing in one line what a person can mend; 1 if something could not be printed; 130 after
    Ctrl-C. The first one is a `KeyboardInterrupt`; the second one acts at once, also where much is being compiled.
    """
    output.make_safe()
    spec = main.__globals__.get("__spec__")  # a file that is run by its path has none
    name_program(name or (f"python -m {spec.name.removesuffix('.__main__')}" if spec else f"python {sys.argv[0]}"))
    try:
        with signals.heard(signals.leave_on_second_interrupt):
            status: int | str = main(sys.argv[1:]) or 0
    except UserError as error:
        print(f"{program()}: {one_line(error)}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        status = INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        status = 1
    except SystemExit as end:  # after --help, or with the status of a signal
        status = end.code or 0
    sys.exit(output.finish(status))


def command_line(program: str, *words: object) -> str:
    """How to call a program such as "python -m catch_dqn.train" with some arguments, to be pasted into a shell."""
    texts = [str(word) for word in words]
    return f"{program} {subprocess.list2cmdline(texts) if os.name == 'nt' else shlex.join(texts)}".strip()


def path_name(text: str) -> Path:
    """The path of a file or folder from the command line; `""`, as an unset variable of a shell gives it, is none."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty; name a file or folder, or leave it out")
    return Path(text)


def whole_number(text: str) -> int:
    """An int from the command line."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def number(text: str) -> float:
    """A float from the command line."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


SettingsT = TypeVar("SettingsT")  # a dataclass of options (`shared.options`)
NUMBERS: dict[type, Callable[[str], Any]] = {int: whole_number, float: number}


class Parser(argparse.ArgumentParser):
    """`argparse` with exact flags only, whose complaint is one line that comes with a remedy."""

    def __init__(self, module: str, description: str, **options: Any) -> None:
        super().__init__(
            prog=module if module.startswith("python ") else f"python -m {module}",
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **options,
        )
        self._negative_number_matcher = re.compile(r"-\.?\d")  # of argparse; its own takes -1e3 for a flag
        self._outputs: dict[str, Path] = {}  # flag of a file to be written -> the path that it has by default

    def add_output(self, name: str, default: str | Path, meaning: str) -> None:
        """Add the flag of a file that the command writes. What is there is replaced only if a person names it."""
        self._outputs[name] = Path(default)
        self.add_argument(
            name, type=path_name, default=self._outputs[name], metavar="FILE", help=f"{meaning} (default: {default})"
        )

    def add_compile_cache(self) -> None:
        """Add the flag that does without the programs that were compiled before (`shared.compile_cache`)."""
        self.add_argument(
            "--no-compile-cache",
            action=_WithoutCompileCache,
            nargs=0,
            default=argparse.SUPPRESS,
            help="compile everything anew, and keep nothing of it in the cache folder for the next start",
        )

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As `argparse` does it; the files of `add_output` are checked too."""
        arguments = super().parse_args(args, namespace)
        for name, default in self._outputs.items():
            place = getattr(arguments, name.strip("-"))
            if place is default:
                files.refuse_existing(place, f"give {name} {place} to replace it, or another name")
            files.check_place(place)
        return arguments

    def error(self, message: str) -> NoReturn:
        """Raise `UserError` with the message and the way to the help."""
        known = [name for action in self._actions for name in action.option_strings]
        if message.startswith("unrecognized arguments: "):
            unknown = message.split(": ", 1)[1].split()[0]
            near = difflib.get_close_matches(unknown.split("=")[0], known, n=1)
            message = f"{unknown}: unknown argument" + (f"; did you mean {near[0]}?" if near else "")
        elif message.startswith("argument "):
            message = message.removeprefix("argument ")
        raise UserError(f"{message} (see --help)")

    def add_settings(self, defaults: Any, only: Collection[str] | None = None, fixed: Collection[str] = ()) -> None:
        """Add a flag for each field of a settings dataclass instance, with the instance's values as defaults.

        `only` names the fields wanted; default: all. Those in `fixed` get no flag: they keep their values.
        """
        groups: dict[str, Any] = {}
        settings_class: Any = type(defaults)
        for field in dataclasses.fields(defaults):
            if only is not None and field.name not in only:
                continue
            if field.name in fixed:
                self.set_defaults(**{field.name: getattr(defaults, field.name)})
                continue
            kind, several, _ = value_types(settings_class)[field.name]
            group = field.metadata.get("group")
            if group and group not in groups:
                groups[group] = self.add_argument_group(group)
            default = getattr(defaults, field.name)
            options: dict[str, Any] = {"default": default, "help": _help(field, default)}
            if kind is bool:
                options["action"] = argparse.BooleanOptionalAction
            else:
                options["type"] = NUMBERS.get(kind, kind)
                options["metavar"] = kind.__name__.upper()
                if field.metadata.get("choices"):
                    options["metavar"] = "|".join(field.metadata["choices"])
            if several:
                options["nargs"] = "+"
            (groups[group] if group else self).add_argument(flag(field.name), **options)
            if field.metadata.get("was"):
                hidden = {**options, "help": argparse.SUPPRESS, "default": argparse.SUPPRESS, "dest": field.name}
                self.add_argument(flag(field.metadata["was"]), **hidden)


class _WithoutCompileCache(argparse.Action):
    def __call__(self, *_):
        compile_cache.switch_off()


def _help(field, default):
    shown = " ".join(map(str, default)) if isinstance(default, tuple) else default
    text = field.metadata["help"].replace("%", "%%")
    if default is None and "default:" in text:
        return text
    names = {None: "none", True: "on", False: "off"}
    return f"{text} (default: {names[default] if default is None or isinstance(default, bool) else shown})"


def settings_from(arguments: argparse.Namespace, settings_class: type[SettingsT]) -> SettingsT:
    """A `settings_class` instance from parsed arguments."""
    made: Any = settings_class
    values = {field.name: getattr(arguments, field.name) for field in dataclasses.fields(made)}
    return settings_class(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})
