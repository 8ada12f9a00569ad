"""What an update of the three-convolution network costs: `python -m benchmarks.convolution`.

Measures, in one run and in turn, so that a drift of the machine's speed hits all alike, one DQN update at batch 32 of
T3's network on 16x16x1 (catch-ball) and on 24x24x4 (CAVE):
- in a plain TensorFlow graph with `Conv2D`, what a Keras user gets by default;
- compiled, with the convolutions as matrix products, in a loop as the engine runs it;
- on 16x16, a whole step of the engine: game, action, replay memory and that update;
- with `--xla`, compiled with `Conv2D` as it is;
- its matrix products alone, in NumPy.
"""

import statistics
import time

import numpy as np

from benchmarks.measuring import Measuring
from shared.commands.parser import Parser, command, settings_from

BATCH, ACTIONS = 32, 3
UPDATES = 1000  # in one measurement
PAUSE = 0.2  # seconds; NumPy's threads go on spinning for a while after a product, and slow down what comes next


def products(size, channels):
    """A function that computes the matrix products of one update: two forward passes, one backward."""
    rng = np.random.default_rng(0)
    cells = BATCH * (size // 2) ** 2
    layers = [  # rows, inputs, outputs
        (cells, 4 * 4 * channels, 16),
        (cells, 2 * 2 * 16, 32),
        (cells, 2 * 2 * 32, 32),
        (BATCH, (size // 2) ** 2 * 32, 128),
        (BATCH, 128, ACTIONS),
    ]
    arrays = [[rng.random(shape, np.float32) for shape in ((m, k), (k, n), (m, n))] for m, k, n in layers]

    def run():
        for i, (inputs, weights, gradient) in enumerate(arrays):
            inputs @ weights  # forward, s_t
            inputs @ weights  # forward, s_tm1
            inputs.T @ gradient  # backward, the weights
            if i > 0:
                gradient @ weights.T  # backward, the layer before

    return run


def updater(model, wrap, looped):
    """A function that makes one update of `model`, or `UPDATES` of them in one program."""
    from keras import ops

    from shared.dqn.formulas import replace_taken, td_target
    from shared.nn.backend import value_and_gradients
    from shared.nn.copies import clone_model
    from shared.nn.losses import ClippedHuber
    from shared.nn.optimizers import RMSPropGraves

    target, loss, optimizer = clone_model(model), ClippedHuber(), RMSPropGraves(2.5e-4)
    optimizer.build(model.trainable_variables)

    def update(s_tm1, a_tm1, r_t, discount_t, s_t):
        y = td_target(r_t, discount_t, target(s_t))

        def error():
            q = model(s_tm1)
            return loss(ops.stop_gradient(replace_taken(q, a_tm1, y)), q)

        value, gradients = value_and_gradients(error, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return value

    rng = np.random.default_rng(0)
    screens = (BATCH, *model.input_shape[1:])
    batch = (
        rng.random(screens, np.float32),
        rng.integers(0, ACTIONS, BATCH).astype(np.int32),
        rng.random(BATCH, np.float32),
        np.full(BATCH, 0.9, np.float32),
        rng.random(screens, np.float32),
    )
    batch = [ops.convert_to_tensor(column) for column in batch]
    if looped:
        program = wrap(lambda *batch: ops.fori_loop(0, UPDATES, lambda i, value: update(*batch), ops.zeros(())))
    else:
        program = wrap(update)
    return lambda: float(program(*batch))


def engine_steps(model):
    """A function that makes `UPDATES` steps of the whole compiled loop: catch-ball 16x16, an update at every step."""
    from catch_dqn.ball_game import CatchBall
    from shared.dqn.engine import Engine
    from shared.dqn.learners.dqn import DQN
    from shared.dqn.settings import Settings
    from shared.nn.copies import clone_model
    from shared.nn.optimizers import RMSPropGraves

    settings = Settings(steps=10**9, replay_capacity=5000, batch_size=BATCH, target_sync=500, loss="clipped-huber")
    engine = Engine(CatchBall(16), clone_model(model), RMSPropGraves(2.5e-4), DQN(settings), settings, UPDATES)
    state = engine.start()

    def run():
        nonlocal state
        state, _ = engine.run(state)

    return run


def measure(size, channels, repeats, with_xla):
    """Print microseconds an update by name, and the ratios that matter."""
    from catch_dqn.networks import convolutional
    from shared.nn.backend import compiled, graph
    from shared.nn.convolutions import with_matmul_convolutions

    model = convolutional((size, size, channels), ACTIONS, (128,), seed=0)
    timers = {  # name: function, how many updates one call makes
        "Conv2D in a plain graph": (updater(model, graph, looped=False), 1),
        "matrix products of patches, compiled": (
            updater(with_matmul_convolutions(model), compiled, looped=True),
            UPDATES,
        ),
        "its matrix products in NumPy": (products(size, channels), 1),
    }
    if size == 16:
        timers["whole step of the compiled loop"] = (engine_steps(model), UPDATES)
    if with_xla:
        timers["Conv2D, compiled"] = (updater(model, compiled, looped=True), UPDATES)
    for function, _ in timers.values():
        function()
    seconds = {name: [] for name in timers}
    for _ in range(repeats):
        for name, (function, updates) in timers.items():
            time.sleep(PAUSE)
            function()
            began = time.perf_counter()
            for _ in range(UPDATES // updates):
                function()
            seconds[name].append((time.perf_counter() - began) / UPDATES)
    print(f"{size}x{size}x{channels}, batch {BATCH}, median of {repeats}")
    for name, values in seconds.items():
        print(f"  {name:38s} {1e6 * statistics.median(values):8.0f} µs an update")
    names = list(timers)
    for ours in (name for name in names if name not in (names[0], names[2])):
        for other in (names[0], names[2]):
            ratio = statistics.median(a / b for a, b in zip(seconds[ours], seconds[other], strict=True))
            print(f"  {ours} / {other}: {ratio:.2f}")


def main(argv):
    """Run the benchmark."""
    parser = Parser("benchmarks.convolution", __doc__)
    parser.add_settings(Measuring(repeats=11))
    parser.add_argument("--xla", action="store_true", help="also Conv2D under XLA, ten times slower than all else")
    arguments = parser.parse_args(argv)
    repeats = settings_from(arguments, Measuring).repeats
    for size, channels in ((16, 1), (24, 4)):
        measure(size, channels, repeats, arguments.xla)


if __name__ == "__main__":
    command(main)
