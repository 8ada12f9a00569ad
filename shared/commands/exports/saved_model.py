"""`export --saved-model`: the network as TensorFlow's SavedModel, for TensorFlow Serving and the converters."""

import os
import tempfile
from pathlib import Path

from shared import files
from shared.commands.exports import Target, same
from shared.commands.trained import Trained
from shared.late import late

keras = late("keras")


def write(trained: Trained, path: Path) -> None:
    """Write the folder; its signature `serve` takes float32 [B, ...] and gives float32 [B, A].

    Raises:
        UserError: if TensorFlow computes something else from it than Keras, or the folder cannot be written.
    """
    comparison = same.Comparison(trained)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
            made = Path(folder, path.name)
            with same.conversion(path):
                trained.model.export(made, format="tf_saved_model", verbose=False)
                loaded = keras.layers.TFSMLayer(made, call_endpoint="serve")
            comparison.check(path, "TensorFlow", lambda rows: keras.ops.convert_to_numpy(loaded(rows)))
            files.refuse_existing(path, "give the name of a new folder")
            os.rename(made, path)
    except OSError as error:
        raise files.user_error(path, error) from None


TARGET = Target("--saved-model", "", "a new folder: TensorFlow's SavedModel", write)
