"""CartPole in seven ways: by a network that cannot learn it, by a table, and by every kind of DQN."""

import shared  # noqa: F401  keeps TensorFlow quiet, should it be imported
