"""Settings that the versions of Keras write in ways of their own, brought into the form of `architecture.KINDS`."""

from typing import Any

from shared.errors import UserError
from shared.nn.activations import keras_1_hard_sigmoid

# The modes of Keras 1's `Merge`, the kinds of layer that do the same, and what such a layer must be told.
MERGES = {
    "sum": ("Add", {}),
    "mul": ("Multiply", {}),
    "ave": ("Average", {}),
    "max": ("Maximum", {}),
    "concat": ("Concatenate", {"axis": "concat_axis"}),
    "dot": ("Dot", {"axes": "dot_axes"}),
}
OWN_ACTIVATION = f"shared>{keras_1_hard_sigmoid.__name__}"  # as Keras 3 writes it, registered


def merge(config: dict[str, Any], where: str) -> tuple[str, dict[str, Any]]:
    """The kind and the settings of a layer that does what a `Merge` of Keras 1 does.

    Raises `UserError` when its mode is Python code or is not supported.
    """
    mode = config.get("mode")
    if config.get("mode_type", "raw") != "raw":
        raise UserError(f"{where}: a Merge with Python code, which is never run")
    if not isinstance(mode, str) or mode not in MERGES:
        raise UserError(f"{where}: Merge mode {mode!r:.60} is not supported; supported are {', '.join(MERGES)}")
    kind, settings = MERGES[mode]
    return kind, {key: config[old] for key, old in settings.items() if old in config}


def adjust(kind: str, settings: dict[str, Any], config: dict[str, Any], keras_3: bool, where: str) -> None:
    """Finish the settings of a layer in place.

    Args:
        kind: a key of `architecture.KINDS`.
        settings: those that only had to be renamed.
        config: all that Keras wrote about the layer.
        keras_3: whether Keras 3 wrote it; its `hard_sigmoid` is another function.
        where: for messages.

    Raises `UserError` when the layer computes what we cannot.
    """
    for key in ("activation", "recurrent_activation"):
        if key in settings:
            settings[key] = _activation(settings[key], keras_3)
    if kind == "Conv2D":
        settings["kernel_size"] = config.get("kernel_size", [config.get("nb_row"), config.get("nb_col")])
    if kind in ("MaxPooling2D", "AveragePooling2D") and settings.get("strides") is None:
        settings["strides"] = settings.get("pool_size")
    if kind == "ZeroPadding2D" and "padding" in settings:
        settings["padding"] = _edge_widths(settings["padding"])
    if kind == "BatchNormalization" and config.get("mode", 0) != 0:
        raise UserError(
            f"{where}: mode {config['mode']!r:.60} normalises by the states at hand; only mode 0, by the statistics "
            "of the training, is supported"
        )


def _activation(value, keras_3):
    if value is None:
        return "linear"
    if value == "hard_sigmoid" and not keras_3:
        return keras_1_hard_sigmoid.__name__
    if isinstance(value, dict) and value.get("config") == OWN_ACTIVATION:
        return keras_1_hard_sigmoid.__name__
    return value


def _edge_widths(padding):
    """Keras 1 also knows a list of four (top, bottom, left, right), and names for them."""
    if isinstance(padding, dict):
        padding = [padding.get(f"{edge}_pad", 0) for edge in ("top", "bottom", "left", "right")]
    if isinstance(padding, list) and len(padding) == 4:
        padding = [padding[:2], padding[2:]]
    return padding
