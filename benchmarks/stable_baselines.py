"""Stable-Baselines3's DQN at the settings of ours (Raffin et al. 2021): timers for a step and a whole training.

What measures runs in a child under a Python that may have neither this project's libraries nor Keras.
"""

import importlib
import time
from collections.abc import Callable
from typing import Any

from benchmarks.measuring import Timer


def about() -> str:
    """The versions."""
    import stable_baselines3
    import torch

    return f"Stable-Baselines3 {stable_baselines3.__version__} on PyTorch {torch.__version__}"


def step(env: Any, settings: Any, steps: int, threads: int | None) -> Timer:
    """Seconds a step.

    Args:
        env: one that `gymnasium.make` made; the child makes its own.
        settings: a `shared.dqn.settings.Settings`; what Stable-Baselines3 knows of it is taken over.
        steps: in one measurement.
        threads: of PyTorch; None: as many as it takes itself.
    """
    return Timer("SB3", "benchmarks.stable_baselines:step_timer", (_described(env, settings), steps, threads))


def training(env: Any, settings: Any, steps: int, threads: int | None) -> Timer:
    """Seconds of a whole training, of which `steps` with updates are measured and the rest is counted like them."""
    return Timer(
        "SB3", "benchmarks.stable_baselines:training_timer", (_described(env, settings), settings.steps, steps, threads)
    )


def _described(env: Any, settings: Any) -> dict[str, Any]:
    """An environment and its agent, as JSON can say it."""
    return {
        "env": {"id": env.spec.id, "max_episode_steps": env.spec.max_episode_steps, **env.spec.kwargs},
        "games": settings.num_envs,
        "hidden": settings.hidden,
        "optimizer": settings.optimizer,
        "options": {
            "learning_rate": settings.learning_rate,
            "buffer_size": settings.replay_capacity,
            "learning_starts": max(settings.learning_starts, settings.batch_size),
            "batch_size": settings.batch_size,
            "gamma": settings.discount,
            "train_freq": settings.train_every // settings.num_envs,
            "target_update_interval": settings.target_sync or 1,
            "exploration_fraction": min(settings.epsilon_decay / settings.steps, 1) if settings.steps else 1.0,
            "exploration_initial_eps": settings.epsilon,
            "exploration_final_eps": settings.epsilon_end,
            "seed": settings.seed,
        },
    }


def step_timer(described: dict[str, Any], steps: int, threads: int | None) -> Callable[[], float]:
    """A timer: seconds a step."""
    agent = _agent(described, threads)
    _learn(agent, agent.learning_starts + 100)
    return lambda: _learn(agent, steps)


def training_timer(described: dict[str, Any], total: int, steps: int, threads: int | None) -> Callable[[], float]:
    """A timer: seconds of `total` steps; of those with updates `steps` are measured."""

    def seconds() -> float:
        agent = _agent(described, threads)
        starts = min(agent.learning_starts, total - steps)
        return starts * _learn(agent, starts) + (total - starts) * _learn(agent, steps)

    return seconds


def _agent(described: dict[str, Any], threads: int | None) -> Any:
    import gymnasium
    import torch
    from stable_baselines3 import DQN
    from stable_baselines3.common.env_util import make_vec_env

    if threads is not None:
        torch.set_num_threads(threads)
    package, slash, _ = described["env"]["id"].partition("/")
    if slash:
        importlib.import_module(package)  # registers its environments
    optimizer = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[described["optimizer"]]
    return DQN(
        "MlpPolicy",
        make_vec_env(lambda: gymnasium.make(**described["env"]), described["games"]),
        policy_kwargs={"net_arch": described["hidden"], "optimizer_class": optimizer},
        device="cpu",
        **described["options"],
    )


def _learn(agent: Any, steps: int) -> float:
    """Train on for `steps` environment steps, or a few more; returns seconds a step."""
    before, began = agent.num_timesteps, time.perf_counter()
    agent.learn(steps, reset_num_timesteps=False)
    return (time.perf_counter() - began) / (agent.num_timesteps - before)
