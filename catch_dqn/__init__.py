"""Catch: DQN on the tutorials' falling-ball games. Importing this package registers its environments.

`from catch_dqn import Game, Agent`: T1's, as in its article (`catch_dqn/tutorial.py`).
"""

from gymnasium.envs.registration import register

import shared  # noqa: F401  keeps TensorFlow quiet, should it be imported
from catch_dqn.ball_game import TIME_LIMIT
from shared.late import offer

__getattr__, __dir__ = offer(__name__, {"Game": "catch_dqn.tutorial:Game", "Agent": "catch_dqn.tutorial:Agent"})

register(
    id="catch_dqn/Catch-v0",
    entry_point="catch_dqn.envs:CatchEnv",
    vector_entry_point="catch_dqn.envs:CatchVectorEnv",
)
register(
    id="catch_dqn/CatchBall8-v0",
    entry_point="catch_dqn.envs:CatchBallEnv",
    vector_entry_point="catch_dqn.envs:CatchBallVectorEnv",
    max_episode_steps=TIME_LIMIT,
    kwargs={"size": 8},
)
register(
    id="catch_dqn/CatchBall16-v0",
    entry_point="catch_dqn.envs:CatchBallEnv",
    vector_entry_point="catch_dqn.envs:CatchBallVectorEnv",
    max_episode_steps=TIME_LIMIT,
    kwargs={"size": 16},
)
