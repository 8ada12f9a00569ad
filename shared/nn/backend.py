"""The only module that knows TensorFlow. Everything else speaks Keras and `keras.ops`."""

import atexit
import functools
import os
import platform
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.ops import uid

from shared.arrays import Array
from shared.compile_cache import CompileCache
from shared.errors import UserError
from shared.machine import processors

if keras.backend.backend() != "tensorflow":
    raise UserError(
        f"KERAS_BACKEND={keras.backend.backend()}: the compiled loop runs on TensorFlow; set KERAS_BACKEND=tensorflow"
    )


# Programs are compiled for one shape each, on purpose; TensorFlow would warn that there are several.
tf.get_logger().setLevel("ERROR")

_cache = CompileCache(tf.io.gfile)
keep_compiled = _cache.keep  # on the disk, for the next start; where nothing was compiled since, it takes no time
atexit.register(keep_compiled)

ROUND = 1 << 14  # more than there are tensors between most programs and the next


def compiled(function: Callable[..., Any]) -> tf.types.experimental.PolymorphicFunction:
    """`function` as one XLA program. It may read and assign Keras variables.

    The cache knows a program by the names in it, and TensorFlow numbers some of them by a counter of all tensors that
    the process has made so far, checkpoints included. So each program begins at a round number.
    """

    @functools.wraps(function)
    def traced(*arguments):
        _cache.fill(execution_facts())
        while uid() % ROUND:
            pass
        return function(*arguments)

    return tf.function(traced, jit_compile=True, autograph=False)


def program(function: Callable[..., Array], *shapes: tuple[int, ...], xla: bool = True) -> Callable[..., np.ndarray]:
    """`function` compiled for float32 arrays of just these shapes: NumPy arrays in, a NumPy array out.

    For small networks called from Python: `compiled` picks its program anew at every call, which takes longer than
    the network itself. Without shapes there is one program for each kind of arrays that comes, compiled when it comes.
    `xla=False` makes a plain graph of it (`shared.nn.convolutions.better_in_a_plain_graph`).
    """
    if not shapes:
        made = functools.cache(functools.partial(program, function, xla=xla))
        return lambda *arrays: made(*map(np.shape, arrays))(*arrays)
    concrete = (compiled if xla else graph)(function).get_concrete_function(
        *(tf.TensorSpec(shape, tf.float32) for shape in shapes)
    )
    return lambda *arrays: concrete(*(tf.constant(array, tf.float32) for array in arrays)).numpy()


def once_for_each_model(make: Callable[..., Any]) -> Callable[..., Any]:
    """`make(model, *key)` makes a program out of a Keras model, once: it is kept for as long as the model lives.

    The program reads the model's weights as they are when it is called. `make` gets a weak proxy of the model, so that
    what it makes does not keep it alive.
    """
    made: weakref.WeakKeyDictionary[keras.Model, dict[tuple[Any, ...], Any]] = weakref.WeakKeyDictionary()

    @functools.wraps(make)
    def kept(model, *key):
        try:
            hash(key)
        except TypeError:  # what has no hash may change
            return make(model, *key)
        programs = made.setdefault(model, {})
        if key not in programs:
            programs[key] = make(weakref.proxy(model), *key)
        return programs[key]

    return kept


def graph(function: Callable[..., Any]) -> tf.types.experimental.PolymorphicFunction:
    """`function` as a plain TensorFlow graph, without XLA: what a Keras user gets by default."""
    return tf.function(function, autograph=False)


def value_and_gradients(
    function: Callable[[], Array], variables: Sequence[keras.Variable]
) -> tuple[Array, list[Array]]:
    """Call `function() -> scalar`; return its value and the gradient for each of `variables`."""
    with tf.GradientTape() as tape:
        value = function()
    return value, tape.gradient(value, variables)


def descend(
    loss: Callable[[], Array], variables: Sequence[keras.Variable], optimizer: keras.optimizers.Optimizer
) -> Array:
    """One step of gradient descent on `loss() -> scalar`, which is returned; the optimizer is built."""
    value, gradients = value_and_gradients(loss, variables)
    optimizer.apply(gradients, variables)
    return value


def uniform(key: Array, counter: Array, count: int) -> Array:
    """`count` float32 numbers in [0, 1), a pure function of two integers (Philox; Salmon et al. 2011).

    The same `key` and `counter`, neither negative, give the same numbers inside a compiled program and outside, so a
    run can be cut anywhere and go on with the very numbers it would have had. (XLA and TensorFlow's own kernel give
    different ones: this is always XLA's. In a compiled function at least one of the two has to be a tensor, or
    TensorFlow would compute the numbers itself, ahead of time.)
    """
    if tf.executing_eagerly():
        return _uniform_program(count)(tf.constant(key, tf.int32), tf.constant(counter, tf.int32))
    return _uniform(key, counter, count)


def _uniform(key, counter, count):
    seed = tf.stack([tf.cast(key, tf.int32), tf.cast(counter, tf.int32)])
    return tf.random.stateless_uniform((count,), seed=seed, alg="philox")


@functools.cache
def _uniform_program(count):
    return compiled(lambda key, counter: _uniform(key, counter, count))


def execution_facts() -> dict[str, str | int]:
    """What decides the last bits of a result: recorded with every checkpoint.

    Measured: the threads that one operation may use, XLA's flags and the instructions that oneDNN may use change them
    (and so does another processor); threads for several operations, OpenMP's and those of NumPy's BLAS do not.

    Returns a dict of words and numbers.
    """
    asked = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    threads = tf.config.threading.get_intra_op_parallelism_threads() or (int(asked) if asked.isdecimal() else 0)
    return {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "processor": _processor(),
        "threads": threads or processors(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "onednn_isa": os.environ.get("ONEDNN_MAX_CPU_ISA", os.environ.get("DNNL_MAX_CPU_ISA", "default")),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "gpus": len(tf.config.list_physical_devices("GPU")),
    }


def _processor():
    """What the processor is called."""
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):  # not on Linux, or not on Intel's kind of processor
        return platform.processor() or platform.machine()


def first_compilation() -> None:
    """Compile a small layer, for what TensorFlow says the first time that it does so (`shared.quiet`)."""
    compiled(lambda x, w: tf.nn.relu(x @ w))(tf.ones((3, 4)), tf.ones((4, 8)))
