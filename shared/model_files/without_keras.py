"""A network of ours from its files straight into NumPy, by the same stages as in `loading`, without Keras."""

from pathlib import Path

import numpy as np

from shared.errors import UserError
from shared.model_files import bounds, building, documents, our_yaml, reading
from shared.model_files.architecture import Layer, weight_shapes
from shared.model_files.hdf5 import WeightsFile
from shared.nn.numpy_network import COMPUTED, NumpyNetwork

MOST_WORK = 1 << 26  # multiplications for one state; Keras takes the rest, as NumPy copies what a convolution looks at


def numpy_network(architecture_path: str | Path, weights_path: str | Path) -> NumpyNetwork | None:
    """The network that a YAML of ours describes, with the weights of an HDF5 file of ours.

    Returns None where Keras has to be asked, to compute it or to say what is wrong: for other files, for layers that
    are not in `shared.nn.numpy_network.COMPUTED`, for weights that do not bear the layers' names or do not fit.
    """
    try:
        document = documents.parse(reading.read(architecture_path))
        if document.by_keras:
            return None
        network = our_yaml.from_plain(document.content, document.path)
        bounds.check_count(network.layers, network.outputs, document.path)
        ordered = building.in_order(network, document.path)
        if network.outputs != (ordered[-1].name,) or any(layer.kind not in COMPUTED for layer in ordered[1:]):
            return None
        held, partner = reading.read_arrays(weights_path), document.content.get("weights")
        if partner and partner["sha256"] != held.sha256:
            return None
        weights = _weights(ordered, held.arrays)
        made = NumpyNetwork(ordered, weights)
        for layer in ordered:
            wanted = weight_shapes(layer, [made.shapes[name] for name in layer.inputs])
            if wanted != [array.shape for array in weights.get(layer.name, ())]:
                return None
        made.work = bounds.check(network, made.shapes, document.path)
        return made if made.work <= MOST_WORK else None
    except (UserError, ValueError, TypeError, IndexError):  # Keras' way complains
        return None


def _weights(ordered: list[Layer], stored: WeightsFile) -> dict[str, list[np.ndarray]]:
    """The arrays of each layer by its name, float32. Raises `ValueError` where they are not plainly of these layers."""
    names = {layer.name for layer in ordered}
    weights: dict[str, list[np.ndarray]] = {}
    for layer in stored.layers:
        if stored.layout != "legacy" or layer.name not in names or "theano" in stored.backends:
            raise ValueError(layer.name)
        weights[layer.name] = []
        for array in layer.arrays:
            if array.values is None or np.dtype(array.dtype).kind != "f":
                raise ValueError(array.name)
            with np.errstate(over="ignore"):
                values = array.values.astype(np.float32)
            if not np.isfinite(values).all():
                raise ValueError(array.name)
            weights[layer.name].append(values)
    return weights
