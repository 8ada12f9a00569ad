"""The smallest examples of reinforcement learning, where every value fits into a table (T4 and T5)."""
