"""The same training over seeds and settings, and what came of it."""
