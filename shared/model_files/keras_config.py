"""What `model.to_yaml()`, `to_json()` and `get_config()` of Keras 1, 2 and 3 say about a model, read as plain data."""

import itertools
from pathlib import Path
from typing import Any, NamedTuple

from shared.errors import UserError
from shared.model_files import keras_settings
from shared.model_files.architecture import Layer, make_layer

CHANNELS_FIRST = {"th": True, "channels_first": True, "tf": False, "channels_last": False}
RENAMED = {"Convolution2D": "Conv2D"}
KERAS_1 = {"nb_filter", "inner_activation", "mode"}  # settings that later versions do not have
# What a layer is called for in Keras 2 and 3, and what Keras 1 called it.
SETTINGS = {
    "Dense": {"units": "output_dim", "activation": "activation", "use_bias": "bias"},
    "Conv2D": {
        "filters": "nb_filter",
        "strides": "subsample",
        "padding": "border_mode",
        "activation": "activation",
        "use_bias": "bias",
    },
    "MaxPooling2D": {"pool_size": "pool_size", "strides": "strides", "padding": "border_mode"},
    "AveragePooling2D": {"pool_size": "pool_size", "strides": "strides", "padding": "border_mode"},
    "GlobalAveragePooling2D": {"keepdims": "keepdims"},
    "ZeroPadding2D": {"padding": "padding"},
    "BatchNormalization": {key: key for key in ("axis", "momentum", "epsilon", "center", "scale")},
    "LayerNormalization": {key: key for key in ("axis", "epsilon", "center", "scale")},
    "LSTM": {
        "units": "output_dim",
        "activation": "activation",
        "recurrent_activation": "inner_activation",
        "use_bias": "use_bias",
        "return_sequences": "return_sequences",
        "dropout": "dropout_W",
        "recurrent_dropout": "dropout_U",
    },
    "Rescaling": {"scale": "scale", "offset": "offset"},
    "LeakyReLU": {"negative_slope": "alpha"},
    "ReLU": {key: key for key in ("max_value", "negative_slope", "threshold")},
    "Reshape": {"target_shape": "target_shape"},
    "Permute": {"dims": "dims"},
    "Activation": {"activation": "activation"},
    "Dropout": {"rate": "p"},
    "Concatenate": {"axis": "axis"},
    "Dot": {"axes": "axes"},
    "Grid": {"edges": "edges"},
    "Embedding": {"input_dim": "input_dim", "output_dim": "output_dim"},
    "Dueling": {"aggregate": "aggregate"},
}
# Settings that change what a layer computes and that we do not have, with the values that change nothing.
NEUTRAL = {
    "dilation_rate": (1, [1, 1]),
    "atrous_rate": ([1, 1],),
    "groups": (1,),
    "noise_shape": (None,),
    "normalize": (False,),
    "mask_zero": (False,),
    "stateful": (False,),
    "return_state": (False,),
    "go_backwards": (False,),
    "time_major": (False,),
    "renorm": (False,),
    "rms_scaling": (False,),
    "virtual_batch_size": (None,),
    "adjustment": (None,),
}


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


def plain_layer(layer: KerasLayer, path: str | Path) -> Layer:
    """A `KerasLayer` as an `architecture.Layer`, as if channels came last (see `KerasLayer.channels_first`)."""
    kind, config = RENAMED.get(layer.class_name, layer.class_name), layer.config
    where = f"{path}: layer {layer.name}"
    if kind == "Merge":
        kind, config = keras_settings.merge(config, where)
    for key, neutral in NEUTRAL.items():
        if key in config and config[key] not in neutral:
            raise UserError(f"{where}: {key} {config[key]!r:.60} is not supported")
    dtype = config.get("dtype", "float32")
    while isinstance(dtype, dict):  # a policy of Keras 3
        dtype = dtype.get("name", dtype.get("config"))
    if dtype not in ("float32", None) and (kind, dtype) != ("InputLayer", "uint8"):
        raise UserError(f"{where}: dtype {dtype!r:.60} is not supported, only float32")
    settings = {
        key: config[key] if key in config else config[old]
        for key, old in SETTINGS.get(kind, {}).items()
        if key in config or old in config
    }
    keras_settings.adjust(kind, settings, config, layer.keras_3, where)
    if kind == "InputLayer":
        settings["shape"] = _input_shape(config, where)
    if kind == "TimeDistributed":
        if layer.each_step is None:
            raise UserError(f"{where}: does not say which layer it is made of; choose another file")
        inner = plain_layer(layer.each_step, path)
        settings["layer"] = {"class": inner.kind, **inner.settings}
    return make_layer(kind, layer.name, layer.inputs, settings, path)


def _input_shape(config, where):
    shape = config.get("batch_shape", config.get("batch_input_shape"))
    if not isinstance(shape, list) or len(shape) < 2:
        raise UserError(f"{where}: does not say what shape its input has; choose another file")
    return shape[1:]


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
    name = config.get("name", item.get("name")) if isinstance(config, dict) else None
    if not isinstance(name, str) or not isinstance(item.get("class_name"), str):
        raise UserError(f"{path}: a layer without class_name, config and name; choose another file")
    return KerasLayer(name, item["class_name"], config, inputs)


def _inputs(node, path, name):
    """The layers that one call of a layer takes: Keras 3 lists its arguments, Keras 1 and 2 the tensors."""
    if not isinstance(node, dict):
        return _tensors(node, path, f"inbound_nodes of layer {name}")
    found, waiting = [], [node.get("args"), node.get("kwargs")]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, dict) and item.get("class_name") == "__keras_tensor__":
            history = item["config"].get("keras_history") if isinstance(item.get("config"), dict) else None
            found += _tensors([history], path, f"layer {name}")
        elif isinstance(item, (dict, list)):
            waiting = (list(item.values()) if isinstance(item, dict) else item) + waiting
    return found


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
