"""Keras models on disk: weights as `.h5` that every Keras reads, and whole models as YAML beside HDF5 or as `.keras`.

`save_model` writes `dqn_model.yaml`, which a person can read and edit, and `dqn_model_weights.hdf5`. The YAML carries
the SHA-256 of its weights, so that files from two different saves are not mixed up unnoticed. Files of any origin are
read by `shared/model_files/`, never by Keras' own loaders.
"""

from shared.model_files.loading import load_model, load_weights
from shared.model_files.saving import (
    Saved,
    check_architecture,
    refuse_existing,
    save_architecture,
    save_model,
    save_weights,
)

__all__ = [
    "Saved",
    "check_architecture",
    "load_model",
    "load_weights",
    "refuse_existing",
    "save_architecture",
    "save_model",
    "save_weights",
]
