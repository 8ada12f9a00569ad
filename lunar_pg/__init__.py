"""Policy gradients for Gymnasium environments: T4's REINFORCE on CartPole and LunarLander, and what makes it good."""

import shared  # noqa: F401  keeps TensorFlow quiet, should it be imported
