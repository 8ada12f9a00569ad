"""Keras models on disk: weights as `.h5` that every Keras reads, and whole models as YAML beside HDF5.

`save_model` writes `dqn_model.yaml`, which a person can read and edit, and `dqn_model_weights.hdf5`. The YAML carries
the SHA-256 of its weights, so that files from two different saves are not mixed up unnoticed. Weights files are
always read by `shared/model_files/hdf5.py` and architectures by `shared/model_files/safe_yaml.py`, never by Keras' own
loaders.
"""

import inspect
import itertools
import json
import math
import re
from pathlib import Path
from typing import NamedTuple

import h5py
import keras
import numpy as np

from shared import files
from shared.errors import UserError
from shared.model_files import architecture, building, hdf5, keras_config, keras_graph, our_yaml, safe_yaml
from shared.nn import losses, optimizers

ARCHITECTURE_NAME, WEIGHTS_NAME = "dqn_model.yaml", "dqn_model_weights.hdf5"
FORMAT = 1
HEADING = "# A Keras model. Read it with shared.storage.load_model(this file, its weights).\n"
OPTIMIZERS = {made.__name__: made for made in optimizers.OPTIMIZERS.values()}
LOSSES = {made.__name__: made for made in (*losses.LOSSES.values(), keras.losses.Huber)}
# What every optimizer has, at its default.
COMMON = {key: value for key, value in keras.optimizers.Optimizer(0.0).get_config().items() if key != "learning_rate"}
LOSS_FUNCTIONS = {"mean_squared_error": "MeanSquaredError", "huber": "Huber"}
SCHEDULES = {
    "PolynomialDecay": keras.optimizers.schedules.PolynomialDecay,
    "ExponentialDecay": keras.optimizers.schedules.ExponentialDecay,
    "GeometricDecay": optimizers.GeometricDecay,
    "CosineDecay": keras.optimizers.schedules.CosineDecay,
}
# Settings of a Keras layer that change its training only, and that the YAML does not keep.
TRAINING_ONLY = (
    "kernel_regularizer",
    "bias_regularizer",
    "activity_regularizer",
    "kernel_constraint",
    "bias_constraint",
)


class Saved(NamedTuple):
    """The two files of a saved model."""

    architecture: Path
    weights: Path


def save_model(model, directory):
    """Write a model's architecture, weights and, where it is compiled, its loss, its optimizer and that one's state.

    The folder is made if need be; what was saved there before is replaced, both files or none (but for a kill between
    the two renames, which `load_model` notices).

    Returns the paths as `Saved`. Raises `UserError` when a layer, the optimizer or the loss is not supported, or the
    files cannot be written.
    """
    saved = Saved(Path(directory) / ARCHITECTURE_NAME, Path(directory) / WEIGHTS_NAME)
    document = _document(model, saved.architecture)
    weights = _weights_bytes(model, with_optimizer="optimizer" in document)
    document["weights"] = {"file": WEIGHTS_NAME, "sha256": files.sha256(weights)}
    try:
        saved.architecture.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise files.user_error(directory, error) from None
    files.write_together({saved.weights: weights, saved.architecture: _yaml_bytes(document)})
    return saved


def save_architecture(model, path):
    """Write a model's architecture, loss and optimizer as YAML, without weights."""
    files.write_bytes(path, _yaml_bytes(_document(model, path)))


def refuse_existing(directory):
    """Raise `UserError` when `save_model` would replace a model in this folder."""
    for name in (ARCHITECTURE_NAME, WEIGHTS_NAME):
        if (Path(directory) / name).exists():
            raise UserError(f"{Path(directory) / name}: is there already; choose another folder")


