"""What a layer of Keras 1, 2 or 3 is called and set to in `architecture.KINDS`."""

from shared.errors import UserError
from shared.model_files.architecture import make_layer

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
