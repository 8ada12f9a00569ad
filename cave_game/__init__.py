"""CAVE: a craft flies through a cave, and a DQN learns to fly it. Importing this package registers its environment."""

from gymnasium.envs.registration import register

import shared  # noqa: F401  keeps TensorFlow quiet, should it be imported
from cave_game.game import TIME_LIMIT

register(
    id="cave_game/Cave-v0",
    entry_point="cave_game.envs:CaveEnv",
    vector_entry_point="cave_game.envs:CaveVectorEnv",
    max_episode_steps=TIME_LIMIT,
)
