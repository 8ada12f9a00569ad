"""What this machine cannot afford is refused before it is tried: networks by their weights and activations."""

import itertools
import math
from typing import Any

from shared.errors import UserError
from shared.late import late
from shared.machine import memory_bytes

architecture = late("shared.model_files.architecture")

NUMBER = 4  # bytes of a float32
# For each weight of a network that learns: itself (online, target, best), its gradient, two numbers of the optimizer,
# two more on their way to a checkpoint. For each unit and row of a batch: its output, the gradient, one in between.
WEIGHTS_WHILE_LEARNING, OUTPUTS_WHILE_LEARNING = 8, 3


def refuse_settings(settings: Any) -> None:
    """Raise `UserError` where the hidden layers of the settings have more weights than a network may have."""
    weights = sum(a * b for a, b in itertools.pairwise(settings.hidden))
    if weights > architecture.MAX_WEIGHTS:
        raise UserError(
            f"--hidden {' '.join(map(str, settings.hidden))}: {weights:,} weights between these layers; a network may "
            f"have {architecture.MAX_WEIGHTS:,}; give fewer units"
        )


def refuse_learning(model: Any, rows: int, remedy: str) -> None:
    """Raise `UserError` where a Keras model cannot learn here from so many rows at once."""
    _refuse(model, WEIGHTS_WHILE_LEARNING, OUTPUTS_WHILE_LEARNING * rows, "learning", remedy)


def refuse_scoring(model: Any, rows: int, flag: str) -> None:
    """Raise `UserError` where a Keras model cannot look here at so many rows at once; `flag` asks for them."""
    _refuse(model, 1, rows, f"{flag} {rows}", f"give a smaller {flag}")


def _refuse(model, copies, rows, what, remedy):
    units = sum(math.prod(layer.output.shape[1:]) for layer in model.layers)
    needed, present = NUMBER * (copies * model.count_params() + rows * units), memory_bytes()
    if needed > present:
        raise UserError(f"{what}: needs {needed / 2**30:.1f} GiB, this machine has {present / 2**30:.1f} GiB; {remedy}")