def load_model(architecture_path, weights_path):
    """Bring back what `save_model` wrote: equal outputs; compiled, with the optimizer's state, where that was saved.

    Raises `UserError` naming the file, and the layer where there is one, when it cannot be loaded, and when the two
    files are not from the same save.
    """
    document = safe_yaml.parse(files.read_bytes(architecture_path, safe_yaml.MAX_FILE), architecture_path)
    _check_keys(document, architecture_path)
    model = building.build(our_yaml.from_plain(document, architecture_path), architecture_path)
    optimizer, with_state = _optimizer(document.get("optimizer"), f"{architecture_path}: optimizer")
    loss = _from_section(document.get("loss"), LOSSES, f"{architecture_path}: loss")
    if loss is not None and optimizer is None:
        raise UserError(f"{architecture_path}: loss without optimizer; add one or remove the loss")

    data = files.read_bytes(weights_path, hdf5.MAX_FILE)
    partner = document.get("weights") or {}
    if partner and (not isinstance(partner, dict) or partner.get("sha256") != files.sha256(data)):
        raise UserError(
            f"{weights_path}: not the weights that {architecture_path} was saved with; choose its own, or remove "
            f"the lines below `weights:` there to load these all the same"
        )
    stored = hdf5.parse(data, weights_path)
    staged = stage(pair_layers(model, stored), weights_path)
    if optimizer is not None:
        model.compile(optimizer=optimizer, loss=loss)
        if with_state:
            optimizer.build(model.trainable_variables)
            staged += _stage_optimizer(optimizer, stored, weights_path)
    assign(staged)
    return model


def save_weights(model, path):
    """Write a model's weights in the layout that Keras 3 and tf-keras 2 both read (`model.load_weights(path)`).

    The same weights give the same bytes. Raises `UserError` when the file cannot be written.
    """
    files.write_bytes(path, _weights_bytes(model, with_optimizer=False))


def load_weights(model, path):
    """Set a built model's weights from a file written by us or by Keras 2 or 3.

    It may be a `.h5` or `.weights.h5` of weights, or a whole model of `model.save("x.h5")`; which one is seen from its
    content, not from its name. Layers are matched as Keras does it: in the model's order, or by class and number in
    the `.weights.h5` layout.

    Raises `UserError` when the file is no such file, or belongs to another network; the model is then unchanged.
    """
    stored = hdf5.parse(files.read_bytes(path, hdf5.MAX_FILE), path)
    assign(stage(pair_layers(model, stored), path))


class Target:
    """Where a stored array goes: a variable, the shape that the file should have, and how to bring it into place."""

    def __init__(self, variable, shape=None, convert=lambda values: values):
        self.variable = variable
        self.shape = tuple(variable.shape) if shape is None else shape
        self.convert = convert


def pair_layers(model, stored):
    """Match a model's layers with those of a `WeightsFile`.

    Returns a list of (layer name, targets or None, stored layer or None); None where the other side has no such layer.
    """
    layers = [layer for layer in model.layers if layer.weights]
    found = list(stored.layers)
    if stored.layout == "v3":
        by_name = {layer.name: layer for layer in found}
        names = _v3_names(model)
        found = [by_name.pop(names[layer.name], None) for layer in layers] + list(by_name.values())
    return [
        ((layer or other).name, layer and [Target(variable) for variable in layer.weights], other)
        for layer, other in itertools.zip_longest(layers, found)
    ]


def stage(pairs, path):
    """Check everything that a file holds against a model before anything is changed.

    Args:
        pairs: what `pair_layers` returns.
        path: the file, for messages.

    Returns a list of (variable, values). Raises `UserError` at the first layer that differs, naming both shapes.
    """
    for name, targets, layer in pairs:
        wanted = None if targets is None else tuple(target.shape for target in targets)
        shapes = None if layer is None else layer.shapes
        if shapes != wanted:
            raise UserError(
                f"{path}: layer {name}: the file has {_shown(shapes)}, the network has {_shown(wanted)}; "
                "choose weights that were saved from this network"
            )
    return [
        (target.variable, target.convert(_values(path, name, array, target.variable)))
        for name, targets, layer in pairs
        for target, array in zip(targets, layer.arrays, strict=True)
    ]


def assign(staged):
    """Set the variables to the values that `stage` returned."""
    for variable, values in staged:
        variable.assign(values)


def _shown(shapes):
    return "no such layer" if shapes is None else " and ".join(map(str, shapes))


