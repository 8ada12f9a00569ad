"""Copies of Keras models, and moving weights between them."""

import keras


def clone_model(model):
    """A model of the same architecture with equal weights that shares nothing with `model`.

    (`copy.copy` of a model shares its weights: a target network made so follows the online network at every update.)
    Custom layers are cloned through their `get_config`. A compiled model's clone is compiled likewise, with an
    optimizer of its own in the same state; its custom losses and optimizers must be registered with
    `keras.saving.register_keras_serializable`.

    Args:
        model: a Sequential or Functional Keras model, built.
    """
    clone = keras.models.clone_model(model)
    copy_weights(model, clone)
    if model.compiled:
        clone.compile_from_config(model.get_compile_config())
        if model.optimizer.built:
            clone.optimizer.build(clone.trainable_variables)
            for ours, theirs in zip(clone.optimizer.variables, model.optimizer.variables, strict=True):
                ours.assign(theirs)
    return clone


def copy_of(model):
    """A network of the same architecture and weights, for use inside a training: not compiled."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def copy_weights(source, target, tau=1.0):
    """Move the weights of `target` towards those of `source`, a model of the same architecture.

    target ← (1 - tau) target + tau source (Lillicrap et al. 2015, algorithm 1). At tau = 1 it is a copy, to the bit;
    inside a compiled program `tau` may be a tensor.
    """
    whole = isinstance(tau, float) and tau == 1.0
    for ours, theirs in zip(target.variables, source.variables, strict=True):
        # Not `ours + tau * (theirs - ours)`: that would not give `theirs` to the bit at a tau of 1.
        ours.assign(theirs if whole else (1.0 - tau) * ours + tau * theirs)
