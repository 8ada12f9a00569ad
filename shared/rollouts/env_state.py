"""Where an environment stands, as arrays: for those whose state can be saved, so that a run goes on to the bit.

That is so for Gymnasium's classic control, and for environments whose class says `state_is_all = True`: beside
`np_random`, their attribute `state` is all there is. Box2D's physics cannot be saved: there the episodes under way
begin anew.
"""

import io
import json

import gymnasium
import numpy as np
from gymnasium.envs import classic_control
from gymnasium.wrappers import TimeLimit

SAVED = (
    classic_control.AcrobotEnv,
    classic_control.CartPoleEnv,
    classic_control.MountainCarEnv,
    classic_control.Continuous_MountainCarEnv,
    classic_control.PendulumEnv,
)


def can_be_saved(env: gymnasium.Env) -> bool:
    """Whether `save` knows how."""
    return isinstance(env.unwrapped, SAVED) or getattr(env.unwrapped, "state_is_all", False)


def save(env: gymnasium.Env) -> dict[str, np.ndarray]:
    """The state of an environment under way: a dict of arrays by name."""
    beyond = getattr(env.unwrapped, "steps_beyond_terminated", None)
    counts = [-1 if beyond is None else beyond, *(limit._elapsed_steps for limit in _limits(env))]
    generator = json.dumps(env.unwrapped.np_random.bit_generator.state).encode()
    return {
        "state": packed(np.array(env.unwrapped.state)),
        "counts": np.array(counts),
        "generator": np.frombuffer(generator, np.uint8),
    }


def load(env: gymnasium.Env, arrays: dict[str, np.ndarray]) -> None:
    """Put an environment that was reset back to where `save` found one like it."""
    env.unwrapped.state = unpacked(arrays["state"])
    beyond, *elapsed = arrays["counts"].tolist()
    if hasattr(env.unwrapped, "steps_beyond_terminated"):
        env.unwrapped.steps_beyond_terminated = None if beyond < 0 else beyond
    for limit, steps in zip(_limits(env), elapsed, strict=True):
        limit._elapsed_steps = steps
    env.unwrapped.np_random.bit_generator.state = json.loads(arrays["generator"].tobytes())


def packed(array: np.ndarray) -> np.ndarray:
    """An array of any shape and type as a row of bytes, uint8 [n]: what a checkpoint takes at any length."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    return np.frombuffer(buffer.getvalue(), np.uint8)


def unpacked(data: np.ndarray) -> np.ndarray:
    """The array that `packed` was given."""
    return np.lib.format.read_array(io.BytesIO(data.tobytes()), allow_pickle=False)


def _limits(env):
    while env is not env.unwrapped:
        if isinstance(env, TimeLimit):
            yield env
        env = env.env
