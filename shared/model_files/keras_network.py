"""Agents saved by Keras 1 and 2: their architecture and weights as a model of today, channels last.

    python -m shared.legacy old.yaml old.hdf5 new_folder

Files of 2017 carry more than a network: pickled NumPy numbers, and a loss computed inside the model by a `Lambda` layer
of marshalled Python code, fed by inputs `action` and `y_true`. The numbers are read as data; the loss is cut away; no
code is ever looked at.
"""

from pathlib import Path

from shared.errors import UserError

IMAGE_LAYERS = ("Convolution2D", "Conv2D", "MaxPooling2D", "Flatten", "Add", "Subtract", "Multiply")


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
    from shared.model_files import building, hdf5, keras_graph, safe_yaml

    stored = None
    data = files.read_bytes(architecture_path, hdf5.MAX_FILE)
    if data.startswith(hdf5.SIGNATURE):
        stored = hdf5.parse(data, architecture_path)
        if "model_config" not in stored.attributes:
            raise UserError(f"{architecture_path}: holds weights only; give its YAML or JSON first")
        data = stored.attributes["model_config"].encode()
    elif weights_path is None:
        raise UserError(f"{architecture_path}: holds an architecture without weights; give the HDF5 file as well")
    whole = keras_graph.parse(safe_yaml.parse(data, architecture_path, keras_1=True), architecture_path)
    if weights_path is not None and Path(weights_path) != Path(architecture_path):
        stored = hdf5.parse(files.read_bytes(weights_path, hdf5.MAX_FILE), weights_path)
    weights_path = weights_path or architecture_path
    if stored.attributes.get("backend") == "theano":
        raise UserError(f"{weights_path}: written under Theano, which flips kernels and pads otherwise; not supported")

    kept = keras_graph.without_losses(whole, architecture_path)
    described, first = channels_last(kept, architecture_path)
    model = building.build(described, architecture_path)
    targets = _targets(model, kept, described, first, architecture_path)
    pairs = _pair(model, targets, whole, stored)
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


def channels_last(graph, path):
    """The architecture of a graph with its images as (rows, columns, channels).

    Returns an `architecture.Architecture` and whether the images were (channels, rows, columns).
    """
    from shared.model_files import keras_config
    from shared.model_files.architecture import Architecture

    layers = [keras_config.plain_layer(layer, path) for layer in graph.layers]
    stated = {
        layer.channels_first: layer.name
        for layer in reversed(graph.layers)
        if layer.class_name not in ("Flatten", "InputLayer") and layer.channels_first is not None
    }
    if len(stated) > 1:
        raise UserError(f"{path}: layers {stated[True]} and {stated[False]} differ in where the channels are")
    shapes = [layer.settings["shape"] for layer in layers if layer.kind == "InputLayer"]
    # Without a convolution nothing says where the channels are; screens are square, so the odd one out is they.
    first = next(iter(stated), any(len(shape) == 3 and shape[0] != shape[1] == shape[2] for shape in shapes))
    for layer in layers:
        shape = layer.settings.get("shape", ())
        users = [user for user in layers if layer.name in user.inputs]
        if len(shape) == 3 and first:
            layer.settings["shape"] = (*shape[1:], shape[0])
        elif len(shape) == 2 and all(user.kind == "Flatten" for user in users):
            layer.settings["shape"] = (*shape, 1)
    return Architecture(tuple(layers), graph.outputs, graph.sequential), first


def _targets(model, graph, described, first, path):
    """Where each stored array goes, by layer: kernels of Keras 1 turned, rows after a channels-first Flatten reordered.

    Args:
        model: the new model.
        graph: the layers of the old one that it is made of.
        described: those of the new one.
        first: whether the old one's images were (channels, rows, columns).
        path: for messages.

    Returns a dict of lists of `storage.Target`. Raises `UserError` naming a layer that we cannot turn.
    """
    from shared.model_files.building import in_order, output_shapes
    from shared.storage import Target

    targets = {}
    orders = {}  # layer whose output is a flattened (channels, rows, columns) -> that shape
    shapes = output_shapes(described, path)
    by_name = {layer.name: layer for layer in graph.layers}
    for layer in (by_name[new.name] for new in in_order(described, path) if new.inputs):
        made, shape = model.get_layer(layer.name), shapes[layer.inputs[0]]
        weights = [Target(variable) for variable in made.weights]
        turned = first and len(shape) == 3  # the input was (channels, rows, columns)
        order = next((orders[name] for name in layer.inputs if name in orders), None)
        elementwise = layer.class_name in ("Activation", "Dropout") and layer.config.get("activation") != "softmax"
        # Keras 1 flattens an array as it lies; Keras 2, where Flatten says channels_first, as if channels came last.
        if turned and layer.class_name == "Flatten" and layer.channels_first is not True:
            orders[layer.name] = (shape[2], shape[0], shape[1])
        elif order and elementwise:
            orders[layer.name] = order
        elif order and layer.class_name == "Dense":
            weights[0] = Target(made.kernel, convert=_reordered(order))
        elif order or (turned and not elementwise and layer.class_name not in IMAGE_LAYERS):
            raise UserError(f"{path}: layer {layer.name}: {layer.class_name} on channels-first data is not supported")
        if layer.is_keras_1 and first:
            rows, columns, channels, filters = made.kernel.shape
            weights[0] = Target(made.kernel, (filters, channels, rows, columns), _turned)
        if weights:
            targets[layer.name] = weights
    for name in graph.outputs:
        if name in orders or (first and len(shapes[name]) == 3):
            raise UserError(f"{path}: layer {name}: the output is channels-first data, which is not supported")
    return targets


def _turned(kernel):
    """A kernel of Keras 1, (filters, channels, rows, columns), as (rows, columns, channels, filters)."""
    return kernel.transpose(2, 3, 1, 0)


def _reordered(order):
    """Rows of a Dense kernel from (channels, rows, columns) to (rows, columns, channels)."""
    return lambda kernel: kernel.reshape(*order, -1).transpose(1, 2, 0, 3).reshape(kernel.shape)


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
    from shared.commands.parser import Parser

    parser = Parser("shared.legacy", "Convert an agent saved by Keras 1 or 2 into files of today.")
    parser.add_argument("architecture", type=Path, help="YAML or JSON file, or a whole model in HDF5")
    parser.add_argument("weights", type=Path, nargs="?", help="HDF5 file (not needed for a whole model)")
    parser.add_argument("folder", type=Path, help="new folder for dqn_model.yaml and dqn_model_weights.hdf5")
    arguments = parser.parse_args(argv)
    from shared import storage
    from shared.nn import backend  # noqa: F401  the backend first, so that TensorFlow stays quiet

    storage.refuse_existing(arguments.folder)
    model = load_legacy_model(arguments.architecture, arguments.weights)
    written = storage.save_model(model, arguments.folder)
    print(f"{model.input_shape[1:]} -> {model.output_shape[1:]}: {written.architecture}, {written.weights}")
    return 0


if __name__ == "__main__":
    from shared.commands.parser import command

    command(main)
