"""The way of a model file, from its path to a Keras model. Each stage comes once and has a file of its own:

| stage | what it does | where |
|---|---|---|
| read | the bytes, from one descriptor, within limits | `shared.files` |
| recognise | HDF5, archive or text, by its first bytes | `reading`, `archive` |
| arrays | HDF5 parsed in a child process | `hdf5`, `hdf5_child` |
| document | text as plain data, ours or Keras' | `documents`, `safe_yaml` |
| architecture | layers of known kinds and settings, channels last | `our_yaml`; `keras_graph`, `keras_network` |
| training | optimizer and loss, where they are wanted | `compiling` |
| model | bounded in size and work, built, and the arrays put in | `bounds`, `building`, `assignment` |
"""

import functools
from collections.abc import Callable
from pathlib import Path

import keras

from shared.errors import UserError
from shared.model_files import (
    assignment,
    bounds,
    building,
    channels,
    compiling,
    documents,
    keras_graph,
    keras_network,
    our_yaml,
    reading,
)
from shared.model_files.architecture import Architecture
from shared.model_files.documents import Document
from shared.model_files.hdf5 import WeightsFile
from shared.model_files.reading import ArraysFile, ModelFile

Pairing = Callable[[keras.Model, WeightsFile], list[assignment.Pair]]


def load_model(architecture_path: str | Path, weights_path: str | Path | None = None) -> keras.Model:
    """Bring back what `save_model` wrote: equal outputs; compiled, with the optimizer's state, where that was saved.

    Args:
        architecture_path: our YAML, or a `.keras` archive, of ours or of Keras 3.
        weights_path: the weights of a YAML; an archive has its own.

    Raises `UserError` naming the file, and the layer where there is one, when it cannot be loaded, and when the two
    files are not from the same save.
    """
    file = reading.read(architecture_path)
    document = documents.parse(file)
    if document.by_keras and not file.is_archive:
        raise UserError(f"{file.path}: written by Keras itself; convert the files with: python -m shared.legacy")
    return _load(file, document, weights_path, with_training=True)


def load_legacy_model(architecture_path: str | Path, weights_path: str | Path | None = None) -> keras.Model:
    """The network of an agent that Keras saved, from state to Q-values.

    Args:
        architecture_path: what `model.to_yaml()` (Keras 1 or 2) or `model.to_json()` wrote, or a whole model written by
            `model.save("x.h5")` or `model.save("x.keras")`.
        weights_path: the HDF5 file of `model.save_weights`; not needed for a whole model.

    Returns a `keras.Model`, not compiled, whose images are (rows, columns, channels), whatever the file says. A state
    of (rows, columns) that is only flattened becomes (rows, columns, 1).

    Raises `UserError` naming the file, and the layer where there is one, when it cannot be loaded.
    """
    file = reading.read(architecture_path)
    document = documents.parse(file, keras_1=True)
    if not document.by_keras:
        raise UserError(f"{file.path}: a YAML of this project, which needs no conversion; give it to --model as it is")
    return _load(file, document, weights_path)


def open_model(architecture_path: str | Path, weights_path: str | Path | None = None) -> keras.Model:
    """The network in files of ours or of any version of Keras, not compiled; which they are is seen from the content.

    Raises `UserError` when they cannot be loaded.
    """
    file = reading.read(architecture_path)
    return _load(file, documents.parse(file, keras_1=True), weights_path)


def load_weights(model: keras.Model, path: str | Path) -> None:
    """Set a built model's weights from a file written by us or by Keras 2 or 3.

    It may be a `.h5` or `.weights.h5` of weights, or a whole model of `model.save("x.h5")` or `model.save("x.keras")`;
    which one is seen from its content, not from its name. Layers are matched as Keras does it: in the model's order,
    or by class and number in the layout of Keras 3.

    Raises `UserError` when the file is no such file, or belongs to another network; the model is then unchanged.
    """
    file = reading.read_arrays(path)
    assignment.refuse_theano(model, file.arrays.backends, path)
    assignment.assign(assignment.stage(assignment.pair_layers(model, file.arrays), path))


def _load(
    file: ModelFile, document: Document, weights_path: str | Path | None, with_training: bool = False
) -> keras.Model:
    """The stages after the document."""
    network, pair = _network(document)
    training = _training(document) if with_training else None
    held = _arrays(file, document, weights_path)
    model = building.build(network, file.path)
    assignment.refuse_theano(model, document.backends | held.arrays.backends, held.path)
    pairs = pair(model, held.arrays)
    staged = assignment.stage(pairs, held.path)
    if training is not None:
        model.compile(optimizer=training.optimizer, loss=training.loss)
        if training.with_state:
            training.optimizer.build(model.trainable_variables)
            staged += assignment.stage_optimizer(training.optimizer, held.arrays, held.path)
    assignment.assign(staged)
    return model


def _network(document: Document) -> tuple[Architecture, Pairing]:
    """The network that a document describes, and how the arrays of a file are matched with the model of it."""
    if not document.by_keras:
        network = our_yaml.from_plain(document.content, document.path)
        bounds.check_count(network.layers, network.outputs, document.path)
        return network, assignment.pair_layers
    graph = keras_graph.parse(document.content, document.path)
    bounds.check_count(graph.layers, graph.outputs, document.path)
    kept = keras_graph.without_losses(graph, document.path)
    network, places = channels.channels_last(kept, document.path)
    return network, functools.partial(keras_network.pair, graph, kept, places, document.path)


def _training(document: Document) -> compiling.Training | None:
    """What a document says that the network was compiled with, None where it was not."""
    if not document.by_keras:
        return compiling.from_sections(document.content, document.path)
    try:
        sections = compiling.keras_sections(document.content.get("compile_config"), document.path)
        return compiling.from_sections(sections, document.path)
    except UserError as error:
        raise UserError(f"{error} (shared.legacy.open_model reads the network alone)") from None


def _arrays(file: ModelFile, document: Document, weights_path: str | Path | None) -> ArraysFile:
    """The arrays: of another file, where it is named, or of that of the document."""
    if weights_path is None or Path(weights_path) == file.path:
        if file.arrays is None:
            raise UserError(f"{file.path}: holds an architecture without weights; give the HDF5 file as well")
        return ArraysFile(file.path, file.sha256, file.arrays)
    held = reading.read_arrays(weights_path)
    partner = None if document.by_keras else document.content.get("weights")
    if partner and partner["sha256"] != held.sha256:
        raise UserError(
            f"{weights_path}: not the weights that {file.path} was saved with; choose its own, or remove the lines "
            f"below `weights:` there to load these all the same"
        )
    return held
