"""What a model was compiled with, as plain data: its optimizer, its loss, a learning rate schedule.

Only the classes of the tables here exist, each with the settings of its constructor, checked before it is called.
"""

import inspect
import math
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from shared import names
from shared.errors import UserError
from shared.late import load
from shared.nn import optimizers

OPTIMIZERS = {made.__name__: made for made in (load(names.OPTIMIZERS, name) for name in names.OPTIMIZERS)}
LOSSES = {made.__name__: made for made in (*(load(names.LOSSES, name) for name in names.LOSSES), keras.losses.Huber)}
SCHEDULES = {
    "PolynomialDecay": keras.optimizers.schedules.PolynomialDecay,
    "ExponentialDecay": keras.optimizers.schedules.ExponentialDecay,
    "GeometricDecay": optimizers.GeometricDecay,
    "CosineDecay": keras.optimizers.schedules.CosineDecay,
}
# Losses that Keras also knows by these words.
LOSS_WORDS = {"mse": "MeanSquaredError", "mean_squared_error": "MeanSquaredError", "huber": "Huber"}
REQUIRED = inspect.Parameter.empty  # what `inspect` gives as the default of a setting that has none
# What every optimizer has, at its default.
COMMON = {key: value for key, value in keras.optimizers.Optimizer(0.0).get_config().items() if key != "learning_rate"}


class Training(NamedTuple):
    """What to compile a model with."""

    optimizer: keras.optimizers.Optimizer
    loss: keras.losses.Loss | None
    with_state: bool  # whether the file holds the optimizer's state, to be restored


def to_sections(model: keras.Model, path: str | Path) -> dict[str, Any]:
    """The `optimizer` and the `loss` of a compiled model, for a document; nothing of one that is not compiled.

    Raises `UserError` when the model was compiled with something that the tables do not have.
    """
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return {}
    sections = {"optimizer": _to_section(optimizer, OPTIMIZERS, f"{path}: optimizer")}
    sections["optimizer"]["state"] = bool(optimizer.built)
    if isinstance(model.loss, (list, tuple, dict)):
        raise UserError(f"{path}: loss: one for each output is not supported; save the weights alone")
    if model.loss is not None:
        sections["loss"] = _to_section(_loss_object(model.loss), LOSSES, f"{path}: loss")
        if model.get_compile_config().get("loss_weights") is not None:
            raise UserError(f"{path}: loss_weights are not supported; scale the loss itself, or save the weights alone")
    return sections


def from_sections(document: dict[str, Any], path: str | Path) -> Training | None:
    """Make again what `to_sections` described and a person may have edited.

    Raises `UserError` naming the setting that is wrong.
    """
    section, with_state = document.get("optimizer"), False
    if isinstance(section, dict):
        section = dict(section)
        with_state = section.pop("state", False)
    if not isinstance(with_state, bool):
        raise UserError(f"{path}: optimizer: state {with_state!r:.60}: must be true or false")
    optimizer = _from_section(section, OPTIMIZERS, f"{path}: optimizer")
    loss = _from_section(document.get("loss"), LOSSES, f"{path}: loss")
    if loss is not None and optimizer is None:
        raise UserError(f"{path}: loss without optimizer; add one or remove the loss")
    return None if optimizer is None else Training(optimizer, loss, with_state)


def keras_sections(compile_config: Any, path: str | Path) -> dict[str, Any]:
    """What Keras 3 says about it (`model.get_compile_config()`), as a document of ours.

    Raises `UserError` when there is more than an optimizer and a loss, or it has another form.
    """
    if compile_config is None:
        return {}
    if not isinstance(compile_config, dict) or compile_config.get("loss_weights") is not None:
        raise UserError(f"{path}: compile_config: only an optimizer and a loss without loss_weights are supported")
    sections = {}
    for key in ("optimizer", "loss"):
        if compile_config.get(key) is not None:
            sections[key] = _keras_section(compile_config[key], f"{path}: compile_config: {key}")
    if isinstance(sections.get("optimizer"), dict):
        sections["optimizer"]["state"] = True
    return sections


