"""What a person sees: the terminal, charts, animations."""
