"""`export --onnx`: the network for ONNX Runtime, which runs in C, C#, Java, JavaScript and on phones."""

import tempfile
from pathlib import Path

from shared import files
from shared.commands.exports import Target, same
from shared.commands.trained import Trained
from shared.late import late

onnxruntime = late("onnxruntime")


def write(trained: Trained, path: Path) -> None:
    """Write observations float32 [B, ...] to outputs float32 [B, A], for batches of any size B.

    Raises:
        UserError: if ONNX Runtime computes something else than Keras, or the file cannot be written.
    """
    comparison = same.Comparison(trained)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "agent.onnx")
        with same.conversion(path):
            trained.model.export(made, format="onnx", verbose=False)
            session = onnxruntime.InferenceSession(made)
        name = session.get_inputs()[0].name
        comparison.check(path, "ONNX Runtime", lambda observations: session.run(None, {name: observations})[0])
        files.write_bytes(path, made.read_bytes())


TARGET = Target(
    "--onnx", ".onnx", "the network for ONNX Runtime (extra: onnx)", write, "onnx", ("tf2onnx", "onnxruntime")
)
