"""`export --litert`: the network for LiteRT, once TensorFlow Lite, which runs on phones and on a Raspberry Pi."""

import tempfile
from pathlib import Path

import numpy as np

from shared import files
from shared.commands.exports import Target, same
from shared.commands.trained import Trained
from shared.late import late

keras, interpreters = late("keras"), late("ai_edge_litert.interpreter")


def write(trained: Trained, path: Path) -> None:
    """Write one observation float32 [1, ...] to its outputs float32 [1, A].

    Raises:
        UserError: if LiteRT computes something else than Keras, or the file cannot be written.
    """
    comparison = same.Comparison(trained)
    shape = trained.experiment.spaces(trained.settings).observation_shape
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "agent.tflite")
        one = keras.InputSpec(shape=(1, *shape), dtype="float32")
        with same.conversion(path):
            trained.model.export(made, format="litert", verbose=False, input_signature=[one])
            interpreter = interpreters.Interpreter(model_content=made.read_bytes())
            interpreter.allocate_tensors()
        taken, given = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

        def run(observations):
            rows = []
            for observation in observations:
                interpreter.set_tensor(taken, observation[None])
                interpreter.invoke()
                rows.append(interpreter.get_tensor(given)[0])
            return np.stack(rows)

        comparison.check(path, "LiteRT", run)
        files.write_bytes(path, made.read_bytes())


TARGET = Target(
    "--litert",
    ".tflite",
    "the network for LiteRT, on a phone or a Raspberry Pi (extra: litert)",
    write,
    "litert",
    ("ai_edge_litert",),
)
