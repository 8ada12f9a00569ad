"""The document of a model file as plain data, and whose it is: this project's or Keras'."""

from pathlib import Path
from typing import Any, NamedTuple

from shared.errors import UserError
from shared.model_files import our_yaml, safe_yaml
from shared.model_files.reading import ModelFile


class Document(NamedTuple):
    """What a file says about a network, not yet understood."""

    path: Path
    content: dict[str, Any]
    by_keras: bool

    @property
    def backends(self) -> frozenset[str]:
        """Under what it says that it was made, in small letters."""
        found = (self.content.get(key) for key in ("backend", "keras_backend"))
        return frozenset(name.lower() for name in found if isinstance(name, str))


def parse(file: ModelFile, keras_1: bool = False) -> Document:
    """The document of a file.

    Args:
        file: what was read.
        keras_1: also read the pickled numbers that Keras 1 wrote, as data.

    Raises `UserError` when it has none or it is no plain data. What Keras wrote is checked as it is read
    (`keras_graph`), since its form is another in each version; ours is checked here.
    """
    if file.text is None:
        raise UserError(
            f"{file.path}: holds weights only; give its YAML or JSON first, as Keras saved it, or one that you write "
            f"({our_yaml.PAGE})"
        )
    content = safe_yaml.parse(file.text, file.path, keras_1)
    if "class_name" in content:
        return Document(file.path, content, by_keras=True)
    our_yaml.check(content, file.path)
    return Document(file.path, content, by_keras=False)
