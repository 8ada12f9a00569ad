"""CAVE: a craft flies through a cave, and a DQN learns to fly it. Importing this package registers its environments."""

from gymnasium.envs.registration import register

import shared  # noqa: F401  keeps TensorFlow quiet, should it be imported
from cave_game import game, game2017

register(
    id="cave_game/Cave-v0",
    entry_point="cave_game.envs:CaveEnv",
    vector_entry_point="cave_game.envs:CaveVectorEnv",
    max_episode_steps=game.TIME_LIMIT,
)
register(
    id="cave_game/Cave2017-v0",
    entry_point="cave_game.envs:Cave2017Env",
    vector_entry_point="cave_game.envs:Cave2017VectorEnv",
    max_episode_steps=game2017.TIME_LIMIT,
)
