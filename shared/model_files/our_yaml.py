"""The YAML of this project: a network as a person reads and edits it."""

from shared.errors import UserError
from shared.model_files.architecture import Architecture, make_layer


def to_plain(architecture):
    """The description as plain data for a file; `from_plain` reads it back. What can be left out is left out."""
    layers, before = [], None
    for layer in architecture.layers:
        plain = {"name": layer.name, "class": layer.kind}
        if layer.inputs not in ((), (before,)):
            plain["inputs"] = list(layer.inputs)
        layers.append(plain | {key: list(v) if isinstance(v, tuple) else v for key, v in layer.settings.items()})
        before = layer.name
    plain = {"model": "Sequential" if architecture.sequential else "Functional", "layers": layers}
    return plain if architecture.outputs == (before,) else plain | {"outputs": list(architecture.outputs)}


def from_plain(document, path):
    """Read what `to_plain` wrote and a person may have edited. Raises `UserError` naming what is wrong with it."""
    layers, before = [], ()
    listed = document.get("layers")
    if not isinstance(listed, list) or not listed or not all(isinstance(item, dict) for item in listed):
        raise UserError(f"{path}: layers must be a list of layers, each with name and class")
    for item in listed:
        kind = item.get("class")
        inputs = _list_of_names(item.get("inputs", () if kind == "InputLayer" else before), path, "inputs")
        settings = {key: value for key, value in item.items() if key not in ("name", "class", "inputs")}
        layers.append(make_layer(kind, item.get("name"), inputs, settings, path))
        before = (layers[-1].name,)
    model = document.get("model", "Functional")
    if model not in ("Sequential", "Functional"):
        raise UserError(f"{path}: model {model!r:.60}: must be Sequential or Functional")
    outputs = _list_of_names(document.get("outputs", before), path, "outputs")
    architecture = Architecture(tuple(layers), outputs, model == "Sequential")
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
