"""Deep Q-learning: formulas, settings, memory, the compiled loop and the loop to read."""
