"""The arithmetic alone: the matrix products of a network's update, in NumPy and in XLA.

NumPy's speed changes with its BLAS, its kernel for this processor and its threads, so the table says which it used.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Layers = Sequence[tuple[int, int, int]]  # of each layer: rows, inputs, outputs


def about_numpy() -> str:
    """NumPy, its BLAS with the kernel that it chose, and the threads."""
    version = f"NumPy {np.__version__}"
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return f"{version}, with a BLAS that is known once threadpoolctl is installed"
    loaded = [library for library in threadpool_info() if library["user_api"] == "blas"]
    inside = Path(np.__file__).parent.parent
    # SciPy brings a second one.
    numpys = [library for library in loaded if Path(library["filepath"]).is_relative_to(inside / "numpy.libs")]
    found = [
        f"{library['internal_api']} {library['version']}, kernel {library.get('architecture', 'unknown')}, "
        f"threads: {library['num_threads']}"
        for library in numpys or loaded
    ]
    return ", ".join([version, *found])


def about_ours() -> str:
    """What computes here, and with how many threads."""
    from shared.nn.backend import execution_facts

    facts = execution_facts()
    return (
        f"TensorFlow {facts['tensorflow']}, Keras {facts['keras']}, threads: {facts['threads']}, {facts['processor']}"
    )


def in_numpy(layers: Layers, rounds: int, acting: int = 0) -> Callable[[], float]:
    """A timer: seconds for one update's products, as the mean of `rounds` of them.

    Args:
        layers: whose products they are: two forward passes and one backward; the first layer needs no gradient of its
            inputs.
        rounds: in one measurement.
        acting: rows of one more forward pass, which chooses actions.
    """
    arrays, acted = _arrays(layers), _arrays([(acting, inputs, outputs) for _, inputs, outputs in layers])

    def seconds() -> float:
        began = time.perf_counter()
        for _ in range(rounds):
            for i, (inputs, weights, gradient) in enumerate(arrays):
                inputs @ weights  # forward, s_t
                inputs @ weights  # forward, s_tm1
                inputs.T @ gradient  # backward, the weights
                if i > 0:
                    gradient @ weights.T  # backward, the layer before
            if acting:
                for inputs, weights, _ in acted:
                    inputs @ weights
        return (time.perf_counter() - began) / rounds

    seconds()
    return seconds


def in_xla(layers: Layers, rounds: int) -> Callable[[], float]:
    """The same as one program of XLA's, for dense layers.

    XLA leaves out what nobody uses, and takes out of a loop what is the same each time. So these are the real updates
    of a network without activations, by a step size that changes next to nothing.
    """
    from keras import ops

    from shared.nn.backend import compiled

    s_tm1, s_t = (ops.convert_to_tensor(array) for array in _arrays([layers[0], layers[0]], 0))
    first = [ops.convert_to_tensor(weights) for _, weights, _ in _arrays(layers)]

    def update(weights):
        hidden, q_t = [s_tm1], s_t
        for matrix in weights:
            q_t = ops.matmul(q_t, matrix)
            hidden.append(ops.matmul(hidden[-1], matrix))
        gradient, new = q_t - hidden.pop(), []
        for i in reversed(range(len(weights))):
            new.insert(0, weights[i] - 1e-9 * ops.matmul(ops.transpose(hidden[i]), gradient))
            if i > 0:
                gradient = ops.matmul(gradient, ops.transpose(weights[i]))
        return new

    program = compiled(lambda weights: ops.fori_loop(0, rounds, lambda _, weights: update(weights), weights))

    def seconds() -> float:
        began = time.perf_counter()
        ops.convert_to_numpy(program(first)[0])
        return (time.perf_counter() - began) / rounds

    seconds()  # compiles
    return seconds


def _arrays(layers: Layers, only: int | None = None) -> list[Any]:
    """For each layer random inputs, weights and gradients; or only the first, second or third of these."""
    rng = np.random.default_rng(0)
    made = [tuple(rng.random(shape, np.float32) for shape in ((m, k), (k, n), (m, n))) for m, k, n in layers]
    return made if only is None else [arrays[only] for arrays in made]
