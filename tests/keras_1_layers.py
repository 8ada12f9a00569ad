"""Models and their layers as Keras 1.2 wrote them, one function for each; `write` makes the two files."""

import json

import numpy as np
from data import make_keras_1

GATES = ("i", "f", "c", "o")  # in the order of Keras 2 and 3
NORM = {"epsilon": 0.01, "mode": 0, "axis": -1, "momentum": 0.99}
TH = {"dim_ordering": "th"}


def gates(kernel, recurrent, bias):
    """The weights of an LSTM by gate, from the three arrays of Keras 2 and 3."""
    split = (np.split(array, 4, axis=-1) for array in (kernel, recurrent, bias))
    return dict(zip(GATES, zip(*split, strict=True), strict=True))


def input_layer(name, shape):
    config = {"batch_input_shape": (None, *shape), "input_dtype": "float32", "name": name, "sparse": False}
    return {"class_name": "InputLayer", "config": config, "name": name, "inbound_nodes": []}


def layer(class_name, name, *before, **config):
    config = {"name": name, "trainable": True, **config}
    nodes = [[[other, 0, 0] for other in before]] if before else []
    return {"class_name": class_name, "config": config, "name": name, "inbound_nodes": nodes}


def merge(name, mode, *before, concat_axis=-1, dot_axes=(1, 1)):
    """What Keras 1.2 wrote about a `merge(...)`."""
    made = layer("Merge", name, *before)
    raw = {"output_shape": None, "output_mask": None, "mode_type": "raw", "output_shape_type": "raw"}
    axes = {"concat_axis": concat_axis, "dot_axes": dot_axes if mode == "dot" else -1}
    made["config"] = {"name": name, "mode": mode, **axes, **raw, "output_mask_type": "raw", "arguments": {}}
    return made


def convolution(name, filters, size, *before, **config):
    settings = {"nb_filter": filters, "nb_row": size, "nb_col": size, "subsample": (1, 1), "border_mode": "valid"}
    return layer("Convolution2D", name, *before, activation="relu", **settings, **TH | config)


def each_step(name, class_name, **config):
    inner = {"class_name": class_name, "config": {"name": f"{class_name.lower()}_1", "trainable": True, **config}}
    return layer("TimeDistributed", name, layer=inner)


def lstm(name, units, consume_less, stateful=False, sequences=False):
    """As Keras 1.2.1 wrote it in `drqn_model.yaml` of 2017."""
    training = {"init": "glorot_uniform", "inner_init": "orthogonal", "forget_bias_init": "one"}
    training |= dict.fromkeys(("W_regularizer", "U_regularizer", "b_regularizer"))
    training |= {"dropout_W": 0.0, "dropout_U": 0.0, "input_dim": np.int64(12), "input_length": None}
    loop = {"consume_less": consume_less, "stateful": stateful}
    loop |= {"go_backwards": False, "unroll": False, "return_sequences": sequences}
    return layer("LSTM", name, output_dim=units, activation="relu", inner_activation="hard_sigmoid", **training, **loop)


def lstm_arrays(arrays, consume_less="cpu"):
    """The arrays of Keras 2 as Keras 1 stored them: alike for a GPU, else three for each gate: i, c, f, o."""
    if consume_less == "gpu":
        return arrays
    by_gate = gates(*arrays)
    return [array for gate in ("i", "c", "f", "o") for array in by_gate[gate]]


def chain(shape, *layers):
    """A `Sequential`, whose configuration is a list in Keras 1."""
    stack = [{"class_name": made["class_name"], "config": made["config"]} for made in layers]
    stack[0]["config"] = {**stack[0]["config"], "batch_input_shape": (None, *shape)}
    return {"class_name": "Sequential", "config": stack, "keras_version": "1.2.1"}


def graph(layers, inputs, outputs):
    ends = {"input_layers": [[name, 0, 0] for name in inputs], "output_layers": [[name, 0, 0] for name in outputs]}
    return {"class_name": "Model", "config": {"name": "model_1", "layers": layers, **ends}, "keras_version": "1.2.1"}


def write(folder, config, weights, form="yaml", end=":0"):
    """Write both files; `weights` are the arrays by layer. Returns their paths."""
    paths = folder / f"old.{form}", folder / "old.hdf5"
    plain = json.loads(json.dumps(config, default=int)) if form == "json" else config
    paths[0].write_text(json.dumps(plain) if form == "json" else make_keras_1.yaml_text(plain))
    named = [(name, [(f"{name}_{i}{end}", a) for i, a in enumerate(arrays)]) for name, arrays in weights.items()]
    make_keras_1.write_weights(paths[1], named, list(weights))
    return paths
