"""CAVE: a craft that flies through a cave, and a DQN that learns to. Importing this package registers its environment."""

from gymnasium.envs.registration import register

register(id="cave_game/Cave-v0", entry_point="cave_game.envs:CaveEnv", max_episode_steps=2000)
