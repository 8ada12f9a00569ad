"""What CAVE costs: `python -m benchmarks cave`.

- Stepping caves side by side in a compiled loop: rules, observation and fresh starts, random actions, no learning;
  against the same rules in NumPy, as Gymnasium's vector environment.
- A whole step of the compiled loop with an update, against the bare update as a Keras user would write it: the same
  network with its `Conv2D`, loss and optimizer in a plain graph; and with a memory of states in place of observations.
"""

import dataclasses
import time
from collections.abc import Callable

import numpy as np

from benchmarks.measuring import Measuring, Part, Row, Timer
from cave_game.experiment import EXPERIMENTS
from shared.late import load
from shared.names import LOSSES
from shared.options import LARGEST

CAVES = 16
TRAINING = dataclasses.replace(
    EXPERIMENTS["cave"].presets["tutorial"],
    episodes=None,
    steps=LARGEST,
    train_every=1,
    final_update=False,
    learning_starts=500,
)


def stepping(name: str, preset: str, steps: int) -> Callable[[], float]:
    """A timer: seconds a step of one cave, of 16 that fly side by side for `steps` steps in a compiled loop."""
    from keras import ops

    from shared.nn.backend import compiled, uniform

    game = EXPERIMENTS[name].game(EXPERIMENTS[name].presets[preset])

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

        return ops.while_loop(lambda t, *_: t < steps, step, (0, state, seen))

    state = game.reset(ops, ops.zeros((CAVES, 0)))
    seen = ops.zeros((CAVES, *game.observation_shape))

    def seconds() -> float:
        began = time.perf_counter()
        ops.convert_to_numpy(fly(state, seen)[2])
        return (time.perf_counter() - began) / (CAVES * steps)

    seconds()  # compiles
    return seconds


def stepping_in_numpy(name: str, preset: str, steps: int) -> Callable[[], float]:
    """A timer: the same by Gymnasium's vector environment."""
    import gymnasium

    spec = EXPERIMENTS[name].env(EXPERIMENTS[name].presets[preset]).spec
    envs = gymnasium.make_vec(spec.id, num_envs=CAVES, **spec.kwargs)
    envs.reset(seed=0)
    envs.action_space.seed(0)

    def seconds() -> float:
        began = time.perf_counter()
        for _ in range(steps):
            envs.step(envs.action_space.sample())
        return (time.perf_counter() - began) / (CAVES * steps)

    return seconds


def whole_step(replay_states: bool, updates: int) -> Callable[[], float]:
    """A timer: seconds a step of the compiled loop, an update each."""
    settings = dataclasses.replace(TRAINING, replay_states=replay_states)
    engine = EXPERIMENTS["cave"].engine(settings)
    state, _ = engine.run(engine.start(), max_steps=settings.learning_starts)

    def seconds() -> float:
        nonlocal state
        began = time.perf_counter()
        state, _ = engine.run(state, max_steps=int(state.steps) + updates)
        return (time.perf_counter() - began) / updates

    seconds()  # compiles
    return seconds


def bare_update(updates: int) -> Callable[[], float]:
    """A timer: seconds an update in a plain graph, each on the same batch."""
    from keras import ops

    from shared.dqn.formulas import replace_taken, td_target
    from shared.nn.backend import graph, value_and_gradients

    settings, experiment, rng = TRAINING, EXPERIMENTS["cave"], np.random.default_rng(0)
    size = settings.batch_size
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

    def seconds() -> float:
        began = time.perf_counter()
        for _ in range(updates):
            last = update()
        float(last)
        return (time.perf_counter() - began) / updates

    seconds()  # traces
    return seconds


def rows(config: Measuring) -> list[Row]:
    """What is compared."""
    steps, updates = (100, 20) if config.quick else (10_000, 200)
    whole = Timer("ours", "benchmarks.cave:whole_step", (False, updates))
    states = Timer("ours", "benchmarks.cave:whole_step", (True, updates))
    bare = Timer("graph", "benchmarks.cave:bare_update", (updates,))
    found = []
    for name, experiment in EXPERIMENTS.items():
        shapes = {
            experiment.game(settings).observation_shape: preset for preset, settings in experiment.presets.items()
        }
        for shape, preset in shapes.items():
            flying = Timer("ours", "benchmarks.cave:stepping", (name, preset, steps))
            in_numpy = Timer("Gymnasium", "benchmarks.cave:stepping_in_numpy", (name, preset, steps // 10))
            what = f"a step of one of {CAVES}, {name}, {'x'.join(map(str, shape))}"
            found.append(Row(what, flying, "its rules in NumPy", in_numpy))
    return [
        *found,
        Row("a step, CAVE, 24x24x4, batch 32", whole, "the update in a graph", bare),
        Row("a step, CAVE, with a memory of states", states, "of observations", whole),
    ]


PART = Part("CAVE: stepping without learning, and a step with an update, against the update in a plain graph", rows)
