"""Settings: frozen dataclasses whose fields carry their own default, meaning and limits.

The same check serves the command line, Python code and files: `check_limits`, which a settings class calls when an
instance is made.
"""

import dataclasses
import difflib
import functools
import sys
import types
import typing
from collections.abc import Collection
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from shared.errors import UserError

LARGEST = 2**31 - 1  # the largest whole number: the compiled loop counts in int32
KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", dict: "an object"}
SEVERAL = {int: "whole numbers", float: "numbers", str: "words"}


class Dataclass(Protocol):
    """An instance of any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


AnySettings = TypeVar("AnySettings", bound=Dataclass)


def option(
    default: Any,
    meaning: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: Collection[str] | None = None,
    most: int | None = None,
    search: tuple[float, float] | None = None,
    group: str = "",
    was: str = "",
) -> Any:
    """A field of a settings dataclass.

    Args:
        default: its value unless a preset or the command line says otherwise.
        meaning: one line for `--help`, with the unit.
        low, high: the smallest and largest value allowed (both included). Whole numbers end at `LARGEST` anyway.
        choices: the values allowed, for a field of words.
        most: how many values there may be, for a field of several.
        search: the smallest and the largest value that a tuning tries, unless it is told otherwise.
        group: under which heading `--help` has it.
        was: what it was called before: still understood, on the command line and in files.
    """
    metadata = {"help": meaning, "low": low, "high": high, "choices": choices, "most": most, "search": search}
    metadata |= {"group": group, "was": was}
    return dataclasses.field(default=default, metadata=metadata)


def flag(name: str) -> str:
    """How a field is called on the command line: `batch_size` is `--batch-size`."""
    return "--" + name.replace("_", "-")


@functools.cache
def value_types(settings_class: type) -> dict[str, tuple[type, bool, bool]]:
    """For each field its name and `(type of one value, whether it holds several, whether it may be None)`.

    The annotations may be `int`, `float`, `bool`, `str`, `dict`, `tuple[int, ...]` and so on, and `int | None`.
    """
    found = {}
    for name, hint in typing.get_type_hints(settings_class).items():
        parts = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        kind = next(part for part in parts if part is not type(None))
        several = typing.get_origin(kind) is tuple
        found[name] = typing.get_args(kind)[0] if several else kind, several, type(None) in parts
    return found


def refuse_unknown(values: Collection[str], settings_class: type[Dataclass]) -> None:
    """Raise `UserError` for the first name that is none of the class's settings."""
    known = [field.name for field in dataclasses.fields(settings_class)]
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            remedy = f"do you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
            raise UserError(f"{name}: no such setting; {remedy}")


def check_limits(settings: Dataclass) -> None:
    """Raise `UserError` naming the first field whose value is not of its type or lies outside its limits."""
    for field in dataclasses.fields(settings):
        kind, several, optional = value_types(type(settings))[field.name]
        held, most = getattr(settings, field.name), field.metadata.get("most")
        if held is None and optional:
            continue
        if several and not isinstance(held, tuple):
            raise UserError(f"{flag(field.name)} {held!r:.60}: out of range; give several {SEVERAL[kind]}")
        if several and most is not None and len(held) > most:
            raise UserError(f"{flag(field.name)}: {len(held)} values; give at most {most}")
        for value in held if several else (held,):
            check_value(field, kind, value)


def refuse_all_but_another_seed(before: Dataclass, now: Dataclass) -> None:
    """Raise `UserError` unless `now` are the settings `before`, but for `seed`."""
    if type(now) is not type(before):
        raise UserError(f"settings: {type(now).__name__}, not {type(before).__name__}; make another trainer for them")
    for field in dataclasses.fields(before):
        then, value = getattr(before, field.name), getattr(now, field.name)
        if field.name != "seed" and then != value:
            raise UserError(
                f"{flag(field.name)} {value}: this trainer was compiled for {then}, and can begin again with another "
                "--seed only; make another trainer"
            )


def check_value(field: dataclasses.Field, kind: type, value: Any) -> None:
    """Raise `UserError` unless a field, or one of its several values, may be `value`, which is of type `kind`."""
    low, high, choices = (field.metadata.get(key) for key in ("low", "high", "choices"))
    where = f"{flag(field.name)} {value!s:.60}"
    if choices is not None and not (isinstance(value, str) and value in choices):
        raise UserError(f"{where}: unknown; choose one of {', '.join(choices)}")
    numeric = kind in (int, float)
    if not isinstance(value, (int, float) if kind is float else kind) or (numeric and isinstance(value, bool)):
        raise UserError(f"{flag(field.name)} {value!r:.60}: out of range; give {KINDS[kind]}")
    if not numeric:
        return
    number: Any = value
    if not -sys.float_info.max <= number <= sys.float_info.max:  # nor NaN
        raise UserError(f"{where}: out of range; give a finite number")
    largest = LARGEST if high is None and kind is int else high
    too_low, too_high = low is not None and number < low, largest is not None and number > largest
    if too_low or too_high:
        limits = f"of at least {low}" if high is None and too_low else f"from {low} to {largest}"
        limits = f"of at most {largest}" if low is None else limits
        raise UserError(f"{where}: out of range; give a value {limits}")


def from_json(settings_class: type[AnySettings], values: dict[str, Any], where: str | Path) -> AnySettings:
    """An instance of a settings class from what `json.loads` gives back of `dataclasses.asdict` of one.

    A setting that is missing was not there yet when the file was written, and has its default.

    Args:
        settings_class: a dataclass that calls `check_limits` when an instance is made.
        values: a dict from anywhere.
        where: the file, for messages.

    Raises:
        UserError: if a setting is unknown (the file is of a later version), missing or not possible.
    """
    fields, kinds = dataclasses.fields(settings_class), value_types(settings_class)
    values = _by_new_names(settings_class, values)
    unknown = values.keys() - {field.name for field in fields}
    if unknown:
        raise UserError(
            f"{where}: setting {min(unknown)!r:.60} is of another version of this program; choose another, or start a "
            "new run"
        )
    missing = [f.name for f in fields if f.default is dataclasses.MISSING and f.name not in values]
    if missing:
        raise UserError(f"{where}: {missing[0]} is missing; choose another, or start a new run")
    try:
        return settings_class(**{name: _from_json(kinds[name], value) for name, value in values.items()})
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def changed_by(settings: AnySettings, values: dict[str, Any], where: str | Path) -> AnySettings:
    """Settings with some of them changed by what JSON or YAML says, by name.

    Args:
        settings: an instance of a dataclass that calls `check_limits` when one is made.
        values: a dict from anywhere.
        where: the file, for messages.

    Raises:
        UserError: if a setting is unknown or not possible.
    """
    kinds, values = value_types(type(settings)), _by_new_names(type(settings), values)
    try:
        refuse_unknown(values, type(settings))
        changes: dict[str, Any] = {name: _from_json(kinds[name], value) for name, value in values.items()}
        return dataclasses.replace(settings, **changes)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def _by_new_names(settings_class, values):
    """Settings by name, where some may have the names that they had before."""
    fields = dataclasses.fields(settings_class)
    older = {field.metadata.get("was"): field.name for field in fields if field.metadata.get("was")}
    return {older.get(name, name): value for name, value in values.items()}


def _from_json(value_type, value):
    """A value as Python has it: JSON has no tuples, and writes 1.0 as 1 at times. What fits nowhere stays as it is."""
    kind, several, _ = value_type
    if several and isinstance(value, list):
        return tuple(_from_json((kind, False, False), item) for item in value)
    if kind is float and type(value) is int and abs(value) <= sys.float_info.max:
        return float(value)
    return value
