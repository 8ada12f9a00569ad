"""What a layer of Keras 1, 2 or 3 is called and set to in `architecture.KINDS`."""

from pathlib import Path

from shared.errors import UserError
from shared.model_files import keras_settings
from shared.model_files.architecture import Layer, make_layer
from shared.model_files.keras_graph import KerasLayer

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
    "AveragePooling2D": {"pool_size": "pool_size", "strides": "strides", "padding": "border_mode"},
    "GlobalAveragePooling1D": {"keepdims": "keepdims"},
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
    "Expectation": {"lowest": "lowest", "highest": "highest"},
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
