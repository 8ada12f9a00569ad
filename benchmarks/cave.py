"""What CAVE costs: `python -m benchmarks.cave`.

- Stepping caves side by side in a compiled loop: rules, observation and fresh starts, random actions, no learning.
- A whole step of the compiled loop with an update, against the bare update as a Keras user would write it: the same
  network with its `Conv2D`, loss and optimizer in a plain graph. Measured in turn, so that a drift of the machine's
  speed hits both.
"""

import dataclasses
import statistics
import time

import numpy as np

from benchmarks.measuring import Measuring
from cave_game.experiment import EXPERIMENTS
from shared.commands.parser import Parser, command, settings_from
from shared.late import load
from shared.names import LOSSES
from shared.options import LARGEST

CAVES = 16
STEPS = 10_000  # of all caves, in one measurement of stepping
UPDATES = 200  # in one measurement of learning


def stepping(game):
    """A function that flies 16 caves for `STEPS` steps and returns the seconds it took."""
    from keras import ops

    from shared.nn.backend import compiled, uniform

    @compiled
    def fly(state, seen):
        def step(t, state, seen):
            draws = uniform(0, t, (1 + game.step_draws) * CAVES)
            action = ops.cast(ops.floor(2 * draws[:CAVES]), "int32")
            state, _, terminated = game.step(ops, state, action, ops.reshape(draws[CAVES:], (CAVES, -1)))
            fresh = game.reset(ops, ops.zeros((CAVES, 0)))
            state = type(state)(
                *(
                    ops.where(ops.reshape(terminated, (-1,) + (1,) * (len(new.shape) - 1)), new, old)
                    for new, old in zip(fresh, state, strict=True)
                )
            )
            return t + 1, state, seen + game.observe(ops, state)  # so that no observation is left out

        return ops.while_loop(lambda t, *_: t < STEPS, step, (0, state, seen))

    state = game.reset(ops, ops.zeros((CAVES, 0)))
    seen = ops.zeros((CAVES, *game.observation_shape))

    def seconds():
        began = time.perf_counter()
        ops.convert_to_numpy(fly(state, seen)[2])
        return time.perf_counter() - began

    seconds()  # compiles
    return seconds


def whole_step(settings):
    """A function that makes `UPDATES` steps of the compiled loop, an update each, and returns seconds a step.

    Comes with the bytes that a transition takes in replay memory.
    """
    from keras import ops, tree

    engine = EXPERIMENTS["cave"].engine(settings)
    state, _ = engine.run(engine.start(), max_steps=settings.learning_starts)
    stored = sum(ops.convert_to_numpy(column).nbytes for column in tree.flatten(state.replay))
    state, _ = engine.run(state, max_steps=int(state.steps) + 1)  # compiles

    def seconds():
        nonlocal state
        began = time.perf_counter()
        state, _ = engine.run(state, max_steps=int(state.steps) + UPDATES)
        return (time.perf_counter() - began) / UPDATES

    return seconds, stored // settings.replay_capacity


def bare_update(settings):
    """A function that makes `UPDATES` updates in a plain graph, each on the same batch; returns seconds an update."""
    from keras import ops

    from shared.dqn.formulas import replace_taken, td_target
    from shared.nn.backend import graph, value_and_gradients

    experiment, rng, size = EXPERIMENTS["cave"], np.random.default_rng(0), settings.batch_size
    online, target = experiment.model(settings), experiment.model(settings)
    optimizer = experiment.optimizer(settings)
    optimizer.build(online.trainable_variables)
    loss = load(LOSSES, settings.loss)()
    shape = (size, *experiment.game(settings).observation_shape)
    s_tm1, s_t = (ops.convert_to_tensor(rng.random(shape, np.float32)) for _ in range(2))
    action, reward, discount = ops.zeros((size,), "int32"), ops.ones((size,)), ops.full((size,), settings.discount)

    @graph
    def update():
        best = ops.argmax(online(s_t), axis=-1) if settings.double else None
        y = td_target(reward, discount, target(s_t), best)

        def value():
            q_tm1 = online(s_tm1)
            return loss(ops.stop_gradient(replace_taken(q_tm1, action, y)), q_tm1)

        value, gradients = value_and_gradients(value, online.trainable_variables)
        optimizer.apply(gradients, online.trainable_variables)
        return value

    def seconds():
        began = time.perf_counter()
        for _ in range(UPDATES):
            last = update()
        float(last)
        return (time.perf_counter() - began) / UPDATES

    seconds()  # traces
    return seconds


def main(argv):
    """Measure everything several times and print medians."""
    parser = Parser("benchmarks.cave", __doc__)
    parser.add_settings(Measuring())
    repeats = settings_from(parser.parse_args(argv), Measuring).repeats

    for name, preset in (("cave", "tuned"), ("cave2017", "tutorial"), ("cave2017", "tuned")):
        experiment = EXPERIMENTS[name]
        game = experiment.game(experiment.presets[preset])
        fly = stepping(game)
        rates = [CAVES * STEPS / fly() for _ in range(repeats)]
        print(
            f"{name}, stepping {CAVES} caves side by side, observations {game.observation_shape}: "
            f"{statistics.median(rates):,.0f} steps of a cave a second"
        )

    settings = EXPERIMENTS["cave"].presets["tutorial"]
    settings = dataclasses.replace(
        settings,
        episodes=None,
        steps=LARGEST,
        train_every=1,
        final_update=False,
        learning_starts=500,
    )
    (whole, bytes_of_observations), bare = whole_step(settings), bare_update(settings)
    pairs = [(whole(), bare()) for _ in range(repeats)]
    print(
        f"a whole compiled step with an update, batch {settings.batch_size}: "
        f"{1e3 * statistics.median(pair[0] for pair in pairs):.2f} ms; the bare update in a plain graph: "
        f"{1e3 * statistics.median(pair[1] for pair in pairs):.2f} ms; "
        f"ratio {statistics.median(whole / bare for whole, bare in pairs):.2f}"
    )

    states, bytes_of_states = whole_step(dataclasses.replace(settings, replay_states=True))
    pairs = [(states(), whole()) for _ in range(repeats)]
    print(
        f"with a memory of states ({bytes_of_states} bytes a transition) in place of observations "
        f"({bytes_of_observations}): {1e3 * statistics.median(pair[0] for pair in pairs):.2f} ms, "
        f"ratio {statistics.median(states / whole for states, whole in pairs):.2f}"
    )


if __name__ == "__main__":
    command(main)
