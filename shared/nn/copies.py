"""Copies of Keras models, and moving weights between them."""

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np

from shared.arrays import Array
from shared.errors import UserError

# Parts of a model that hold settings of their own. (Initializers have done their work.)
PARTS = (
    keras.losses.Loss,
    keras.metrics.Metric,
    keras.optimizers.Optimizer,
    keras.optimizers.schedules.LearningRateSchedule,
    keras.regularizers.Regularizer,
    keras.constraints.Constraint,
)
# Attributes that come with use: whether a part was used, and what it keeps about the weights it was used on.
STATE = {"built", "_built", "_trainable_variables_indices", "_exclude_from_weight_decay_cache"}


def clone_model(model: keras.Model) -> keras.Model:
    """A model of the same architecture with equal weights that shares nothing with `model`.

    (`copy.copy` of a Keras 1 model shared its weights: a target network made so followed the online one all along.)
    Layers, losses, metrics and the optimizer are made again from their `get_config`, and compared: Keras drops what
    that leaves out, and the copy would compute something else. A compiled model's clone is compiled likewise, with an
    optimizer of its own in the same state.

    Args:
        model: a Sequential or Functional Keras model, built.

    Raises `UserError` naming the layer, the loss, the metric or the optimizer whose copy is not like it.
    """
    clone = keras.models.clone_model(model)
    for theirs, ours in zip(all_layers(model), all_layers(clone), strict=True):
        if not isinstance(theirs, keras.Model):  # of which only the layers count
            _refuse_change(theirs, ours, f"layer {theirs.name}", vars(keras.layers.Layer()))
    for ours, theirs in zip(clone.variables, model.variables, strict=True):  # those of random generators, too
        ours.assign(theirs)
    if model.compiled:
        _compile_alike(clone, model)
    return clone


def copy_of(model: keras.Model) -> keras.Model:
    """A network of the same architecture and weights, for use inside a training: not compiled."""
    copy = keras.models.clone_model(model)
    copy_weights(model, copy)
    return copy


def refuse_unlike(model: keras.Model, other: keras.Model) -> None:
    """Raise `UserError` unless two models are alike but for their variables: a program compiled for one serves both.

    A layer may have another `seed`: what is drawn by it is in the variables of Keras' random generators.
    """
    layers, others = list(all_layers(model)), list(all_layers(other))
    if [type(layer) for layer in layers] != [type(layer) for layer in others]:
        raise UserError("model: its layers are not those that were compiled; make another trainer for it")
    for theirs, ours in zip(layers, others, strict=True):
        ignored = {"seed", *vars(keras.layers.Layer())}
        if not isinstance(theirs, keras.Model) and (name := _changed_setting(theirs, ours, ignored)):
            raise UserError(
                f"layer {theirs.name}: another seed gives it another {name.strip('_')}, which is compiled; make that a "
                "weight of the layer, or another trainer"
            )


def copy_weights(source: keras.Model, target: keras.Model, tau: Array = 1.0) -> None:
    """Move the weights of `target` towards those of `source`, a model of the same architecture.

    target ← (1 - tau) target + tau source (Lillicrap et al. 2015, algorithm 1). At tau = 1 it is a copy, to the bit;
    inside a compiled program `tau` may be a tensor.
    """
    whole = isinstance(tau, float) and tau == 1.0
    for ours, theirs in zip(target.variables, source.variables, strict=True):  # those of random generators, too
        # Not `ours + tau * (theirs - ours)`: that would not give `theirs` to the bit at a tau of 1.
        ours.assign(theirs if whole else (1.0 - tau) * ours + tau * theirs)


def copy_average(optimizer: keras.optimizers.Optimizer, model: keras.Model) -> None:
    """Give a model the running means of its weights that an optimizer with `use_ema` keeps (Polyak and Juditsky 1992).

    Args:
        optimizer: built for a model of the same architecture; before its first update nothing is copied.
        model: gets the means.
    """
    if optimizer.use_ema and int(optimizer.iterations):
        optimizer.finalize_variable_values(model.trainable_variables)


