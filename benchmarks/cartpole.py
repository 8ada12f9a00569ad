"""CartPole: training speed, `python -m benchmarks cartpole`, and pictures, `python -m benchmarks.cartpole published`.

The speed: ten games side by side, 120-84 units, batch 128, an update every 10 environment steps, 500,000 steps, until
the network is trained, compilation included; against PureJaxRL's DQN, whose settings these are, Stable-Baselines3's,
and the matrix products alone. The peers differ in this: PureJaxRL takes the time limit for an end, may draw
transitions that lead from one episode into the next one, and keeps metrics of every step; Stable-Baselines3 clips the
gradient, and its games are Gymnasium's, in Python.

The pictures:

- `published`: T5's network in training over seeds, with T5's own figures: `docs/images/cartpole-neural.png`. Takes the
  runs of `python -m cartpole_dqn.compare`.
- `values`: what `naive`, the same with random actions in training, and the tuned `dqn` say of both actions as the pole
  leans: `docs/images/cartpole-values-*.png`.
"""

import dataclasses
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import purejaxrl, stable_baselines
from benchmarks.measuring import Measuring, Part, Row, Timer
from cartpole_dqn.experiment import EXPERIMENTS
from cartpole_dqn.variant import CartPoleSettings
from shared.commands.parser import Parser, command
from shared.errors import UserError

IMAGES = Path("docs/images")
RUNS = Path("runs/cartpole_compare")
SPEED = CartPoleSettings(
    episodes=None,
    steps=500_000,
    num_envs=10,
    time_limit=500,
    hidden=(120, 84),
    optimizer="adam",
    learning_rate=2.5e-4,
    loss="mse-taken",
    discount=0.99,
    epsilon=1.0,
    epsilon_end=0.05,
    epsilon_decay=250_000,
    replay_capacity=10_000,
    batch_size=128,
    learning_starts=10_000,
    train_every=10,
    target_sync=500,
)
T5_MEANS = {500: 22.0, 2500: 28.8, 5000: 52.4, 7500: 69.5, 9000: 90.0, 9500: 85.3}  # by episode, as published
T5_WINDOW = 500  # episodes that each of them covers


def whole_training(steps: int) -> Callable[[], float]:
    """A timer: seconds until a training has been compiled and has run."""
    settings = dataclasses.replace(SPEED, steps=steps)

    def seconds() -> float:
        began = time.perf_counter()
        engine = EXPERIMENTS["fixed-targets"].engine(settings)
        state = engine.start()
        while not engine.finished(state):
            state, _ = engine.run(state)
        return time.perf_counter() - began

    return seconds


def training_alone(steps: int) -> Callable[[], float]:
    """A timer: seconds of a training whose programs are compiled."""
    settings = dataclasses.replace(SPEED, steps=steps)

    def seconds() -> float:
        engine = EXPERIMENTS["fixed-targets"].engine(settings)
        state, _ = engine.run(engine.start(), max_steps=settings.num_envs)
        while int(state.steps) < settings.learning_starts:
            state, _ = engine.run(state)
        state, _ = engine.run(state, max_steps=int(state.steps) + settings.train_every)
        began = time.perf_counter()
        while not engine.finished(state):
            state, _ = engine.run(state)
        return time.perf_counter() - began

    return seconds


def rows(config: Measuring) -> list[Row]:
    """What is compared."""
    steps, peer_steps = (20_000, 500) if config.quick else (SPEED.steps, 20_000)
    settings = dataclasses.replace(SPEED, steps=steps)
    whole = Timer("ours", "benchmarks.cartpole:whole_training", (steps,))
    alone = Timer("ours", "benchmarks.cartpole:training_alone", (steps,))
    sizes = (4, *SPEED.hidden, 2)
    layers = [(SPEED.batch_size, *shape) for shape in itertools.pairwise(sizes)]
    rounds = (steps - SPEED.learning_starts) // SPEED.train_every
    products = Timer("NumPy", "benchmarks.products:in_numpy", (layers, min(rounds, 4000), SPEED.num_envs), rounds)
    baselines = stable_baselines.training(EXPERIMENTS["fixed-targets"].env(SPEED), settings, peer_steps, config.threads)
    found = [
        Row(f"CartPole, {steps:,} steps, compiled before", alone, "its products in NumPy", products),
        Row(f"CartPole, {steps:,} steps, and compiling", whole, "Stable-Baselines3", baselines),
    ]
    return [*found, Row(found[1].what, whole, "PureJaxRL", purejaxrl.training(config.purejaxrl, settings))]


