"""What `model.to_yaml()`, `to_json()` and `get_config()` of Keras 1, 2 and 3 say about a model, read as plain data."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from shared.errors import UserError

LAMBDA = "Lambda"
KERAS_1 = {"nb_filter", "inner_activation", "mode"}  # settings that later versions do not have
CHANNELS_FIRST = {"th": True, "channels_first": True, "tf": False, "channels_last": False}


class KerasLayer(NamedTuple):
    """A layer of a Keras configuration, not yet looked into."""

    name: str
    class_name: str
    config: dict[str, Any]
    inputs: tuple[str, ...]
    keras_3: bool = False  # whether Keras 3 wrote it

    @property
    def is_keras_1(self) -> bool:
        """Whether Keras 1 wrote it, which keeps the weights of some layers in another order."""
        return not KERAS_1.isdisjoint(self.config)

    @property
    def channels_first(self) -> bool | None:
        """True or False where the layer says how its images lie, else None."""
        layer = self.each_step or self
        return CHANNELS_FIRST.get(str(layer.config.get("data_format", layer.config.get("dim_ordering"))))

    @property
    def each_step(self) -> "KerasLayer | None":
        """What a `TimeDistributed` does at each time step; None for other layers, or where it does not say it."""
        inner = self.config.get("layer") if self.class_name == "TimeDistributed" else None
        if not isinstance(inner, dict) or not isinstance(inner.get("config"), dict):
            return None
        return KerasLayer(self.name, str(inner.get("class_name")), inner["config"], self.inputs, self.keras_3)


class Graph(NamedTuple):
    """The layers of a Keras configuration in its order, and the names of those that give the outputs."""

    layers: tuple[KerasLayer, ...]
    outputs: tuple[str, ...]
    sequential: bool


def parse(document: dict[str, Any], path: str | Path) -> Graph:
    """Read a model's configuration.

    Args:
        document: plain data, `{"class_name": ..., "config": ...}` at its root, of any version of Keras.
        path: the file it comes from, for messages.

    Returns a `Graph`. Raises `UserError` when it is no Keras model, or one of a form that we do not know.
    """
    graph = _model(document, path)
    keras_3 = any(_is_keras_3(layer.config) for layer in graph.layers)
    return graph._replace(layers=tuple(layer._replace(keras_3=keras_3) for layer in graph.layers))


def without_losses(graph: Graph, path: str | Path) -> Graph:
    """Keep what the outputs need that no `Lambda` computes: the losses inside the model fall away, and their inputs.

    Raises `UserError` when a `Lambda` is left, or not exactly one output.
    """
    by_name = {layer.name: layer for layer in graph.layers}
    outputs = [name for name in graph.outputs if name in by_name and by_name[name].class_name != LAMBDA]
    if len(outputs) != 1:
        raise UserError(f"{path}: {len(outputs)} outputs that no Lambda computes, one is needed; choose another file")
    needed, waiting = set(), list(outputs)
    while waiting:
        name = waiting.pop()
        if name in by_name and name not in needed:
            needed.add(name)
            waiting += by_name[name].inputs
    kept = tuple(layer for layer in graph.layers if layer.name in needed)
    for layer in kept:
        if layer.class_name == LAMBDA:
            raise UserError(f"{path}: layer {layer.name}: a Lambda holds Python code, which is never run")
    return graph._replace(layers=kept, outputs=tuple(outputs))


def _model(document, path):
    kind, config = document.get("class_name"), document.get("config")
    if kind == "Sequential":
        return _sequential(config, path)
    if kind in ("Model", "Functional") and isinstance(config, dict):
        return _functional(config, path)
    raise UserError(f"{path}: class_name {kind!r:.60} is no Keras model (Sequential, Model, Functional)")


def _is_keras_3(config):
    """Whether a layer's configuration has what only Keras 3 writes: `batch_shape`, or a `DTypePolicy`."""
    dtype = config.get("dtype")
    return "batch_shape" in config or (isinstance(dtype, dict) and dtype.get("class_name") == "DTypePolicy")


