"""What an update of the three-convolution network costs: `python -m benchmarks convolution`.

One DQN update at batch 32 of T3's network on 16x16x1 (catch-ball) and on 24x24x4 (CAVE), compiled with the convolutions
as matrix products, in a loop as the engine runs it. On 16x16 also a whole step of the engine: game, action, replay
memory and that update. Against the same update in a plain TensorFlow graph with `Conv2D`, what a Keras user gets by
default; compiled with `Conv2D` as XLA computes it; and its matrix products alone, in NumPy.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measuring import Measuring, Part, Row, Timer

BATCH, ACTIONS = 32, 3


def layers(size: int, channels: int) -> list[tuple[int, int, int]]:
    """Rows, inputs and outputs of the network's matrix products, for a batch."""
    cells = BATCH * (size // 2) ** 2
    return [
        (cells, 4 * 4 * channels, 16),
        (cells, 2 * 2 * 16, 32),
        (cells, 2 * 2 * 32, 32),
        (BATCH, (size // 2) ** 2 * 32, 128),
        (BATCH, 128, ACTIONS),
    ]


def network(size: int, channels: int) -> Any:
    """T3's network, a Keras model."""
    from catch_dqn.networks import convolutional

    return convolutional((size, size, channels), ACTIONS, (128,), seed=0)


def updater(model: Any) -> tuple[Callable[..., Any], list[Any]]:
    """A function that makes one update of `model` with a batch, and a batch."""
    from keras import ops

    from shared.dqn.formulas import replace_taken, td_target
    from shared.nn.backend import descend
    from shared.nn.copies import clone_model
    from shared.nn.losses import ClippedHuber
    from shared.nn.optimizers import RMSPropGraves

    target, loss, optimizer = clone_model(model), ClippedHuber(), RMSPropGraves(2.5e-4)
    optimizer.build(model.trainable_variables)

    def update(s_tm1: Any, a_tm1: Any, r_t: Any, discount_t: Any, s_t: Any) -> Any:
        y = td_target(r_t, discount_t, target(s_t))

        def error() -> Any:
            q = model(s_tm1)
            return loss(ops.stop_gradient(replace_taken(q, a_tm1, y)), q)

        return descend(error, model.trainable_variables, optimizer)

    rng = np.random.default_rng(0)
    screens = (BATCH, *model.input_shape[1:])
    batch = (
        rng.random(screens, np.float32),
        rng.integers(0, ACTIONS, BATCH).astype(np.int32),
        rng.random(BATCH, np.float32),
        np.full(BATCH, 0.9, np.float32),
        rng.random(screens, np.float32),
    )
    return update, [ops.convert_to_tensor(column) for column in batch]


def compiled_update(size: int, channels: int, patches: bool, updates: int) -> Callable[[], float]:
    """A timer: seconds an update, many in one compiled program; `patches`: convolutions as matrix products."""
    from keras import ops

    from shared.nn.backend import compiled
    from shared.nn.convolutions import with_matmul_convolutions

    model = network(size, channels)
    update, batch = updater(with_matmul_convolutions(model) if patches else model)
    program = compiled(lambda *batch: ops.fori_loop(0, updates, lambda i, value: update(*batch), ops.zeros(())))

    def seconds() -> float:
        began = time.perf_counter()
        float(program(*batch))
        return (time.perf_counter() - began) / updates

    seconds()  # compiles
    return seconds


def update_in_graph(size: int, channels: int, updates: int) -> Callable[[], float]:
    """A timer: seconds an update in a plain graph, one call each."""
    from shared.nn.backend import graph

    update, batch = updater(network(size, channels))
    program = graph(update)

    def seconds() -> float:
        began = time.perf_counter()
        for _ in range(updates):
            value = program(*batch)
        float(value)
        return (time.perf_counter() - began) / updates

    seconds()  # traces
    return seconds


def engine_step(steps: int) -> Callable[[], float]:
    """A timer: seconds a step of the whole compiled loop, catch-ball 16x16, an update at every step."""
    from catch_dqn.ball_game import CatchBall
    from shared.dqn.engine import Engine
    from shared.dqn.learners.dqn import DQN
    from shared.dqn.settings import Settings
    from shared.nn.optimizers import RMSPropGraves

    settings = Settings(steps=10**9, replay_capacity=5000, batch_size=BATCH, target_sync=500, loss="clipped-huber")
    engine = Engine(CatchBall(16), network(16, 1), RMSPropGraves(2.5e-4), DQN(settings), settings, steps)
    state = engine.start()

    def seconds() -> float:
        nonlocal state
        began = time.perf_counter()
        state, _ = engine.run(state)
        return (time.perf_counter() - began) / steps

    seconds()  # compiles
    seconds()  # with a full batch
    return seconds


def rows(config: Measuring) -> list[Row]:
    """What is compared."""
    updates, few = (50, 2) if config.quick else (1000, 20)
    step = Timer("ours", "benchmarks.convolution:engine_step", (updates,))
    found = []
    for shape in ((16, 1), (24, 4)):
        ours = Timer("ours", "benchmarks.convolution:compiled_update", (*shape, True, updates))
        in_graph = Timer("graph", "benchmarks.convolution:update_in_graph", (*shape, updates))
        in_xla = Timer("XLA", "benchmarks.convolution:compiled_update", (*shape, False, few))
        products = Timer("NumPy", "benchmarks.products:in_numpy", (layers(*shape), updates))
        named = f"{shape[0]}x{shape[0]}x{shape[1]}, batch {BATCH}"
        if shape == (16, 1):
            found += [
                Row(f"a step, convolutions, {named}", step, "the update in a graph", in_graph),
                Row(f"a step, convolutions, {named}", step, "its products in NumPy", products),
            ]
        found += [
            Row(f"an update, convolutions, {named}", ours, "Conv2D in a graph", in_graph),
            Row(f"an update, convolutions, {named}", ours, "Conv2D in XLA", in_xla),
            Row(f"an update, convolutions, {named}", ours, "its products in NumPy", products),
        ]
    return found


PART = Part("an update of T3's convolutional network, against Conv2D in a graph and in XLA, and its products", rows)