PART = Part("a whole training on CartPole, against PureJaxRL and Stable-Baselines3", rows)


def counted_as_t5(rows):
    """A run's metrics with what T5 would print as `mean`: of the last 500 episodes, without the last step of each."""
    episodes, steps = (np.array([0, *(row[name] for row in rows)]) for name in ("episodes", "steps"))
    means = (steps - np.interp(episodes - T5_WINDOW, episodes, steps)) / T5_WINDOW - 1
    return [row | {"mean": mean} for row, mean in zip(rows, means[1:], strict=True) if row["episodes"] >= T5_WINDOW]


def published() -> None:
    """Draw T5's network in training, and T5's figures."""
    from shared.commands.comparison import curve
    from shared.display.charts import Curve, Panel, bands
    from shared.runs.folder import Run

    runs = [counted_as_t5(Run(folder).read_metrics()) for folder in sorted((RUNS / "neural-tutorial").glob("seed*"))]
    if not runs:
        raise UserError(f"{RUNS / 'neural-tutorial'}: no runs are here; run python -m cartpole_dqn.compare first")
    ours = curve(f"here, {len(runs)} seeds", runs, "episodes", "mean")
    theirs = Curve("T5, one run", np.array(list(T5_MEANS)), np.array([list(T5_MEANS.values())]))
    for episode, mean in T5_MEANS.items():
        here = [np.interp(episode, *([row[name] for row in rows] for name in ("episodes", "mean"))) for rows in runs]
        print(f"episode {episode}: published {mean}, here {np.mean(here):.1f} ({min(here):.1f} to {max(here):.1f})")
    bands(IMAGES / "cartpole-neural.png", [ours, theirs], "episodes", Panel("mean", "mean steps, last 500"))


def values() -> None:
    """Draw both actions' values against the lean of an otherwise resting pole."""
    if not IMAGES.is_dir():
        raise UserError(f"{IMAGES}: no such folder; run this in the root of the project")
    from shared.display.charts import Curve, Panel, bands

    for name, variant, preset, changes, limits in (
        ("naive", "naive", "tutorial", {}, (-0.1, 1.2)),
        ("naive-exploring", "naive", "tutorial", {"epsilon": 1.0, "epsilon_end": 1.0}, (-0.1, 1.2)),
        ("dqn", "dqn", "tuned", {}, (None, None)),
    ):
        experiment = EXPERIMENTS[variant]
        settings = dataclasses.replace(experiment.presets[preset], **changes)
        engine = experiment.engine(settings)
        state = engine.start()
        while not engine.finished(state):
            state, _ = engine.run(state)
        degrees = np.linspace(-12, 12, 121)
        states = np.zeros((len(degrees), 4), np.float32)
        states[:, 2] = np.radians(degrees)
        q = np.asarray(engine.export()(states))
        curves = [Curve(f"push {way}", degrees, q[None, :, i]) for i, way in enumerate(("left", "right"))]
        panel = Panel("", "value", limits=limits)
        bands(IMAGES / f"cartpole-values-{name}.png", curves, "lean of the pole, degrees", panel)
        apart = q[:, 1] - q[:, 0]
        crossings = degrees[1:][np.sign(apart[1:]) != np.sign(apart[:-1])]
        print(
            f"{name}: values {q.min():.3f} to {q.max():.3f}, apart by {np.abs(apart).max():.3f} at most; the lines "
            f"cross at {', '.join(f'{x:.1f}' for x in crossings) or 'no'} degrees"
        )


def main(argv: list[str]) -> None:
    """Draw what was asked for."""
    parser = Parser("benchmarks.cartpole", __doc__)
    parser.add_argument("what", choices=("published", "values"))
    {"published": published, "values": values}[parser.parse_args(argv).what]()


if __name__ == "__main__":
    command(main)
