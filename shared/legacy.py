"""Agents saved by Keras itself, of version 1, 2 or 3: their architecture and weights as a model of ours, channels last.

    python -m shared.legacy old.yaml old.hdf5 new_folder

Files of 2017 carry more than a network: pickled NumPy numbers, and a loss computed inside the model by a `Lambda` layer
of marshalled Python code, fed by inputs `action` and `y_true`. The numbers are read as data; the loss is cut away; no
code is ever looked at. In a program: `load_legacy_model`, or `open_model`, which reads our files as well.
"""

from pathlib import Path

from shared.commands.parser import Parser, command


def main(argv: list[str] | None = None) -> int:
    """Convert an old agent: `python -m shared.legacy ARCHITECTURE [WEIGHTS] FOLDER`."""
    parser = Parser("shared.legacy", "Convert an agent saved by Keras 1, 2 or 3 into files of today.")
    parser.add_argument("architecture", type=Path, help="YAML or JSON file, or a whole model: .h5 or .keras")
    parser.add_argument("weights", type=Path, nargs="?", help="HDF5 file (not needed for a whole model)")
    parser.add_argument("folder", type=Path, help="new folder for dqn_model.yaml and its weights; or a new .keras file")
    arguments = parser.parse_args(argv)
    from shared.nn import backend  # noqa: F401, I001  the backend first, so that TensorFlow stays quiet
    from shared.model_files import loading, saving

    saving.refuse_existing(arguments.folder)
    model = loading.load_legacy_model(arguments.architecture, arguments.weights)
    written = saving.save_model(model, arguments.folder)
    print(f"{model.input_shape[1:]} -> {model.output_shape[1:]}: {', '.join(dict.fromkeys(map(str, written)))}")
    return 0


if __name__ == "__main__":  # `--help` need not wait for Keras
    command(main)
else:
    from shared.model_files.loading import load_legacy_model, open_model

    __all__ = ["load_legacy_model", "main", "open_model"]
