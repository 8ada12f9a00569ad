"""The smallest examples of reinforcement learning, where every value fits into a table (T4 and T5)."""

import shared  # noqa: F401  keeps TensorFlow quiet, should it be imported
