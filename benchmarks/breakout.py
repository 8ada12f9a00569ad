"""What a step of Breakout's training costs: `python -m benchmarks breakout`; it needs ale-py.

One action in training, of each preset, against the two things that cannot be left out, each measured alone and then
added: the emulators, driven by random actions, and the network's arithmetic. That is the values by which the actions
are chosen, and values and gradients of all batches that are learned from. Left out are pictures, targets, memory,
optimizer, scores.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measuring import Measuring, Part, Row, Timer, step_of

PRESETS = ("tuned", "exercise")


def training(preset: str, steps: int) -> Callable[[], float]:
    """A timer: seconds a step of training, learning from the start."""
    import dataclasses

    from breakout_dqn.experiment import EXPERIMENTS
    from shared.runs.own import EnvSettings

    breakout = EXPERIMENTS["breakout"]
    settings = breakout.presets[preset]
    if isinstance(settings, EnvSettings):
        settings = dataclasses.replace(settings, learning_starts=settings.batch_size)
    return step_of(breakout.trainer(settings, "vector"), steps)


def added(preset: str, steps: int) -> Callable[[], float]:
    """A timer: seconds of emulator and arithmetic for a step of training."""
    emulator, forward, gradients = emulators(steps), evaluation(preset, steps), update(preset, steps)

    def seconds() -> float:
        return emulator() + forward() + gradients()

    seconds()  # compiles
    return seconds


def emulators(steps: int) -> Callable[[], float]:
    """A timer: seconds an action of ale-py's Breakout: four frames, and the last two screens in grey."""
    import ale_py

    from breakout_dqn.atari import HELD

    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    ale = ale_py.ALEInterface()
    ale.loadROM(ale_py.roms.get_rom_path("breakout"))
    actions, screen = ale.getMinimalActionSet(), np.empty(ale.getScreenDims(), np.uint8)
    rng = np.random.default_rng(0)

    def seconds() -> float:
        ale.reset_game()
        began = time.perf_counter()
        for action in rng.integers(len(actions), size=steps).tolist():
            for frame in range(HELD):
                ale.act(actions[action])
                if frame >= HELD - 2:
                    ale.getScreenGrayscale(screen)
            if ale.game_over():
                ale.reset_game()
        return (time.perf_counter() - began) / steps

    return seconds


def evaluation(preset: str, steps: int) -> Callable[[], float]:
    """A timer: seconds that the network takes to choose one action, in batches of all games."""
    settings, model, plain = network(preset)
    from shared.nn.backend import program

    seen = np.zeros((settings.num_envs, *model.input_shape[1:]), np.float32)
    values = program(model, seen.shape, xla=not plain)

    def seconds() -> float:
        calls = max(1, steps // settings.num_envs)
        began = time.perf_counter()
        for _ in range(calls):
            values(seen)
        return (time.perf_counter() - began) / (calls * settings.num_envs)

    return seconds


def update(preset: str, steps: int) -> Callable[[], float]:
    """A timer: seconds of values and gradients that a step of training is learned from by."""
    settings, model, plain = network(preset)
    from keras import ops

    from shared.nn.backend import compiled, graph, value_and_gradients
    from shared.runs.own import EnvSettings

    if isinstance(settings, EnvSettings):  # the targets of Double DQN need what follows evaluated twice
        often, evaluations = settings.batch_size / settings.train_every, 2
    else:
        often, evaluations = settings.epochs, 0
    batch = ops.zeros((settings.batch_size, *model.input_shape[1:]))

    def gradients(batch: Any) -> Any:
        followed = sum(ops.sum(model(batch + number)) for number in range(1, evaluations + 1))
        loss, found = value_and_gradients(lambda: ops.sum(ops.square(model(batch))), model.trainable_variables)
        return followed + loss + sum(ops.sum(gradient) for gradient in found)

    learn = graph(gradients) if plain else compiled(gradients)

    def seconds() -> float:
        calls = max(1, round(often * steps / settings.batch_size))
        began = time.perf_counter()
        for _ in range(calls):
            float(learn(batch))
        return (time.perf_counter() - began) / calls * often / settings.batch_size

    return seconds


def network(preset: str) -> tuple[Any, Any, bool]:
    """The settings, the network as training has it, and whether a plain graph suits it better than XLA."""
    from breakout_dqn.experiment import EXPERIMENTS
    from shared.nn.convolutions import better_in_a_plain_graph, with_matmul_convolutions

    settings = EXPERIMENTS["breakout"].presets[preset]
    model = EXPERIMENTS["breakout"].model(settings)
    plain = better_in_a_plain_graph(model)
    return settings, model if plain else with_matmul_convolutions(model), plain


def rows(config: Measuring) -> list[Row]:
    """What is compared."""
    steps = 64 if config.quick else 8192
    return [
        Row(
            f"a step of Breakout in training, {preset}",
            Timer("Atari", "benchmarks.breakout:training", (preset, steps)),
            "its emulator and arithmetic, added",
            Timer("Atari", "benchmarks.breakout:added", (preset, steps)),
        )
        for preset in PRESETS
    ]


PART = Part("Breakout in training, against its emulator and its network alone", rows)