def all_layers(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """The layers of a model, each followed by those inside it."""
    for inner in (*getattr(layer, "layers", ()), *filter(None, [getattr(layer, "layer", None)])):
        yield inner
        yield from all_layers(inner)


def _compile_alike(clone: keras.Model, model: keras.Model) -> None:
    """Compile a clone with what its model was compiled with."""
    given = model._compile_config.config  # the arguments of `compile`
    optimizer = None if model.optimizer is None else _made_again(model.optimizer)
    clone.compile(
        optimizer=optimizer,
        **{name: _copied(given[name]) for name in ("loss", "loss_weights", "metrics", "weighted_metrics")},
        run_eagerly=model.run_eagerly,
        steps_per_execution=model.steps_per_execution,
        jit_compile=model.jit_compile,
        auto_scale_loss=False,  # the model's optimizer is wrapped already, if it is to be
    )
    if optimizer is None:
        return
    if model.optimizer.built:
        optimizer.build(clone.trainable_variables)
        for ours, theirs in zip(optimizer.variables, model.optimizer.variables, strict=True):
            ours.assign(theirs)
    _refuse_change(model.optimizer, optimizer, model.optimizer.name)


def _copied(given: Any) -> Any:
    """What `compile` takes: a loss, a metric or a number, by name or as an object, or lists and dicts of them."""
    if isinstance(given, dict):
        return {name: _copied(item) for name, item in given.items()}
    if isinstance(given, (list, tuple)):
        items = [_copied(item) for item in given]
        return tuple(items) if isinstance(given, tuple) else items
    if not isinstance(given, PARTS):
        return given
    made = _made_again(given)
    _refuse_change(given, made, given.name)
    return made


def _made_again(part: Any) -> Any:
    """A part with the same settings. (Keras' own copy of a `Huber` loses its delta; its constructor would take it.)"""
    taken = inspect.signature(type(part)).parameters
    dropped = {name: value for name, value in getattr(part, "_fn_kwargs", {}).items() if name in taken}
    return type(part).from_config({**dropped, **part.get_config()})


def _refuse_change(theirs: Any, ours: Any, what: str, ignored: Iterable[str] = ()) -> None:
    """Raise `UserError` when the copy of a thing differs from it in a setting, but for attributes that are ignored."""
    if name := _changed_setting(theirs, ours, ignored):
        raise UserError(
            f"{what}: cannot be copied: its {name.strip('_')} {vars(theirs)[name]!r:.60} is not in what "
            "get_config() returns; return it there, or copy the model before it is compiled"
        )


def _changed_setting(theirs: Any, ours: Any, ignored: Iterable[str]) -> str | None:
    """The first attribute in which two things differ that is a setting, and not ignored; None: there is none."""
    copied = _settings(ours)
    return next(
        (name for name, value in _settings(theirs).items() if name not in ignored and copied.get(name) != value), None
    )


def _settings(thing: Any) -> dict[str, Any]:
    """The attributes of a thing that are plain values, or parts with settings of their own."""
    values = {name: _plain(value) for name, value in vars(thing).items() if name not in STATE}
    return {name: value for name, value in values.items() if value is not None}


def _plain(value: Any) -> Any:
    """A value in a form that can be compared with that of another; None for weights and all else that is no setting."""
    if isinstance(value, (bool, int, float, str, bytes, type(None))):
        return type(value), repr(value)  # NaN is equal to itself in this form
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, value.tobytes()
    if isinstance(value, (set, frozenset)):
        return set(map(_plain, value))
    if isinstance(value, dict):
        value = [*value.items()]
    if isinstance(value, (list, tuple)):
        items = [_plain(item) for item in value]
        return None if None in items else items
    return (type(value), _settings(value)) if isinstance(value, PARTS) else None
