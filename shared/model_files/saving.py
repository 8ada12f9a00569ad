"""Keras models written to disk, so that every Keras reads them: weights, our YAML beside weights, `.keras` archives."""

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import keras
import numpy as np

from shared import files
from shared.errors import UserError
from shared.model_files import archive, bounds, building, compiling, keras_config, keras_graph, our_yaml, safe_yaml
from shared.model_files.architecture import Architecture

ARCHITECTURE_NAME, WEIGHTS_NAME = "dqn_model.yaml", "dqn_model_weights.hdf5"
ARCHIVE_ENDING = ".keras"
WEIGHTS = ("kernel", "recurrent", "bias", "gamma", "beta")
# Settings of a Keras layer that change its training only, and that we do not keep.
TRAINING_ONLY = (
    "activity_regularizer",
    *(f"{weight}_{what}" for weight in WEIGHTS for what in ("regularizer", "constraint")),
)


class Saved(NamedTuple):
    """The two files of a saved model; for an archive, it twice."""

    architecture: Path
    weights: Path


def save_model(model: keras.Model, place: str | Path) -> Saved:
    """Write a model's architecture, weights and, where it is compiled, its loss, its optimizer and that one's state.

    Args:
        model: a Sequential or Functional model.
        place: a folder for `dqn_model.yaml` and `dqn_model_weights.hdf5`, made if need be; or a file that ends in
            `.keras`, which `keras.saving.load_model` reads too.

    What was saved there before is replaced, both files or none (but for a kill between the two renames, which
    `load_model` notices). Files of these names that are of something else are not. The same model gives the same bytes.

    Returns the paths. Raises `UserError` when a layer, the optimizer or the loss is not supported, or the files cannot
    be written.
    """
    place = Path(place)
    if place.suffix == ARCHIVE_ENDING:
        describe(model, place)
        compiling.to_sections(model, place)
        files.write_bytes(place, _archive_bytes(model, place))
        return Saved(place, place)
    saved = Saved(place / ARCHITECTURE_NAME, place / WEIGHTS_NAME)
    architecture, sections = describe(model, saved.architecture), compiling.to_sections(model, saved.architecture)
    weights = _weights_bytes(model, with_optimizer="optimizer" in sections)
    sections["weights"] = {"file": WEIGHTS_NAME, "sha256": files.sha256(weights)}
    if not _is_ours(saved.architecture):
        refuse_existing(place)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise files.user_error(place, error) from None
    files.write_together({saved.weights: weights, saved.architecture: our_yaml.write(architecture, sections)})
    return saved


def save_architecture(model: keras.Model, path: str | Path) -> None:
    """Write a model's architecture, loss and optimizer as YAML, without weights."""
    files.write_bytes(path, our_yaml.write(describe(model, path), compiling.to_sections(model, path)))


def check_architecture(model: keras.Model, path: str | Path) -> None:
    """Raise the `UserError` of `save_architecture`, or of reading back what it would write at `path`."""
    written = our_yaml.write(describe(model, path), compiling.to_sections(model, path))
    network = our_yaml.from_plain(safe_yaml.parse(written, path), path)
    bounds.check_count(network.layers, network.outputs, path)
    bounds.check(network, building.output_shapes(network, path), path)


def save_weights(model: keras.Model, path: str | Path) -> None:
    """Write a model's weights in the layout that Keras 3 and tf-keras 2 both read (`model.load_weights(path)`).

    The same weights give the same bytes. Raises `UserError` when the file cannot be written.
    """
    if Path(path).suffix == ARCHIVE_ENDING:
        raise UserError(f"{path}: such a file holds a whole model; write it with save_model, or call this one .h5")
    files.write_bytes(path, _weights_bytes(model, with_optimizer=False))


def refuse_existing(place: str | Path) -> None:
    """Raise `UserError` when `save_model` would replace a model there."""
    place = Path(place)
    if place.suffix == ARCHIVE_ENDING and place.exists():
        raise UserError(f"{place}: is there already; choose another name")
    for name in (ARCHITECTURE_NAME, WEIGHTS_NAME):
        if (place / name).exists():
            raise UserError(f"{place / name}: is there already; choose another folder")


def describe(model: keras.Model, path: str | Path) -> Architecture:
    """A live model as plain data; `path` is of the file that it is for.

    Raises `UserError` when it is of more than we read again.
    """
    if type(model).__name__ not in ("Sequential", "Functional"):
        raise UserError(f"{path}: a {type(model).__name__} cannot be saved; use Sequential or Functional")
    config = json.loads(json.dumps(model.get_config(), default=str))
    graph = keras_graph.parse({"class_name": type(model).__name__, "config": config}, path)
    for layer in graph.layers:
        parts = [layer, *([layer.each_step] if layer.each_step else [])]
        lost = [key for key in TRAINING_ONLY if any(part.config.get(key) is not None for part in parts)]
        if layer.channels_first:
            lost.append("data_format channels_first")
        if not all(part.config.get("trainable", True) for part in parts):
            lost.append("trainable: false")
        if lost:
            raise UserError(f"{path}: layer {layer.name}: {lost[0]} is not supported; save the weights alone")
    layers = [keras_config.plain_layer(layer, path) for layer in graph.layers]
    return Architecture(tuple(layers), graph.outputs, graph.sequential)


def _is_ours(path):
    """Whether a file is there and begins as `save_model` begins it."""
    try:
        return files.read_bytes(path, safe_yaml.MAX_FILE).startswith(our_yaml.HEADING.encode())
    except UserError:
        return False


def _weights_bytes(model: keras.Model, with_optimizer: bool) -> bytes:
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


def _archive_bytes(model: keras.Model, path: str | Path) -> bytes:
    """The archive that Keras writes, without what differs from one time to the next, and with the whole loss."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder) / f"model{ARCHIVE_ENDING}"
            model.save(written)
            with zipfile.ZipFile(written) as zipped:
                config, weights = json.loads(zipped.read(archive.DOCUMENT)), zipped.read(archive.WEIGHTS)
    except OSError as error:
        raise files.user_error(path, error) from None
    if config.get("compile_config"):
        # `model.save("x.h5")` takes the optimizer out of what Keras keeps of a model; and Keras drops Huber's delta.
        others = {key: value for key, value in config["compile_config"].items() if key != "optimizer"}
        compiled = {"optimizer": keras.saving.serialize_keras_object(model.optimizer), **others}
        config["compile_config"] = compiled
        if isinstance(compiled["loss"], dict) and isinstance(compiled["loss"]["config"], dict):
            compiled["loss"]["config"] |= getattr(model.loss, "_fn_kwargs", {})
    _number_shared_objects(config, {})
    document = json.dumps(config).encode()
    note = archive.note(keras.__version__)
    return archive.pack({archive.NOTE: note, archive.DOCUMENT: document, archive.WEIGHTS: weights})


def _number_shared_objects(config: Any, numbers: dict[int, int]) -> None:
    """Objects that are used twice bear their address in memory as a number; let them be 1, 2, ... instead."""
    if isinstance(config, dict) and "shared_object_id" in config:
        config["shared_object_id"] = numbers.setdefault(config["shared_object_id"], len(numbers) + 1)
    for item in config.values() if isinstance(config, dict) else config if isinstance(config, list) else ():
        _number_shared_objects(item, numbers)
