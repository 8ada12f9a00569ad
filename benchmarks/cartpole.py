"""CartPole's figures: `python -m benchmarks.cartpole speed`, `published` or `values`.

- `speed`: ten games side by side, 120-84 units, batch 128, an update every 10 environment steps, 500,000 steps: the
  compiled loop, its compilation, its matrix products alone in NumPy, and Stable-Baselines3's DQN at the same settings,
  where it is installed, or in another environment that has it (`--peer-python`).
- `published`: T5's network in training over seeds, with T5's own figures: `docs/images/cartpole-neural.png`. Takes the
  runs of `python -m cartpole_dqn.compare`.
- `values`: what `naive`, the same with random actions in training, and the tuned `dqn` say of both actions as the pole
  leans: `docs/images/cartpole-values-*.png`.
"""

import contextlib
import dataclasses
import itertools
import statistics
import time
from pathlib import Path

import numpy as np

from benchmarks.measuring import WithPeer
from benchmarks.peers import peer
from cartpole_dqn.experiment import EXPERIMENTS
from cartpole_dqn.variant import CartPoleSettings
from shared.commands.parser import Parser, command, settings_from
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


def compiled_seconds():
    """Seconds for 500,000 steps without compilation, and those until both programs were compiled and had run."""
    began = time.perf_counter()
    engine = EXPERIMENTS["fixed-targets"].engine(SPEED)
    state, _ = engine.run(engine.start(), max_steps=SPEED.num_envs)
    while int(state.steps) < SPEED.learning_starts:
        state, _ = engine.run(state)
    state, _ = engine.run(state, max_steps=int(state.steps) + SPEED.train_every)
    compilation = time.perf_counter() - began
    while not engine.finished(state):
        state, _ = engine.run(state)
    return time.perf_counter() - began - compilation, compilation


def product_seconds():
    """Seconds for the matrix products of all rounds in NumPy: actions of ten games, and an update of 128 rows each."""
    rng = np.random.default_rng(0)
    observations, rows = (rng.random((size, 4), np.float32) for size in (SPEED.num_envs, SPEED.batch_size))
    sizes = (4, *SPEED.hidden, 2)
    first, second, third = (rng.random(shape, np.float32) for shape in itertools.pairwise(sizes))

    def forward(x):
        hidden = x @ first
        deeper = hidden @ second
        return hidden, deeper, deeper @ third

    rounds = (SPEED.steps - SPEED.learning_starts) // SPEED.train_every
    began = time.perf_counter()
    for _ in range(rounds):
        forward(observations)
        forward(rows)  # s_t
        hidden, deeper, gradient = forward(rows)  # s_tm1; of the right shape for a gradient, whose values do not matter
        deeper.T @ gradient, hidden.T @ (deeper_gradient := gradient @ third.T)
        rows.T @ (deeper_gradient @ second.T)
    return time.perf_counter() - began


def speed(config):
    """Print medians and the ratio."""
    with peer(config) or contextlib.nullcontext() as other:
        _speed(config.repeats, other)


def _speed(repeats, other):
    ours, compilations, products, theirs = [], [], [], []
    for _ in range(repeats):
        seconds, compilation = compiled_seconds()
        ours.append(seconds)
        compilations.append(compilation)
        products.append(product_seconds())
        if other:
            env = EXPERIMENTS["fixed-targets"].env(SPEED)
            other.make("dqn", env, SPEED, exploration_fraction=SPEED.epsilon_decay / SPEED.steps)
            theirs.append(SPEED.steps * other.seconds("dqn", SPEED.steps))
    print(
        f"compiled loop: {statistics.median(ours):.1f} s for {SPEED.steps:,} steps, and "
        f"{statistics.median(compilations):.1f} s before that to compile; its matrix products in NumPy: "
        f"{statistics.median(products):.1f} s; median of {repeats}"
    )
    if other:
        ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
        whole = statistics.median(c / (a + b) for a, b, c in zip(ours, compilations, theirs, strict=True))
        print(
            f"Stable-Baselines3: {statistics.median(theirs):.1f} s; the compiled loop is {ratio:.1f} times as fast, "
            f"{whole:.1f} times with its compilation"
        )


def counted_as_t5(rows):
    """A run's metrics with what T5 would print as `mean`: of the last 500 episodes, without the last step of each."""
    episodes, steps = (np.array([0, *(row[name] for row in rows)]) for name in ("episodes", "steps"))
    means = (steps - np.interp(episodes - T5_WINDOW, episodes, steps)) / T5_WINDOW - 1
    return [row | {"mean": mean} for row, mean in zip(rows, means[1:], strict=True) if row["episodes"] >= T5_WINDOW]


def published(config):
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


def values(config):
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


def main(argv):
    """Measure or draw what was asked for."""
    parser = Parser("benchmarks.cartpole", __doc__)
    parser.add_argument("what", choices=("speed", "published", "values"))
    parser.add_settings(WithPeer(repeats=3))
    arguments = parser.parse_args(argv)
    config = settings_from(arguments, WithPeer)

    {"speed": speed, "published": published, "values": values}[arguments.what](config)


if __name__ == "__main__":
    command(main)
