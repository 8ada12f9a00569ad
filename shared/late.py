"""Imports that wait until they are needed: the one place for them.

Keras and TensorFlow take four seconds to import. `--help`, wrong flags and `gymnasium.make` need neither, so the
modules on their way name what is heavy at the top, as others do, but by `late`.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


class _Late(ModuleType):
    """Stands for a module; the first look at something in it imports it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


def late(name: str) -> Any:
    """The module of this name, imported when something in it is first used."""
    return _Late(name)


def is_installed(name: str) -> bool:
    """Whether there is a package of this name; a folder that happens to be called so is none."""
    found = importlib.util.find_spec(name)
    return found is not None and found.origin is not None


def load(names: dict[str, Any], name: str) -> Any:
    """What a table of names says of one of them: the thing itself, or `"module:attribute"`, imported now."""
    return named(names[name])


def named(thing: Any) -> Any:
    """What `"module:attribute"` names, imported now; anything else is the thing itself."""
    if isinstance(thing, str):
        module, _, attribute = thing.partition(":")
        return getattr(importlib.import_module(module), attribute)
    return thing


def offer(package: str, names: dict[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` (PEP 562) of a package that offers names of its modules, imported when asked for.

    Args:
        package: its name.
        names: what can be imported from it, each as `"module:attribute"`.
    """

    def attribute(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return load(names, name)

    return attribute, lambda: sorted({*vars(sys.modules[package]), *names})