def _keras_section(item: Any, where: str) -> dict[str, Any]:
    """An object of Keras as a section: its class, and its configuration but for what only Keras needs."""
    if isinstance(item, dict) and item.get("class_name") == "function":
        item = item.get("config")
    if isinstance(item, str):
        return {"class": LOSS_WORDS.get(item, item)}
    if not isinstance(item, dict) or not isinstance(item.get("config"), dict):
        raise UserError(f"{where} {item!r:.60}: not one object of Keras; choose another file")
    section = {"class": item.get("class_name")} | {
        key: value for key, value in item["config"].items() if key not in ("name", "dtype", "class")
    }
    if isinstance(section.get("learning_rate"), dict):
        section["learning_rate"] = _keras_section(section["learning_rate"], f"{where}: learning_rate")
    return section


def _loss_object(loss: Any) -> Any:
    """The loss as an object, where it was given as `"mse"` or as Keras' function of that name."""
    for word, name in LOSS_WORDS.items():
        if loss == word or loss is keras.losses.get(word):
            return LOSSES[name]()
    return loss


def _to_section(thing: Any, table: dict[str, type], where: str) -> dict[str, Any]:
    """An optimizer, a loss or a learning rate schedule as plain data: its class and what its constructor takes."""
    made = type(thing)
    name = made.__name__
    if table.get(name) is not made:
        raise UserError(f"{where} {name} is not supported; supported are {', '.join(table)}")
    config = {**getattr(thing, "_fn_kwargs", {}), **thing.get_config()}  # Keras 3 leaves out Huber's delta
    rate = config.get("learning_rate")
    if isinstance(rate, float):
        config["learning_rate"] = float(str(np.float32(rate)))  # 0.001, not 0.0010000000474974513
    elif rate is not None:
        config["learning_rate"] = _to_section(thing._learning_rate, SCHEDULES, f"{where} {name}: learning rate")
    settings = {key: value for key, value in config.items() if key in _settings(made)}
    return {"class": name} | {
        key: value for key, value in settings.items() if key not in COMMON or value != COMMON[key]
    }


def _from_section(section: Any, table: dict[str, type], where: str) -> Any:
    """Make again what `_to_section` described. `None` stays `None`."""
    if section is None:
        return None
    name = section.get("class") if isinstance(section, dict) else None
    if not isinstance(name, str) or name not in table:
        raise UserError(f"{where}: needs class, one of {', '.join(table)}")
    known, settings = _settings(table[name]), {}
    for key, value in section.items():
        if key == "class":
            continue
        if key not in known:
            raise UserError(f"{where}: {name} has no setting {key}")
        if key == "learning_rate" and isinstance(value, dict):
            settings[key] = _from_section(value, SCHEDULES, f"{where}: learning_rate")
        else:
            settings[key] = _checked(value, known[key], f"{where}: {key} {value!r:.60}")
    missing = next((key for key, value in known.items() if value is REQUIRED and key not in settings), None)
    if missing is not None:
        raise UserError(f"{where}: {name} needs {missing}; add it")
    try:
        return table[name](**settings)
    except (ValueError, TypeError) as error:
        raise UserError(f"{where}: {str(error).splitlines()[0]}") from None


def _settings(made: type) -> dict[str, Any]:
    """The settings that a constructor takes, with their defaults; `**kwargs` are those that all optimizers have."""
    parameters = inspect.signature(made).parameters
    defaults = {key: parameter.default for key, parameter in parameters.items()}
    if "kwargs" in defaults:
        defaults |= COMMON
    return {key: default for key, default in defaults.items() if key not in ("name", "dtype", "kwargs")}


def _checked(value: Any, default: Any, where: str) -> Any:
    """A setting, if it is of the kind that its default is of: a word, true or false, or a finite number."""
    if isinstance(default, bool):
        kind, fits = "true or false", isinstance(value, bool)
    elif isinstance(default, str):
        kind, fits = "a word", isinstance(value, str)
    else:
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        kind, fits = "a number", number or (value is None and default is None)
    if not fits:
        raise UserError(f"{where}: must be {kind}")
    return value
