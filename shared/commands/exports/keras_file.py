"""`export --keras`: network and weights in one file that Keras 3 reads."""

import tempfile
from pathlib import Path

from shared import files
from shared.commands.exports import Target, same
from shared.commands.trained import Trained
from shared.errors import warn
from shared.late import late

keras, storage = late("keras"), late("shared.storage")


def write(trained: Trained, path: Path) -> None:
    """Write the model.

    Raises:
        UserError: if Keras computes something else when it has read the file, or the file cannot be written.
    """
    comparison = same.Comparison(trained)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "agent.keras")
        storage.save_model(trained.model, made)
        model = keras.saving.load_model(made, compile=False)
        comparison.check(path, "Keras", lambda observations: keras.ops.convert_to_numpy(model(observations)))
        files.write_bytes(path, made.read_bytes())
    modules = {type(layer).__module__ for layer in model.layers}
    if ours := sorted(name for name in modules if name.startswith("shared.")):
        warn(f"{path}: has layers of ours; a program that reads it begins with: import {', '.join(ours)}")


TARGET = Target("--keras", ".keras", "network and weights in a file that Keras 3 reads", write)
