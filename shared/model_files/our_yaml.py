"""The YAML of this project: a network, and what it was compiled with, as a person reads and edits them."""

from pathlib import Path
from typing import Any

from shared.errors import UserError
from shared.late import late
from shared.model_files import safe_yaml
from shared.model_files.architecture import Architecture, Layer, make_layer

keras = late("keras")

FORMAT = 1
ENTRIES = ("format", "keras_version", "model", "layers", "outputs", "optimizer", "loss", "weights")
HEADING = "# A Keras model. Read it with shared.storage.load_model(this file, its weights).\n"
PAGE = "docs/files.md shows how such a file is written by hand"


def write(architecture: Architecture, sections: dict[str, Any]) -> bytes:
    """The document: a network and other entries of it."""
    document = {"format": FORMAT, "keras_version": keras.__version__, **to_plain(architecture), **sections}
    return (HEADING + safe_yaml.dump(document)).encode()


def check(document: dict[str, Any], path: str | Path) -> None:
    """Raise `UserError` unless a document has the entries of this format, each of its type."""
    if "format" not in document and "layers" in document:
        raise UserError(f"{path}: does not say which format it has; add the line format: {FORMAT} ({PAGE})")
    if "format" not in document:
        raise UserError(f"{path}: describes no network: no format, no layers; {PAGE}")
    if document["format"] != FORMAT or isinstance(document["format"], bool):
        raise UserError(f"{path}: format {document['format']!r:.60} is not {FORMAT}; choose another file")
    unknown = next((key for key in document if key not in ENTRIES), None)
    if unknown is not None:
        raise UserError(f"{path}: unknown entry {unknown:.60}; there may be {', '.join(ENTRIES)}")
    listed = document.get("layers")
    if not isinstance(listed, list) or not listed or not all(isinstance(item, dict) for item in listed):
        raise UserError(f"{path}: layers must be a list of layers, each with name and class")
    model = document.get("model", "Functional")
    if model not in ("Sequential", "Functional"):
        raise UserError(f"{path}: model {model!r:.60}: must be Sequential or Functional")
    weights = document.get("weights")
    if weights is not None and not (isinstance(weights, dict) and isinstance(weights.get("sha256"), str)):
        raise UserError(f"{path}: weights {weights!r:.60}: must have the sha256 of a file; remove the entry")


def to_plain(architecture: Architecture) -> dict[str, Any]:
    """The description as plain data for a file; `from_plain` reads it back. What can be left out is left out."""
    layers, before = [], None
    for layer in architecture.layers:
        plain: dict[str, Any] = {"name": layer.name, "class": layer.kind}
        if layer.inputs not in ((), (before,)):
            plain["inputs"] = list(layer.inputs)
        layers.append(plain | _plain(layer.settings))
        before = layer.name
    plain = {"model": "Sequential" if architecture.sequential else "Functional", "layers": layers}
    return plain if architecture.outputs == (before,) else plain | {"outputs": list(architecture.outputs)}


def _plain(value):
    """Settings with lists for tuples."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def from_plain(document: dict[str, Any], path: str | Path) -> Architecture:
    """Read what `to_plain` wrote and a person may have edited. Raises `UserError` naming what is wrong with it."""
    layers: list[Layer] = []
    before: tuple[str, ...] = ()
    for item in document["layers"]:
        kind = item.get("class")
        inputs = _list_of_names(item.get("inputs", () if kind == "InputLayer" else before), path, "inputs")
        settings = {key: value for key, value in item.items() if key not in ("name", "class", "inputs")}
        layers.append(make_layer(kind, item.get("name"), inputs, settings, path))
        before = (layers[-1].name,)
    outputs = _list_of_names(document.get("outputs", before), path, "outputs")
    architecture = Architecture(tuple(layers), outputs, document.get("model") == "Sequential")
    if not outputs or layers[0].kind != "InputLayer":
        raise UserError(f"{path}: a network begins with an InputLayer and has an output; add it")
    if architecture.sequential and not _is_chain(architecture):
        raise UserError(f"{path}: a Sequential model is one chain of layers; write model: Functional")
    return architecture


def _list_of_names(value, path, key):
    if not isinstance(value, (list, tuple)) or not all(isinstance(name, str) for name in value):
        raise UserError(f"{path}: {key} {value!r:.60}: must be a list of layer names")
    return tuple(value)


def _is_chain(architecture):
    names = [layer.name for layer in architecture.layers]
    feeds = [layer.inputs for layer in architecture.layers]
    return feeds == [(), *((name,) for name in names[:-1])] and architecture.outputs == (names[-1],)
