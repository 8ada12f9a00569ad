"""What the loops cost: `python -m benchmarks.engine`.

Measures, in one run and in turn, so that a drift of the machine's speed hits all alike:
- a step of the compiled loop at the tutorial's settings, against its seven matrix products in NumPy;
- the compiled loop at 2x32 units and batch 32, and the readable loop at both sizes, against Stable-Baselines3's DQN
  with the same settings, where that is installed (it is no requirement, and may live in another environment:
  `--peer-python`);
- `--command`: the whole of `python -m catch_dqn.train` against the arithmetic's own time.
"""

import contextlib
import dataclasses
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

from benchmarks.measuring import WithPeer
from benchmarks.peers import peer
from shared.commands.parser import Parser, command, settings_from
from shared.options import LARGEST

STEPS = 4000  # environment steps in one measurement, as many as one call of the compiled loop makes
PAUSE = 0.5  # seconds; the threads of NumPy and PyTorch spin on for a while and slow what runs next
SMALL = {"hidden": (32, 32), "batch_size": 32, "optimizer": "adam", "learning_rate": 1e-3}


def seven_products(settings, steps=STEPS):
    """Seconds a step for the matrix products of one update in NumPy: two forward passes, one backward."""
    rng = np.random.default_rng(0)
    batch, units = settings.batch_size, settings.hidden[0]
    x, hidden, gradient = (rng.random((batch, n), np.float32) for n in (100, units, units))
    first, second = rng.random((100, units), np.float32), rng.random((units, units), np.float32)
    began = time.perf_counter()
    for _ in range(steps):
        x @ first, hidden @ second  # forward, s_t
        x @ first, hidden @ second  # forward, s_tm1
        hidden.T @ gradient, gradient @ second.T, x.T @ gradient  # backward
    return (time.perf_counter() - began) / steps


class Compiled:
    """The compiled loop, ready to be timed."""

    def __init__(self, experiment, settings):
        self.engine = experiment.engine(dataclasses.replace(settings, episodes=None, steps=LARGEST))
        self.state, _ = self.engine.run(self.engine.start(), max_steps=STEPS)

    def time(self):
        """Seconds a step."""
        began, end = time.perf_counter(), int(self.state.steps) + STEPS
        while int(self.state.steps) < end:
            self.state, _ = self.engine.run(self.state, max_steps=end)
        return (time.perf_counter() - began) / STEPS


class Readable:
    """The readable loop, ready to be timed."""

    def __init__(self, experiment, settings):
        from shared.dqn.loop import play_and_learn

        loop = experiment.loop(settings)
        loop.start()
        self.episodes = play_and_learn(loop.env, loop.agent, settings)
        self.time()

    def time(self):
        """Seconds a step."""
        began = time.perf_counter()
        steps = sum(episode.length for episode in itertools.islice(self.episodes, STEPS // 9))
        return (time.perf_counter() - began) / steps


class StableBaselines:
    """Stable-Baselines3's DQN at the same settings, ready to be timed."""

    def __init__(self, other, name, experiment, settings):
        other.make(name, experiment.env(settings), settings)
        self.time = lambda: other.seconds(name, STEPS)  # seconds a step
        other.seconds(name, settings.batch_size + 100)


def loops(config):
    """Median microseconds a step by name, and the ratios that matter, as printed lines."""
    with peer(config) or contextlib.nullcontext() as other:
        _loops(config.repeats, other)


def _loops(repeats, other):
    from catch_dqn.experiment import EXPERIMENTS

    catch = EXPERIMENTS["catch"]
    published = catch.presets["tutorial"]
    small = dataclasses.replace(published, **SMALL)
    timers = {
        "seven products, 2x100, batch 256": lambda: seven_products(published),
        "compiled, 2x100, batch 256": Compiled(catch, published).time,
        "readable, 2x100, batch 256": Readable(catch, published).time,
        "compiled, 2x32, batch 32": Compiled(catch, small).time,
        "readable, 2x32, batch 32": Readable(catch, small).time,
    }
    if other:
        for size, settings in (("2x100, batch 256", published), ("2x32, batch 32", small)):
            timers[f"Stable-Baselines3, {size}"] = StableBaselines(other, size, catch, settings).time
    seconds = {name: [] for name in timers}
    for _ in range(repeats):
        for name, timer in timers.items():
            time.sleep(PAUSE)
            seconds[name].append(timer())
    for name, values in seconds.items():
        print(f"{name:38s} {1e6 * statistics.median(values):8.1f} µs a step")

    def ratio(above, below):
        pairs = zip(seconds[above], seconds[below], strict=True)
        return statistics.median(a / b for a, b in pairs)

    print(f"compiled step / its seven products: {ratio('compiled, 2x100, batch 256', next(iter(timers))):.2f}")
    if other:
        for size in ("2x100, batch 256", "2x32, batch 32"):
            for loop in ("compiled", "readable"):
                times = ratio(f"Stable-Baselines3, {size}", f"{loop}, {size}")
                print(f"{loop} loop, {size}: {times:.1f} times as fast as Stable-Baselines3")


def whole_command(repeats):
    """The whole training command against the arithmetic alone."""
    from catch_dqn.experiment import EXPERIMENTS

    settings = EXPERIMENTS["catch"].presets["tutorial"]
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            arithmetic = seven_products(settings, 20_000) * settings.episodes * 9
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "catch_dqn.train", "--out", f"{folder}/run"],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            seconds = time.perf_counter() - began
            with open(f"{folder}/run/summary.json") as file:
                trained = json.load(file)["seconds"]
        print(
            f"whole command {seconds:.1f} s ({trained:.1f} s of it training), arithmetic alone {arithmetic:.1f} s; "
            f"2 x arithmetic + 10 s = {2 * arithmetic + 10:.1f} s"
        )


def main(argv):
    """Run the command with a list of arguments."""
    parser = Parser("benchmarks.engine", __doc__)
    parser.add_settings(WithPeer())
    parser.add_argument("--command", action="store_true", help="time the whole training command instead")
    arguments = parser.parse_args(argv)
    config = settings_from(arguments, WithPeer)
    if arguments.command:
        whole_command(config.repeats)
    else:
        loops(config)


if __name__ == "__main__":
    command(main)
