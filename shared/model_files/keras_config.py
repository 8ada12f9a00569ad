"""What `model.to_yaml()`, `to_json()` and `get_config()` of Keras 1, 2 and 3 say about a model, read as plain data."""

from typing import Any, NamedTuple

from shared.errors import UserError
from shared.model_files.architecture import make_layer

CHANNELS_FIRST = {"th": True, "channels_first": True, "tf": False, "channels_last": False}
RENAMED = {"Convolution2D": "Conv2D"}
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
}


class KerasLayer(NamedTuple):
    """A layer of a Keras configuration, not yet looked into."""

    name: str
    class_name: str
    config: dict[str, Any]
    inputs: tuple[str, ...]

    @property
    def is_keras_1(self):
        """Whether Keras 1 wrote it, which keeps the kernels of `th` convolutions in another order."""
        return "nb_filter" in self.config

    @property
    def channels_first(self):
        """True or False where the layer says how its images lie, else None."""
        return CHANNELS_FIRST.get(str(self.config.get("data_format", self.config.get("dim_ordering"))))


class Graph(NamedTuple):
    """The layers of a Keras configuration in its order, and the names of those that give the outputs."""

    layers: tuple[KerasLayer, ...]
    outputs: tuple[str, ...]
    sequential: bool


def parse(document, path):
    """Read a model's configuration.

    Args:
        document: plain data, `{"class_name": ..., "config": ...}` at its root, of any version of Keras.
        path: the file it comes from, for messages.

    Returns a `Graph`. Raises `UserError` when it is no Keras model, or one of a form that we do not know.
    """
    kind, config = document.get("class_name"), document.get("config")
    if kind == "Sequential":
        return _sequential(config, path)
    if kind in ("Model", "Functional") and isinstance(config, dict):
        return _functional(config, path)
    raise UserError(f"{path}: class_name {kind!r:.60} is no Keras model (Sequential, Model, Functional)")


def plain_layer(layer, path):
    """A `KerasLayer` as an `architecture.Layer`, as if channels came last (see `KerasLayer.channels_first`)."""
    kind, config = RENAMED.get(layer.class_name, layer.class_name), layer.config
    where = f"{path}: layer {layer.name}"
    for key, neutral in NEUTRAL.items():
        if key in config and config[key] not in neutral:
            raise UserError(f"{where}: {key} {config[key]!r:.60} is not supported")
    dtype = config.get("dtype", "float32")
    while isinstance(dtype, dict):  # a policy of Keras 3
        dtype = dtype.get("name", dtype.get("config"))
    if dtype not in ("float32", None):
        raise UserError(f"{where}: dtype {dtype!r:.60} is not supported, only float32")
    settings = {
        key: config[key] if key in config else config[old]
        for key, old in SETTINGS.get(kind, {}).items()
        if key in config or old in config
    }
    if settings.get("activation", "") is None:
        settings["activation"] = "linear"
    if kind == "Conv2D":
        settings["kernel_size"] = config.get("kernel_size", [config.get("nb_row"), config.get("nb_col")])
    if kind == "MaxPooling2D" and settings.get("strides") is None:
        settings["strides"] = settings.get("pool_size")
    if kind == "InputLayer":
        settings["shape"] = _input_shape(config, where)
    return make_layer(kind, layer.name, layer.inputs, settings, path)


def _input_shape(config, where):
    shape = config.get("batch_shape", config.get("batch_input_shape"))
    if not isinstance(shape, list) or len(shape) < 2:
        raise UserError(f"{where}: does not say what shape its input has; choose another file")
    return shape[1:]


def _sequential(config, path):
    """A chain. In Keras 1 and early 2 its configuration is the list itself, and the first layer tells the input."""
    stack = config.get("layers") if isinstance(config, dict) else config
    layers = [_layer(item, (), path) for item in _list(stack, path, "the layers")]
    if not layers:
        raise UserError(f"{path}: a model without layers; choose another file")
    first = layers[0]
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
