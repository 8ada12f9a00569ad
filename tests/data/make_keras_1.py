"""Writes agents as Keras 1.2.1 did: architecture as YAML, weights as HDF5, after the layout in files of 2017.

Keras 1 does not run on a Python of today, so its layout is written here: the class names and settings of Keras 1,
tuples and NumPy numbers pickled into the YAML, a loss inside the model as a Lambda layer of marshalled code, kernels
as (filters, channels, rows, columns) for `th` and (rows, columns, channels, filters) for `tf`.

    python tests/data/make_keras_1.py       # writes keras_1_th.* and keras_1_tf.* beside itself
"""

import marshal
from pathlib import Path

import h5py
import numpy as np
import yaml

HERE = Path(__file__).parent


def agent(ordering, size=8, filters=(2, 3, 3), hidden=5, border="same", seed=1):
    """The three-convolution network with its loss inside, and random weights.

    Returns the configuration (with tuples and NumPy numbers, as Keras 1 held it) and the weights: a list of
    (layer name, [(weight name, array)]) with kernels as `ordering` wants them.
    """
    rng = np.random.default_rng(seed)
    layers, weights = [], []
    image = (None, 1, size, size) if ordering == "th" else (None, size, size, 1)
    layers.append(_input("state", image, "float32"))
    before, channels, side = "state", 1, size
    for number, (count, kernel, stride) in enumerate(zip(filters, (4, 2, 2), (2, 1, 1), strict=True), 1):
        name = f"convolution2d_{number}"
        settings = {"nb_filter": count, "nb_row": kernel, "nb_col": kernel, "subsample": (stride, stride)}
        settings |= {"border_mode": border, "dim_ordering": ordering, "activation": "relu", "init": "glorot_uniform"}
        layers.append(_layer("Convolution2D", name, before, settings))
        shape = (count, channels, kernel, kernel) if ordering == "th" else (kernel, kernel, channels, count)
        weights.append(_weights(rng, name, shape, count))
        before, channels = name, count
        side = -(-side // stride) if border == "same" else (side - kernel) // stride + 1
    layers.append(_layer("Flatten", "flatten_1", before, {}))
    before, inputs = "flatten_1", np.int64(channels * side * side)
    for name, units, activation in (("dense_1", hidden, "relu"), ("main_output", 3, "linear")):
        settings = {"output_dim": units, "input_dim": inputs, "activation": activation, "init": "glorot_uniform"}
        layers.append(_layer("Dense", name, before, settings))
        weights.append(_weights(rng, name, (int(inputs), units), units))
        before, inputs = name, units
    layers += [_input("y_true", (None, 3), "float32"), _input("action", (None, None), "int32")]
    layers.append(_layer("Lambda", "loss", "y_true", loss_settings()))
    layers[-1]["inbound_nodes"] = [[[name, 0, 0] for name in ("y_true", "main_output", "action")]]
    config = {
        "name": "model_1",
        "layers": layers,
        "input_layers": [[name, 0, 0] for name in ("state", "action", "y_true")],
        "output_layers": [["loss", 0, 0], ["main_output", 0, 0]],
    }
    return {"class_name": "Model", "config": config, "keras_version": "1.2.1"}, weights


def flat_agent(shape, units=(6, 3), seed=1):
    """A `Sequential` that flattens its state and has Dense layers only; returns what `agent` returns."""
    rng = np.random.default_rng(seed)
    layers, weights = [_input("input_1", (None, *shape), "float32"), _layer("Flatten", "flatten_1", "", {})], []
    inputs = np.int64(np.prod(shape))
    for number, count in enumerate(units, 1):
        settings = {"output_dim": count, "input_dim": inputs, "activation": "relu" if count != units[-1] else "linear"}
        layers.append(_layer("Dense", f"dense_{number}", "", settings))
        weights.append(_weights(rng, f"dense_{number}", (int(inputs), count), count))
        inputs = count
    stack = [{"class_name": layer["class_name"], "config": layer["config"]} for layer in layers]
    return {"class_name": "Sequential", "config": stack, "keras_version": "1.2.1"}, weights


def loss_settings():
    """What a Lambda layer kept of its function: marshalled bytes in a text."""
    code = compile("lambda args: args[0]", "dqn_agent.py", "eval").co_consts[0]
    function = (marshal.dumps(code).decode("raw_unicode_escape"), None, None)
    return {"function": function, "function_type": "lambda", "output_shape": (1,), "arguments": {}}


def yaml_text(config):
    """What `model.to_yaml()` gave. NumPy's module `core` has been called `_core` since."""
    return yaml.dump(config, default_flow_style=None).replace("numpy._core.", "numpy.core.")


def write_weights(path, weights, names):
    """What `model.save_weights(path)` wrote; `names` are those of all layers, weights or not."""
    arrays = dict(weights)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([name.encode() for name in names])
        for name in names:
            group = file.create_group(name)
            stored = arrays.get(name, [])
            group.attrs["weight_names"] = np.array([key.encode() for key, _ in stored])
            for key, values in stored:
                group[key] = values


def write(folder, name, config, weights):
    """Write `<name>.yaml` and `<name>.hdf5` for what `agent` or `flat_agent` returned; returns the two paths."""
    paths = Path(folder) / f"{name}.yaml", Path(folder) / f"{name}.hdf5"
    paths[0].write_text(yaml_text(config))
    stack = config["config"] if config["class_name"] == "Sequential" else config["config"]["layers"]
    write_weights(paths[1], weights, [layer["config"]["name"] for layer in stack])
    return paths


def _input(name, shape, dtype):
    config = {"batch_input_shape": shape, "input_dtype": dtype, "name": name, "sparse": False}
    return {"class_name": "InputLayer", "config": config, "inbound_nodes": [], "name": name}


def _layer(class_name, name, before, settings):
    config = {"name": name, "trainable": True, **settings}
    if class_name in ("Convolution2D", "Dense"):
        config |= {
            "bias": True,
            "W_regularizer": None,
            "b_regularizer": None,
            "W_constraint": None,
            "b_constraint": None,
        }
    return {"class_name": class_name, "config": config, "inbound_nodes": [[[before, 0, 0]]], "name": name}


def _weights(rng, name, shape, units):
    kernel = rng.normal(0, 1, shape).astype("float32")
    return name, [(f"{name}_W:0", kernel), (f"{name}_b:0", rng.normal(0, 1, units).astype("float32"))]


if __name__ == "__main__":
    for ordering in ("th", "tf"):
        write(HERE, f"keras_1_{ordering}", *agent(ordering))
