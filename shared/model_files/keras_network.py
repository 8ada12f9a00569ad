"""A graph of Keras layers as a network of this project, channels last, and where each array of its file goes."""

from pathlib import Path

import keras

from shared.model_files.assignment import Pair, Target, v3_names
from shared.model_files.channels import Columns, Stored, check_statistics
from shared.model_files.hdf5 import WeightsFile
from shared.model_files.keras_graph import Graph


def pair(
    graph: Graph,
    kept: Graph,
    places: dict[str, list[Stored]],
    path: str | Path,
    model: keras.Model,
    stored: WeightsFile,
) -> list[Pair]:
    """Match the layers of a model with those of a file: by name; where no name is the same, in order, as Keras does.

    Args:
        graph: the whole of what the document describes.
        kept: what of it the network is made of.
        places: where the arrays go (`channels.channels_last`).
        path: of the document, for messages.
        model: built from the network.
        stored: the file's arrays.

    Raises `UserError` naming a layer whose arrays nobody can tell the meaning of.
    """
    targets = _targets(model, places)
    if stored.layout == "v3":
        names = v3_names([(layer.class_name, layer.name) for layer in graph.layers])
    else:
        names = {layer.name: layer.name for layer in graph.layers}
    wanted = [layer.name for layer in graph.layers if layer.name in targets]
    found = {layer.name: layer for layer in stored.layers}
    if stored.layout == "legacy" and not found.keys() & targets.keys() and len(found) == len(wanted):
        found = dict(zip(wanted, stored.layers, strict=True))
        names = {name: name for name in wanted}
    pairs = [Pair(name, targets[name], found.get(names[name])) for name in wanted]
    check_statistics(kept, pairs, path)
    return pairs + [Pair(name, None, layer) for name, layer in found.items() if name not in names.values()]


def _targets(model, places):
    """Where each array of the file goes, by layer: `Target` for what `channels.Stored` says of each."""

    def target(variable, place):
        part = variable if place.columns is None else Columns(variable, place.columns)
        return Target(part, place.shape, place.convert)

    return {
        name: [target(model.get_layer(name).weights[place.weight], place) for place in listed]
        for name, listed in places.items()
    }
