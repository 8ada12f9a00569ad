"""Agents saved by Keras 1 and 2: their architecture and weights as a model of today, channels last.

    python -m shared.legacy old.yaml old.hdf5 new_folder

Files of 2017 carry more than a network: pickled NumPy numbers, and a loss computed inside the model by a `Lambda` layer
of marshalled Python code, fed by inputs `action` and `y_true`. The numbers are read as data; the loss is cut away; no
code is ever looked at.
"""

from pathlib import Path

from shared.errors import UserError

LAMBDA = "Lambda"


def load_legacy_model(architecture_path, weights_path=None):
    """The network of a Keras 1 or 2 agent, from state to Q-values.

    Args:
        architecture_path: what `model.to_yaml()` (Keras 1 or 2) or `model.to_json()` wrote, or a whole model written by
            `model.save("x.h5")`.
        weights_path: the HDF5 file of `model.save_weights`; not needed for a whole model.

    Returns a `keras.Model`, not compiled, whose images are (rows, columns, channels), whatever the file says. A state
    of (rows, columns) that is only flattened becomes (rows, columns, 1).

    Raises `UserError` naming the file, and the layer where there is one, when it cannot be loaded.
    """
    from shared import files, storage
    from shared.model_files import architecture, channels, hdf5, keras_config, safe_yaml

    stored = None
    data = files.read_bytes(architecture_path, hdf5.MAX_FILE)
    if data.startswith(hdf5.SIGNATURE):
        stored = hdf5.parse(data, architecture_path)
        if "model_config" not in stored.attributes:
            raise UserError(f"{architecture_path}: holds weights only; give its YAML or JSON first")
        data = stored.attributes["model_config"].encode()
    elif weights_path is None:
        raise UserError(f"{architecture_path}: holds an architecture without weights; give the HDF5 file as well")
    whole = keras_config.parse(safe_yaml.parse(data, architecture_path, keras_1=True), architecture_path)
    if weights_path is not None and Path(weights_path) != Path(architecture_path):
        stored = hdf5.parse(files.read_bytes(weights_path, hdf5.MAX_FILE), weights_path)
    weights_path = weights_path or architecture_path
    if stored.attributes.get("backend") == "theano":
        raise UserError(f"{weights_path}: written under Theano, which flips kernels and pads otherwise; not supported")

    kept = without_losses(whole, architecture_path)
    described, places = channels.channels_last(kept, architecture_path)
    model = architecture.build(described, architecture_path)
    pairs = _pair(model, _targets(model, places), whole, stored)
    channels.check_statistics(kept, pairs, weights_path)
    storage.assign(storage.stage(pairs, weights_path))
    return model


def open_model(architecture_path, weights_path):
    """A model from files of ours (`shared.storage.load_model`) or of Keras 1 and 2 (`load_legacy_model`).

    Which they are is seen from the content. Raises `UserError` when they cannot be loaded.
    """
    from shared import files, storage
    from shared.model_files import hdf5, safe_yaml

    data = files.read_bytes(architecture_path, hdf5.MAX_FILE)
    if data.startswith(hdf5.SIGNATURE) or "class_name" in safe_yaml.parse(data, architecture_path, keras_1=True):
        return load_legacy_model(architecture_path, weights_path)
    return storage.load_model(architecture_path, weights_path)


def without_losses(graph, path):
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


def _targets(model, places):
    """Where each array of the file goes, by layer: `storage.Target` for what `channels.Stored` says of each."""
    from shared.model_files.channels import Columns
    from shared.storage import Target

    def target(variable, place):
        part = variable if place.columns is None else Columns(variable, place.columns)
        return Target(part, place.shape, place.convert)

    return {
        name: [target(model.get_layer(name).weights[place.weight], place) for place in listed]
        for name, listed in places.items()
    }


def _pair(model, targets, whole, stored):
    """Match the layers with those of the file: by name; where the names differ, in order, as Keras does."""
    from shared import storage

    if stored.layout == "v3":
        return [(name, wanted and targets[name], layer) for name, wanted, layer in storage.pair_layers(model, stored)]
    kept = [(layer.name, targets[layer.name]) for layer in whole.layers if layer.name in targets]
    found = {layer.name: layer for layer in stored.layers}
    if not found.keys() & targets.keys() and len(found) == len(kept):
        return [(name, wanted, layer) for (name, wanted), layer in zip(kept, stored.layers, strict=True)]
    pairs = [(name, wanted, found.get(name)) for name, wanted in kept]
    known = {layer.name for layer in whole.layers}
    return pairs + [(name, None, layer) for name, layer in found.items() if name not in known]


def main(argv=None):
    """Convert an old agent: `python -m shared.legacy ARCHITECTURE [WEIGHTS] FOLDER`."""
    from shared.commands.parser import Parser, path_name

    parser = Parser("shared.legacy", "Convert an agent saved by Keras 1 or 2 into files of today.")
    parser.add_argument("architecture", type=path_name, help="YAML or JSON file, or a whole model in HDF5")
    parser.add_argument("weights", type=path_name, nargs="?", help="HDF5 file (not needed for a whole model)")
    parser.add_argument("folder", type=path_name, help="new folder for dqn_model.yaml and dqn_model_weights.hdf5")
    arguments = parser.parse_args(argv)
    import shared.nn.backend  # noqa: F401  before Keras, to keep TensorFlow quiet
    from shared import storage

    storage.refuse_existing(arguments.folder)
    model = load_legacy_model(arguments.architecture, arguments.weights)
    written = storage.save_model(model, arguments.folder)
    shapes = " and ".join(str(tensor.shape[1:]) for tensor in model.inputs)
    print(f"{shapes} -> {model.output_shape[1:]}: {written.architecture}, {written.weights}")
    return 0


if __name__ == "__main__":
    from shared.commands.parser import command

    command(main)
