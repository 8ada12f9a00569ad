"""Whether what was exported computes what Keras computes."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from shared.commands.trained import Trained
from shared.errors import UserError, one_line
from shared.late import late
from shared.quiet import without_native_messages

keras = late("keras")

PLAYED, RANDOM = 48, 16  # observations
SEED = 10_000_019
TOLERANCE = 1e-5  # relative to the largest output: float32, and sums in another order


@contextlib.contextmanager
def conversion(path: Path) -> Iterator[None]:
    """Convert a network quietly; what a converter or a runtime says against it becomes a `UserError`."""
    try:
        with without_native_messages(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are about the converters' own code
            yield
    except Exception as error:  # they raise whatever they like
        raise UserError(f"{path}: cannot be made of this network: {one_line(error)}") from error


def outputs_of(trained: Trained, observations: np.ndarray) -> np.ndarray:
    """What Keras says of observations float32 [B, ...]: float32 [B, A]."""
    return keras.ops.convert_to_numpy(trained.model(observations, training=False))


def observations_for(trained: Trained) -> np.ndarray:
    """Observations float32 [PLAYED + RANDOM, ...]: those of the agent's own games, then arrays of noise in [0, 1)."""
    env = trained.experiment.env(trained.settings)
    shape = trained.experiment.spaces(trained.settings).observation_shape
    rng = np.random.default_rng(SEED)
    seen: list[np.ndarray] = []
    over = True
    while len(seen) < PLAYED:
        if over:
            observation, _ = env.reset(seed=SEED + len(seen))
        seen.append(np.asarray(observation, np.float32).reshape(shape))
        action = env.action_space.start + outputs_of(trained, seen[-1][None])[0].argmax()
        observation, _, terminated, truncated, _ = env.step(action)
        over = terminated or truncated
    env.close()
    return np.stack([*seen, *rng.random((RANDOM, *shape), np.float32)])


class Comparison:
    """What Keras says of observations, for comparing what others say. (Keras exports only models that were called.)

    Args:
        trained: the agent.
    """

    def __init__(self, trained: Trained) -> None:
        self.observations = observations_for(trained)
        self.expected = outputs_of(trained, self.observations)

    def check(self, path: Path, runtime: str, run: Callable[[np.ndarray], np.ndarray]) -> None:
        """Raise `UserError` unless what was exported computes the same.

        Args:
            path: where it shall be, for the message.
            runtime: what runs it, for the message.
            run: runs it: observations float32 [B, ...] to outputs float32 [B, A].
        """
        found = np.asarray(run(self.observations))
        bound = TOLERANCE * max(1.0, float(np.abs(self.expected).max()))
        # NaN is not within bounds.
        if found.shape != self.expected.shape or not np.abs(found - self.expected).max() <= bound:
            raise UserError(f"{path}: not written, for {runtime} computes other numbers from it than Keras")
