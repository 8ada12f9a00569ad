"""What a training is and what it leaves behind."""
