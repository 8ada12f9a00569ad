"""Pieces of Keras: the backend, layers, losses, optimizers, copies of models."""
