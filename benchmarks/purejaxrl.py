"""PureJaxRL's DQN (Lu et al. 2022) at its own settings, which are those of our CartPole training: a timer.

Runs in a child under a Python that has JAX, gymnax (before 1.0, as its `dqn.py` wants it), flax, optax, chex and
flashbax. The file `dqn.py` is not part of this project: a person names it.
"""

import importlib.util
import sys
import time
import types
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.measuring import Timer


def about() -> str:
    """The versions."""
    packages = ("jax", "gymnax", "flax", "flashbax")
    return "PureJaxRL's dqn.py on " + ", ".join(f"{package} {metadata.version(package)}" for package in packages)


def training(path: str | None, settings: Any) -> Timer:
    """Seconds of a whole training on CartPole, compilation included.

    Args:
        path: of `dqn.py`; None: nobody has said where it is, and it is not measured.
        settings: a `shared.dqn.settings.Settings`, whose numbers are taken over; the network is always 120-84 units.
    """
    config = {
        "ENV_NAME": "CartPole-v1",
        "NUM_ENVS": settings.num_envs,
        "TOTAL_TIMESTEPS": settings.steps,
        "BUFFER_SIZE": settings.replay_capacity,
        "BUFFER_BATCH_SIZE": settings.batch_size,
        "EPSILON_START": settings.epsilon,
        "EPSILON_FINISH": settings.epsilon_end,
        "EPSILON_ANNEAL_TIME": settings.epsilon_decay,
        "TARGET_UPDATE_INTERVAL": settings.target_sync,
        "TAU": settings.target_tau,
        "LR": settings.learning_rate,
        "LEARNING_STARTS": settings.learning_starts,
        "TRAINING_INTERVAL": settings.train_every,
        "GAMMA": settings.discount,
    }
    return Timer("PureJaxRL", "benchmarks.purejaxrl:training_timer", (str(Path(path or "dqn.py").resolve()), config))


def training_timer(path: str, config: dict[str, Any]) -> Callable[[], float]:
    """A timer: seconds until the training has been compiled and has run, as `dqn.py` does it itself."""
    import jax

    if importlib.util.find_spec("wandb") is None:
        sys.modules["wandb"] = types.ModuleType("wandb")  # it imports this, and uses it only to report
    if not hasattr(jax, "tree_map"):
        jax.tree_map = jax.tree_util.tree_map  # its name until JAX 0.4.25
    spec: Any = importlib.util.spec_from_file_location("purejaxrl_dqn", path)
    dqn = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(dqn)

    def seconds() -> float:
        jax.clear_caches()
        began = time.perf_counter()
        train = jax.jit(jax.vmap(dqn.make_train(dict(config))))
        jax.block_until_ready(train(jax.random.split(jax.random.PRNGKey(0), 1)))
        return time.perf_counter() - began

    return seconds
