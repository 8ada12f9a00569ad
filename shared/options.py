"""Settings: frozen dataclasses whose fields carry their own default, meaning and limits."""

import dataclasses
import math
import types
import typing

from shared.errors import UserError


def option(default, meaning, *, low=None, high=None, choices=None):
    """A field of a settings dataclass.

    Args:
        default: its value unless a preset or the command line says otherwise.
        meaning: one line for `--help`, with the unit.
        low, high: the smallest and largest value allowed (both included).
        choices: the values allowed, for a field of words.
    """
    metadata = {"help": meaning, "low": low, "high": high, "choices": choices}
    return dataclasses.field(default=default, metadata=metadata)


def flag(name):
    """How a field is called on the command line: `batch_size` is `--batch-size`."""
    return "--" + name.replace("_", "-")


def value_type(config_class, name):
    """The type of one value of field `name`, and whether the field holds several (`tuple[int, ...]`)."""
    hint = typing.get_type_hints(config_class)[name]
    if isinstance(hint, types.UnionType):  # `int | None`
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    if typing.get_origin(hint) is tuple:
        return typing.get_args(hint)[0], True
    return hint, False


def check_limits(config):
    """Raise `UserError` naming the first field whose value lies outside its declared limits."""
    for field in dataclasses.fields(config):
        low, high, choices = (field.metadata.get(key) for key in ("low", "high", "choices"))
        held = getattr(config, field.name)
        for value in held if isinstance(held, tuple) else (held,):
            if value is None:
                continue
            if choices is not None and value not in choices:
                raise UserError(f"{flag(field.name)} {value}: unknown; choose one of {', '.join(choices)}")
            too_low = low is not None and not value >= low
            too_high = high is not None and not value <= high
            if too_low or too_high or (isinstance(value, float) and not math.isfinite(value)):
                limits = f"a value from {low} to {high}" if high is not None else f"a value of at least {low}"
                limits = "a finite number" if low is None else limits
                raise UserError(f"{flag(field.name)} {value}: out of range; give {limits}")


def from_json(config_class, values):
    """A settings instance from what `json.loads` gives back of `dataclasses.asdict` of one.

    A setting that is missing was not there yet when the file was written, and has its default.

    Raises:
        UserError: if a setting is unknown: the file is of a later version.
    """
    unknown = values.keys() - {field.name for field in dataclasses.fields(config_class)}
    if unknown:
        raise UserError(f"config.json: setting {min(unknown)!r} is of another version of this program; start a new run")
    return config_class(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})
