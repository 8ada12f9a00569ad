"""Agents saved by Keras itself, of version 1, 2 or 3: their architecture and weights as a model of ours, channels last.

    python -m shared.legacy old.yaml old.hdf5 new_folder

Files of 2017 carry more than a network: pickled NumPy numbers, and a loss computed inside the model by a `Lambda` layer
of marshalled Python code, fed by inputs `action` and `y_true`. The numbers are read as data; the loss is cut away; no
code is ever looked at. In a program: `load_legacy_model`, or `open_model`, which reads our files as well.
"""

from pathlib import Path
from typing import Any

from shared.commands.parser import Parser, command, path_name
from shared.errors import say
from shared.late import late

loading, saving = late("shared.model_files.loading"), late("shared.model_files.saving")


def load_legacy_model(architecture_path: str | Path, weights_path: str | Path | None = None) -> Any:
    """The network of an agent that Keras saved; see `shared.model_files.loading.load_legacy_model`."""
    return loading.load_legacy_model(architecture_path, weights_path)


def open_model(architecture_path: str | Path, weights_path: str | Path | None = None) -> Any:
    """The network in files of ours or of any version of Keras; see `shared.model_files.loading.open_model`."""
    return loading.open_model(architecture_path, weights_path)


def main(argv: list[str] | None = None) -> int:
    """Convert an old agent: `python -m shared.legacy ARCHITECTURE [WEIGHTS] FOLDER`."""
    parser = Parser("shared.legacy", "Convert an agent saved by Keras 1, 2 or 3 into files that a person can read.")
    parser.add_argument("architecture", type=path_name, help="YAML or JSON file, or a whole model: .h5 or .keras")
    parser.add_argument("weights", type=path_name, nargs="?", help="HDF5 file (not needed for a whole model)")
    where = "new folder for dqn_model.yaml and its weights; or a new .keras file"
    parser.add_argument("folder", type=path_name, help=where)
    arguments = parser.parse_args(argv)
    saving.refuse_existing(arguments.folder)
    model = loading.load_legacy_model(arguments.architecture, arguments.weights)
    written = saving.save_model(model, arguments.folder)
    say(f"{model.input_shape[1:]} -> {model.output_shape[1:]}: {', '.join(dict.fromkeys(map(str, written)))}")
    return 0


if __name__ == "__main__":
    command(main)
