"""Keeps TensorFlow's start-up lines off the terminal, and makes its import and that of Keras a fifth shorter.

Native code writes them on stderr while TensorFlow is imported, whatever its log level. So that import, whoever asks for
it, runs with stderr closed to native code; Python's own errors are seen as ever. Whoever imports TensorFlow or Keras
before this project sees what that import says; what the first compilation would say is still kept away.

These imports make a million objects that stay. Python's garbage collector would go through all of them again and again,
while they come and ever after, so it rests meanwhile and then leaves them out.
"""

import contextlib
import gc
import importlib
import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Iterator

from shared.errors import UserError


@contextlib.contextmanager
def without_native_messages() -> Iterator[None]:
    """Hide what native code writes on stderr."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # stderr is closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """Collect no garbage, and afterwards none of what is there by then."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class _Loader(importlib.abc.Loader):
    """Another loader, under whose `care` the module's code runs."""

    def __init__(self, loader, care):
        self._loader, self._care = loader, care

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        with self._care():
            self._loader.exec_module(module)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds one module as others do, and steps aside.

    Args:
        name: of the module.
        care: makes the context in which its code is to run.
    """

    def __init__(self, name, care):
        self.name, self._care = name, care

    def find_spec(self, fullname, path, target=None):
        if fullname != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._care)
        return spec


@contextlib.contextmanager
def _in_quiet():
    with without_native_messages(), without_collector():
        yield


def install() -> None:
    """Quieten the import of TensorFlow that is to come, or what one that was imported already has still to say."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if "tensorflow" in sys.modules:
        with without_native_messages(), contextlib.suppress(UserError):  # of another backend
            importlib.import_module("shared.nn.backend").first_compilation()
    awaited = {finder.name for finder in sys.meta_path if isinstance(finder, _Finder)}
    for name, care in (("tensorflow", _in_quiet), ("keras", without_collector)):
        if name not in sys.modules and name not in awaited:
            sys.meta_path.insert(0, _Finder(name, care))
