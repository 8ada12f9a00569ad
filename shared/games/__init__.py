"""What a game is, and any game as a Gymnasium environment."""
