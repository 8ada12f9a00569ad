"""What a step of the loops costs, at two sizes: `python -m benchmarks engine`.

Against its seven matrix products (two forward passes and a backward one through both hidden layers), in NumPy and in
XLA; against the tutorials' own way, a Keras model's `predict` and `fit` for each step; and against
Stable-Baselines3's DQN at the same settings.
"""

import dataclasses
import itertools
import time
from collections.abc import Callable

import numpy as np

from benchmarks import stable_baselines
from benchmarks.measuring import Measuring, Part, Row, Timer
from catch_dqn.experiment import EXPERIMENTS
from shared.dqn.settings import Settings
from shared.options import LARGEST

CATCH = EXPERIMENTS["catch"]
T1 = CATCH.presets["tutorial"]
SMALL = dataclasses.replace(T1, hidden=(32, 32), batch_size=32, optimizer="adam", learning_rate=1e-3)
SIZES = {"2x100 units, batch 256": T1, "2x32 units, batch 32": SMALL}


def layers(settings: Settings) -> list[tuple[int, int, int]]:
    """Rows, inputs and outputs of both hidden layers in an update.

    The products with the three outputs are not among them; in XLA they add a quarter at 2x32 units, batch 32.
    """
    first, second = settings.hidden
    return [(settings.batch_size, 100, first), (settings.batch_size, first, second)]


def compiled_step(size: str, steps: int) -> Callable[[], float]:
    """A timer: seconds a step of the compiled loop."""
    engine = CATCH.engine(dataclasses.replace(SIZES[size], episodes=None, steps=LARGEST))
    state, _ = engine.run(engine.start(), max_steps=steps)

    def seconds() -> float:
        nonlocal state
        began, end = time.perf_counter(), int(state.steps) + steps
        while int(state.steps) < end:
            state, _ = engine.run(state, max_steps=end)
        return (time.perf_counter() - began) / steps

    seconds()  # with a full batch
    return seconds


def readable_step(size: str, steps: int) -> Callable[[], float]:
    """A timer: seconds a step of the readable loop."""
    from shared.dqn.loop import play_and_learn

    loop = CATCH.loop(SIZES[size])
    loop.start()
    episodes = play_and_learn(loop.env, loop.agent, SIZES[size])

    def seconds() -> float:
        began = time.perf_counter()
        played = sum(episode.length for episode in itertools.islice(episodes, steps // 9))
        return (time.perf_counter() - began) / played

    seconds()
    return seconds


def fit_per_step(size: str, steps: int) -> Callable[[], float]:
    """A timer: seconds a step as the tutorials write it, `predict` for the action and `fit` on a batch of targets.

    Its predictions are of whole batches. T1 asks for one state at a time, hundreds of times a step.
    """
    import keras

    settings, rng = SIZES[size], np.random.default_rng(0)
    env = CATCH.env(settings)
    model = keras.Sequential(
        [
            keras.Input((100,)),
            *(keras.layers.Dense(units, activation="relu") for units in settings.hidden),
            keras.layers.Dense(3),
        ]
    )
    model.compile(optimizer=settings.optimizer, loss="mse")
    memory: list[tuple] = []
    observation, _ = env.reset(seed=0)

    def step(action: int) -> None:
        nonlocal observation
        after, reward, terminated, truncated, _ = env.step(action)
        memory.append((observation, action, reward, terminated, after))
        observation = env.reset()[0] if terminated or truncated else after

    def learn() -> None:
        chosen = rng.choice(len(memory), settings.batch_size)
        columns = zip(*(memory[i] for i in chosen), strict=True)
        s_tm1, a_tm1, r_t, terminated, s_t = (np.array(column) for column in columns)
        s_tm1, s_t = s_tm1.reshape(-1, 100), s_t.reshape(-1, 100)
        q_tm1 = model.predict(s_tm1, verbose=0)
        best = model.predict(s_t, verbose=0).max(axis=1)
        q_tm1[np.arange(len(chosen)), a_tm1] = r_t + settings.discount * best * ~terminated
        model.fit(s_tm1, q_tm1, batch_size=settings.batch_size, verbose=0)

    for _ in range(settings.batch_size):
        step(int(rng.integers(3)))

    def seconds() -> float:
        began = time.perf_counter()
        for _ in range(steps):
            q = model.predict(observation.reshape(1, -1), verbose=0)
            step(int(q.argmax()) if rng.random() > settings.epsilon else int(rng.integers(3)))
            learn()
        return (time.perf_counter() - began) / steps

    seconds()
    return seconds


def rows(config: Measuring) -> list[Row]:
    """What is compared."""
    steps, fits = (180, 2) if config.quick else (4000, 20)
    found = []
    for size, settings in SIZES.items():
        ours = Timer("ours", "benchmarks.engine:compiled_step", (size, steps))
        readable = Timer("ours", "benchmarks.engine:readable_step", (size, steps))
        in_numpy = Timer("NumPy", "benchmarks.products:in_numpy", (layers(settings), steps))
        in_xla = Timer("XLA", "benchmarks.products:in_xla", (layers(settings), steps))
        fit = Timer("Keras", "benchmarks.engine:fit_per_step", (size, fits))
        baselines = stable_baselines.step(CATCH.env(settings), settings, steps, config.threads)
        found += [
            Row(f"a step, {size}", ours, "its products in NumPy", in_numpy),
            Row(f"a step, {size}", ours, "its products in XLA", in_xla),
            Row(f"a step, {size}", ours, "Keras, fit per step", fit),
            Row(f"a step, {size}", ours, "Stable-Baselines3", baselines),
            Row(f"readable, {size}", readable, "Stable-Baselines3", baselines),
        ]
    return found


PART = Part("a step of the loops, against its matrix products, Keras' fit and Stable-Baselines3", rows)