def _merged(layers, path):
    """A Sequential of Keras 1 that begins with a `Merge` of models: the layers of these, then its own."""
    branches, merge = [], layers[0]
    for item in _list(merge.config.get("layers"), path, f"the layers of {merge.name}"):
        is_model = isinstance(item, dict) and item.get("class_name") in ("Sequential", "Model", "Functional")
        branches.append(_model(item, path) if is_model else _sequential([item], path))
    chain = [layer._replace(inputs=(before.name,)) for before, layer in itertools.pairwise(layers)]
    merge = merge._replace(inputs=tuple(name for branch in branches for name in branch.outputs))
    layers = [*(layer for branch in branches for layer in branch.layers), merge, *chain]
    return Graph(tuple(layers), (layers[-1].name,), False)


def _sequential(config, path):
    """A chain. In Keras 1 and early 2 its configuration is the list itself, and the first layer tells the input."""
    stack = config.get("layers") if isinstance(config, dict) else config
    layers = [_layer(item, (), path) for item in _list(stack, path, "the layers")]
    if not layers:
        raise UserError(f"{path}: a model without layers; choose another file")
    first = layers[0]
    if first.class_name == "Merge":
        return _merged(layers, path)
    if first.class_name != "InputLayer":
        shape = first.config.get("batch_input_shape")
        if shape is None and isinstance(config, dict):
            shape = config.get("build_input_shape")
        layers.insert(0, KerasLayer(f"{first.name}_input", "InputLayer", {"batch_input_shape": shape}, ()))
    names = [layer.name for layer in layers]
    chain = [layer._replace(inputs=(before,)) for before, layer in zip(names, layers[1:], strict=False)]
    return Graph((layers[0], *chain), (names[-1],), True)


def _functional(config, path):
    layers = []
    for item in _list(config.get("layers"), path, "the layers"):
        layer = _layer(item, (), path)
        nodes = _list(item.get("inbound_nodes"), path, f"inbound_nodes of layer {layer.name}")
        if len(nodes) > 1:
            raise UserError(f"{path}: layer {layer.name} is used {len(nodes)} times, which is not supported")
        inputs = _inputs(nodes[0], path, layer.name) if nodes else ()
        layers.append(layer._replace(inputs=tuple(inputs)))
    outputs = config.get("output_layers")
    return Graph(tuple(layers), tuple(_tensors(outputs, path, "output_layers")), False)


def _layer(item, inputs, path):
    config = item.get("config") if isinstance(item, dict) else None
    if isinstance(config, dict):
        name, class_name = config.get("name", item.get("name")), item.get("class_name")
        if isinstance(name, str) and isinstance(class_name, str):
            return KerasLayer(name, class_name, config, inputs)
    raise UserError(f"{path}: a layer without class_name, config and name; choose another file")


def _inputs(node, path, name):
    """The layers that one call of a layer takes: Keras 3 lists its arguments, Keras 1 and 2 the tensors."""
    if not isinstance(node, dict):
        return _tensors(node, path, f"inbound_nodes of layer {name}")
    histories = [*_histories(node.get("args")), *_histories(node.get("kwargs"))]
    return [tensor for history in histories for tensor in _tensors([history], path, f"layer {name}")]


def _histories(item: Any) -> Iterator[Any]:
    """Where each tensor among the arguments of a call comes from, in order."""
    if isinstance(item, dict) and item.get("class_name") == "__keras_tensor__":
        yield item["config"].get("keras_history") if isinstance(item.get("config"), dict) else None
    elif isinstance(item, (dict, list)):
        for inner in item.values() if isinstance(item, dict) else item:
            yield from _histories(inner)


def _tensors(listed, path, what):
    """The layer names in `[[name, node, tensor, ...], ...]`, or in a single such entry."""
    listed = [listed] if isinstance(listed, list) and listed and isinstance(listed[0], str) else listed
    names = []
    for entry in _list(listed, path, what):
        if not isinstance(entry, list) or len(entry) < 3 or not isinstance(entry[0], str) or entry[1:3] != [0, 0]:
            raise UserError(f"{path}: {what}: {entry!r:.60} is not the one output of a layer, which is not supported")
        arguments = entry[3] if len(entry) > 3 and isinstance(entry[3], dict) else {}
        if any(isinstance(value, (list, dict)) for value in arguments.values()):
            raise UserError(f"{path}: {what}: {entry!r:.60} is called with more than its input, which is not supported")
        names.append(entry[0])
    return names


def _list(value, path, what):
    if not isinstance(value, list):
        raise UserError(f"{path}: {what} must be a list; choose another file")
    return value
