"""A network for a page: `network.js` computes from it what Keras computes."""

import base64
from pathlib import Path
from typing import Any

import keras
import numpy as np

from shared.errors import UserError
from shared.model_files import our_yaml, saving

# What `network.js` knows; a test compares.
CLASSES = (
    *("InputLayer", "Dropout", "Flatten", "Reshape", "Rescaling", "Activation", "Dense", "Conv2D"),
    *("LayerNormalization", "Dueling", "GlobalAveragePooling1D", "Expectation"),
)
ACTIVATIONS = ("linear", "relu", "elu", "tanh", "sigmoid", "softmax")


def network_data(model: keras.Model, path: str | Path) -> dict[str, Any]:
    """A network with its weights, as `Network` of `network.js` takes it.

    Args:
        model: a Keras model that puts out a number for each action.
        path: of the file that it is for.

    Raises:
        UserError: for a network that pages cannot compute.
    """
    architecture = saving.describe(model, path)
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    layers = our_yaml.to_plain(architecture)["layers"]
    for layer in layers:
        activation = layer.get("activation", "linear")
        for kind, there in ((layer["class"], CLASSES), (activation, ACTIVATIONS)):
            if kind not in there:
                raise UserError(
                    f"{path}: a page computes no {kind}, and the network has one in its layer {layer['name']}; "
                    "choose an agent with another network"
                )
        if axes := _other_axes(layer, model):
            raise UserError(
                f"{path}: a page normalizes along the last axis only, and layer {layer['name']} does so along "
                f"{axes}; choose an agent with another network"
            )
        layer["weights"] = [_base64(array) for array in weights.get(layer["name"], [])]
    return {"layers": layers, "outputs": list(architecture.outputs)}


def _other_axes(layer, model):
    """The axes that a LayerNormalization normalizes along, where these are not the last one alone; else nothing."""
    if layer["class"] != "LayerNormalization":
        return None
    last = len(model.get_layer(layer["name"]).output.shape) - 1
    return None if list(layer["axis"]) in ([-1], [last]) else layer["axis"]


def _base64(array):
    """The numbers of an array as float32, little-endian, in base64."""
    return base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()
