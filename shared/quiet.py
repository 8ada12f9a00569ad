"""Keeps TensorFlow's start-up lines off the terminal.

Native code writes them on stderr while TensorFlow is imported, whatever its log level. So that import, whoever asks for
it, runs with stderr closed to native code; Python's own errors are seen as ever. Whoever imports TensorFlow or Keras
before this project sees what that import says; what the first compilation would say is still kept away.
"""

import contextlib
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


class _QuietLoader(importlib.abc.Loader):
    """Another loader, silenced while the module's code runs."""

    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        with without_native_messages():
            self._loader.exec_module(module)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow as others do, and steps aside."""

    def find_spec(self, fullname, path, target=None):
        if fullname != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _QuietLoader(spec.loader)
        return spec


def install() -> None:
    """Quieten the import of TensorFlow that is to come, or what one that was imported already has still to say."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if "tensorflow" in sys.modules:
        with without_native_messages(), contextlib.suppress(UserError):  # of another backend
            importlib.import_module("shared.nn.backend").first_compilation()
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
