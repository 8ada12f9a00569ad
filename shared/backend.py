"""The only module that knows TensorFlow. Everything else speaks Keras and `keras.ops`."""

import os

# TensorFlow reports what it found on the machine on stderr before any of its own settings can be made.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import tensorflow as tf

from shared.errors import UserError

if keras.backend.backend() != "tensorflow":
    raise UserError(
        f"KERAS_BACKEND={keras.backend.backend()}: the compiled loop runs on TensorFlow; set KERAS_BACKEND=tensorflow"
    )


def compiled(function):
    """`function` as one XLA program. It may read and assign Keras variables."""
    return tf.function(function, jit_compile=True, autograph=False)


def graph(function):
    """`function` as a plain TensorFlow graph, without XLA: what a Keras user gets by default."""
    return tf.function(function, autograph=False)


def value_and_gradients(function, variables):
    """Call `function() -> scalar`; return its value and the gradient for each of `variables`."""
    with tf.GradientTape() as tape:
        value = function()
    return value, tape.gradient(value, variables)


def uniform(key, counter, count):
    """`count` float32 numbers in [0, 1), a pure function of two integers (Philox, Salmon et al. 2011).

    The same `key` and `counter` give the same numbers on every machine, compiled or not, so a run can be cut
    anywhere and go on with the very numbers it would have had.
    """
    seed = keras.ops.stack([keras.ops.cast(key, "int32"), keras.ops.cast(counter, "int32")])
    return tf.random.stateless_uniform((count,), seed=seed, alg="philox")


def execution_facts():
    """What decides the last bits of a result on one machine: recorded with every checkpoint.

    Returns a dict of TensorFlow's and Keras' version, the thread counts and the oneDNN and XLA switches.
    """
    return {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "gpus": len(tf.config.list_physical_devices("GPU")),
    }
