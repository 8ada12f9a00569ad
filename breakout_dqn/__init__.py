"""Breakout, the exercise that T4's chapter leaves open, and other Atari games: a Double Dueling DQN, and PQN.

Needs ale-py: `pip install ".[atari]"`.
"""

import shared  # noqa: F401  keeps TensorFlow quiet, should it be imported
