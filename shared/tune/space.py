"""What a tuning varies: settings, and in which range."""

import argparse
import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

from shared.commands.parser import NUMBERS
from shared.errors import UserError
from shared.options import check_value, flag, refuse_unknown, value_types
from shared.runs.suite import Choice

DECADE = 10  # a range from more than 0 to this many times as much is searched by factors, not by differences
DIGITS = 4  # significant ones of a number that is tried: people are going to read it
SWITCH = ("off", "on")


class Dimension(NamedTuple):
    """One setting, and what is tried for it: one of `choices`, or a number from `low` to `high`.

    A setting of several numbers, such as `hidden`, has as many as in the preset, all alike, or is one of the choices.
    """

    name: str
    choices: tuple[str, ...] = ()  # as the command line has them
    low: float = 0
    high: float = 0
    whole: bool = False
    repeated: int = 1  # how many of the number make a value

    def __str__(self) -> str:
        """What is tried, for people."""
        wanted = ",".join(self.choices) or f"{self.low}:{self.high}"
        return f"{self.name}={wanted}{' by factors' if self.by_factors else ''}"

    @property
    def by_factors(self) -> bool:
        """Whether 1 to 10 is as wide as 10 to 100."""
        return self.low > 0 and self.high >= DECADE * self.low

    def draw(self, trial: Any) -> Any:
        """A value for an `optuna.Trial`, as its sampler suggests it."""
        if self.choices:
            return trial.suggest_categorical(self.name, self.choices)
        suggest = trial.suggest_int if self.whole else trial.suggest_float
        return suggest(self.name, self.low, self.high, log=self.by_factors)

    def word(self, drawn: Any) -> str:
        """A value that was drawn, as the command line has it.

        Raises:
            ValueError: if it is none of those that are tried: it comes from a file.
        """
        if self.choices:
            return self.choices[self.choices.index(drawn)]
        if not isinstance(drawn, int if self.whole else float) or not self.low <= drawn <= self.high:
            raise ValueError(drawn)
        number = drawn if self.whole else min(max(float(f"{drawn:.{DIGITS}g}"), self.low), self.high)
        return " ".join([str(number)] * self.repeated)

    def of(self, settings: Any) -> Any:
        """What would have to be drawn for the value that some settings have, or None where it is not tried."""
        value = getattr(settings, self.name)
        values = value if isinstance(value, tuple) else (value,)
        if self.choices:
            word = " ".join(SWITCH[one] if isinstance(one, bool) else str(one) for one in values)
            return word if word in self.choices else None
        alike = len(values) == self.repeated and len(set(values)) == 1 and values[0] is not None
        return values[0] if alike and self.low <= values[0] <= self.high else None


def dimensions(asked: Sequence[str], choice: Choice, argv: Sequence[str]) -> tuple[Dimension, ...]:
    """What is varied.

    Args:
        asked: `name`, `name=low:high` or `name=this,that` for each setting; none: those that declare what a tuning
            tries (`search` of `shared.options.option`), but for those that `argv` gives.
        choice: the experiment, and the settings to begin with.
        argv: the flags that these come from.

    Raises:
        UserError: naming the setting that cannot be varied so.
    """
    fields = {field.name: field for field in dataclasses.fields(choice.settings)}
    given = {word.split("=")[0] for word in argv}
    if not asked:
        fixed = {*choice.experiment.fixed, *(choice.experiment.readable if choice.engine == "readable" else ())}
        asked = [
            name
            for name, field in fields.items()
            if field.metadata.get("search") and name not in fixed and flag(name) not in given
        ]
        if not asked:
            raise UserError("--vary: nothing is left to vary; name settings, such as --vary learning_rate=1e-4:1e-2")
    found: dict[str, Dimension] = {}
    for text in asked:
        name, _, wanted = text.partition("=")
        name = name.removeprefix("--").replace("-", "_")
        refuse_unknown([name], type(choice.settings))
        if name == "seed" or name in choice.experiment.fixed:
            raise UserError(f"--vary {name}: is not a setting to be tuned here; leave it out")
        if name in found or flag(name) in given:
            raise UserError(f"--vary {name}: given twice; leave one out")
        try:
            found[name] = _dimension(fields[name], choice.settings, wanted)
        except (UserError, argparse.ArgumentTypeError) as error:
            raise UserError(f"--vary {text}: {error}") from None
    return tuple(found.values())


def _dimension(field, settings, wanted):
    """The `Dimension` of a field, in the range that is wanted; "": the one that it declares."""
    settings_class: Any = type(settings)
    kind, several, _ = value_types(settings_class)[field.name]
    number = NUMBERS.get(kind)
    low, colon, high = wanted.partition(":")
    if number and (colon or not wanted):
        low, high = (number(low), number(high)) if colon else _declared(field, getattr(settings, field.name))
        for end in (low, high):
            check_value(field, kind, end)
        if not low < high:
            raise UserError(f"{low} is not below {high}; give the smaller one first")
        repeated = max(1, len(getattr(settings, field.name) or ())) if several else 1
        return Dimension(field.name, low=low, high=high, whole=kind is int, repeated=repeated)
    words = wanted.split(",") if wanted else SWITCH if kind is bool else field.metadata.get("choices") or ()
    choices = dict.fromkeys(" ".join(_checked(field, kind, one) for one in _parts(word, several)) for word in words)
    if len(choices) < 2:
        raise UserError("nothing to choose from; give several values, as name=this,that, or a range, as name=1:10")
    return Dimension(field.name, choices=tuple(choices))


def _parts(word, several):
    return word.split() if several else [word]


def _checked(field, kind, word):
    """A word for one value, as a number is written here."""
    if kind is bool:
        if word not in SWITCH:
            raise UserError(f"{word} is neither on nor off; give these")
        return word
    value = NUMBERS[kind](word) if kind in NUMBERS else word
    check_value(field, kind, value)
    return str(value)


def _declared(field, value):
    """The range that a field declares, with the `value` that it has in it: a tuning begins with that."""
    low, high = field.metadata.get("search") or (field.metadata.get("low"), field.metadata.get("high"))
    if low is None or high is None:
        raise UserError(f"has no limits of its own; give a range, such as {field.name}=1:100")
    held = [one for one in (value if isinstance(value, tuple) else (value,)) if one]  # 0 switches off
    return min([low, *held]), max([high, *held])