def _values(path, layer, array, variable):
    """An array's values in the variable's type, finite."""
    where = f"{path}: layer {layer}: {array.name}"
    kind = "f" if np.issubdtype(variable.dtype, np.floating) else "iu"
    if np.dtype(array.dtype).kind not in kind:
        wanted = "floating-point" if kind == "f" else "whole"
        raise UserError(f"{where} holds {array.dtype}, not {wanted} numbers; choose another file")
    if array.values is None:
        raise UserError(
            f"{where} of {math.prod(array.shape):,} numbers is more than the file holds; choose another file"
        )
    with np.errstate(over="ignore"):
        values = array.values.astype(variable.dtype)
    if not np.isfinite(values).all():
        raise UserError(f"{where} holds NaN, infinity or numbers too large for {variable.dtype}; choose another file")
    return values


def _v3_names(model):
    """The group that Keras 3 gives each layer: its class in snake case, numbered from the second of that class on."""
    names, used = {}, {}
    for layer in model.layers:
        kind = re.sub("(?<=.)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "_", type(layer).__name__).lower()
        names[layer.name] = f"{kind}_{used[kind]}" if kind in used else kind
        used[kind] = used.get(kind, 0) + 1
    return names


def _weights_bytes(model, with_optimizer):
    """The HDF5 file, built in memory."""
    with h5py.File("weights", "w", driver="core", backing_store=False) as file:
        file.attrs["layer_names"] = _names([layer.name for layer in model.layers])
        file.attrs["backend"] = np.bytes_(keras.backend.backend())
        file.attrs["keras_version"] = np.bytes_(keras.__version__)
        for layer in model.layers:
            group = file.create_group(layer.name)
            _write_variables(group, {f"{layer.name}/{variable.name}": variable for variable in layer.weights})
        if with_optimizer:
            file.attrs["optimizer_class"] = np.bytes_(type(model.optimizer).__name__)
            _write_variables(
                file.create_group("optimizer_weights"),
                {f"{number}_{variable.name}": variable for number, variable in enumerate(model.optimizer.variables)},
            )
        file.flush()
        return file.id.get_file_image()


def _write_variables(group, variables):
    group.attrs["weight_names"] = _names(list(variables))
    for name, variable in variables.items():
        group.create_dataset(name, data=keras.ops.convert_to_numpy(variable))


def _names(names):
    """A list of names as an attribute: fixed-width bytes, the only form that all versions of Keras read."""
    return np.array([name.encode() for name in names], dtype="S") if names else np.zeros(0)


def _stage_optimizer(optimizer, stored, path):
    """Check the saved state of an optimizer, as `stage` does for layers. The learning rate is the YAML's to say."""
    found = [array.shape for array in stored.optimizer]
    wanted = [tuple(variable.shape) for variable in optimizer.variables]
    saved_class = stored.attributes.get("optimizer_class")
    if found != wanted or saved_class != type(optimizer).__name__:
        raise UserError(
            f"{path}: holds the state of another optimizer ({saved_class}); undo the change to the optimizer in the "
            "YAML, or write state: false there"
        )
    return [
        (variable, _values(path, "optimizer", array, variable))
        for variable, array in zip(optimizer.variables, stored.optimizer, strict=True)
        if variable is not optimizer._learning_rate
    ]


def _document(model, path):
    """What the YAML of a model says."""
    document = {"format": FORMAT, "keras_version": keras.__version__, **our_yaml.to_plain(_describe(model, path))}
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        section = _to_section(optimizer, OPTIMIZERS, f"{path}: optimizer")
        document["optimizer"] = section | {"state": bool(optimizer.built)}
        if model.loss is not None:
            document["loss"] = _to_section(_loss_object(model.loss), LOSSES, f"{path}: loss")
    return document


def _describe(model, path):
    """A live model as an `architecture.Architecture`."""
    if type(model).__name__ not in ("Sequential", "Functional"):
        raise UserError(f"{path}: a {type(model).__name__} cannot be written as YAML; use Sequential or Functional")
    config = json.loads(json.dumps(model.get_config(), default=str))
    graph = keras_graph.parse({"class_name": type(model).__name__, "config": config}, path)
    for layer in graph.layers:
        lost = [key for key in TRAINING_ONLY if layer.config.get(key) is not None]
        if layer.channels_first:
            lost.append("data_format channels_first")
        if not layer.config.get("trainable", True):
            lost.append("trainable: false")
        if lost:
            raise UserError(f"{path}: layer {layer.name}: {lost[0]} is not supported in YAML; save the weights alone")
    layers = [keras_config.plain_layer(layer, path) for layer in graph.layers]
    return architecture.Architecture(tuple(layers), graph.outputs, graph.sequential)


def _loss_object(loss):
    """The loss as an object, where it was given as `"mse"` or as a function."""
    loss = keras.losses.get(loss)
    name = LOSS_FUNCTIONS.get(getattr(loss, "__name__", None))
    return LOSSES[name]() if name else loss


def _to_section(thing, table, where):
    """An optimizer, a loss or a learning rate schedule as plain data: its class and what its constructor takes."""
    name = type(thing).__name__
    if table.get(name) is not type(thing):
        raise UserError(f"{where} {name} is not supported; supported are {', '.join(table)}")
    config = {**getattr(thing, "_fn_kwargs", {}), **thing.get_config()}  # Keras 3 leaves out Huber's delta
    rate = config.get("learning_rate")
    if isinstance(rate, float):
        config["learning_rate"] = float(str(np.float32(rate)))  # 0.001, not 0.0010000000474974513
    elif rate is not None:
        config["learning_rate"] = _to_section(thing._learning_rate, SCHEDULES, f"{where} {name}: learning rate")
    settings = {key: value for key, value in config.items() if key in _constructor_settings(type(thing))}
    return {"class": name} | {
        key: value for key, value in settings.items() if key not in COMMON or value != COMMON[key]
    }


def _constructor_settings(made):
    """The names of what a constructor takes, `**kwargs` standing for what all optimizers have in common."""
    names = set(inspect.signature(made).parameters)
    return (names | set(COMMON) if "kwargs" in names else names) - {"name", "dtype", "kwargs"}


def _from_section(section, table, where):
    """Make again what `_to_section` described. `None` stays `None`."""
    if section is None:
        return None
    if not isinstance(section, dict) or section.get("class") not in table:
        raise UserError(f"{where}: needs class, one of {', '.join(table)}")
    made = table[section["class"]]
    settings = {key: value for key, value in section.items() if key != "class"}
    for key, value in settings.items():
        if key not in _constructor_settings(made):
            raise UserError(f"{where}: {section['class']} has no setting {key}")
        if isinstance(value, dict) and key == "learning_rate":
            settings[key] = _from_section(value, SCHEDULES, f"{where}: learning_rate")
        elif not (key == "reduction" or value is None or (isinstance(value, (int, float)) and math.isfinite(value))):
            raise UserError(f"{where}: {key} {value!r:.60}: must be a number")
    try:
        return made(**settings)
    except (ValueError, TypeError) as error:
        raise UserError(f"{where}: {str(error).splitlines()[0]}") from None


def _optimizer(section, where):
    """The optimizer of a YAML, and whether its state is to be restored."""
    if not isinstance(section, dict):
        return _from_section(section, OPTIMIZERS, where), False
    section = dict(section)
    state = section.pop("state", False)
    if not isinstance(state, bool):
        raise UserError(f"{where}: state {state!r:.60}: must be true or false")
    return _from_section(section, OPTIMIZERS, where), state


def _check_keys(document, path):
    if "class_name" in document:
        raise UserError(f"{path}: written by Keras itself; convert the files with: python -m shared.legacy")
    known = ("format", "keras_version", "model", "layers", "outputs", "optimizer", "loss", "weights")
    unknown = next((key for key in document if key not in known), None)
    if unknown is not None:
        raise UserError(f"{path}: unknown entry {unknown}; there may be {', '.join(known)}")
    if document.get("format") != FORMAT:
        raise UserError(f"{path}: format {document.get('format')!r:.60} is not {FORMAT}; choose another file")


def _yaml_bytes(document):
    return (HEADING + safe_yaml.dump(document)).encode()
