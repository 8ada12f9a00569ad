"""The loop for environments that are not ours to compile: many of them side by side, one policy call for all of them.

It does what the compiled loop does (`shared/dqn/engine.py`), with the game in Python: acting and learning are compiled,
each as one program; between them the environments are stepped, and NumPy remembers (`shared/dqn/env_memory.py`).
"""

from collections.abc import Callable, Sequence

import gymnasium
import keras
import numpy as np
from keras import ops

from shared.arrays import Array
from shared.dqn.clock import START, Clock, Time
from shared.dqn.env_memory import EnvMemory
from shared.dqn.learners import Learner
from shared.dqn.replay import Replay
from shared.dqn.settings import Settings
from shared.nn.backend import compiled, graph, program, value_and_gradients
from shared.nn.convolutions import better_in_a_plain_graph, with_matmul_convolutions
from shared.nn.copies import copy_average, copy_of, copy_weights, refuse_unlike
from shared.nn.optimizers import built
from shared.options import refuse_all_but_another_seed
from shared.rollouts.side_by_side import SideBySide
from shared.rollouts.trace import Goal, Trace

BLOCK_STEPS = 2000  # environment steps that one call of `run` makes, about


class EnvLoop:
    """Trains a Keras Q-network on Gymnasium environments, behind the interface of `shared.dqn.engine.Engine`.

    Args:
        make_env: () -> a Gymnasium environment with a Box to observe, float or uint8, and discrete actions from 0 on.
        model, optimizer, learner, settings: as of `shared.dqn.engine.Engine`.
        block: steps of all environments that one call of `run` makes at most.
        clip_rewards: learn from rewards that are cut to -1 ... 1; what is scored stays as it is.
    """

    def __init__(
        self,
        make_env: Callable[[], gymnasium.Env],
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        learner: Learner,
        settings: Settings,
        block: int | None = None,
        clip_rewards: bool = False,
    ) -> None:
        self.model, self.optimizer, self.learner, self.settings = model, optimizer, learner, settings
        self.games = SideBySide(make_env, settings.num_envs, settings.seed, settings.time_limit, clip_rewards)
        plain = better_in_a_plain_graph(model)
        self.online = model if plain else with_matmul_convolutions(model)
        if settings.weight_average and self.online is model:
            self.online = copy_of(model)  # `export` must not go on from a mean
        self.target = copy_of(self.online) if settings.target_sync else self.online
        learner.prepare(self.online, self.target)
        self._first_steps = built(optimizer, self.online.trainable_variables)
        self.clock, self.block = Clock(settings), block or max(1, BLOCK_STEPS // settings.num_envs)
        shape = (settings.num_envs, *self.games.space.shape)
        self._values = program(lambda seen: learner.values(self.online, seen), shape, xla=not plain)
        self._learn = graph(self._updates) if plain else compiled(self._updates)

    # -- what a caller sees -------------------------------------------------------------------------------------

    @property
    def goal(self) -> Goal:
        """What ends the training."""
        return self.clock.goal

    def start(self) -> Time:
        """Begin an episode in every environment; returns the `Time` before the first step."""
        settings, games = self.settings, self.games
        self.memory = EnvMemory(
            settings.replay_capacity, settings.num_envs, games.space, settings.n_step, settings.discount, games.frames
        )
        self.memory.start(games.start())
        return START

    def again(self, settings: Settings, model: keras.Model) -> None:
        """Become what a new loop for these settings and this model would be (`shared.runs.trainer.Trainer.again`)."""
        refuse_all_but_another_seed(self.settings, settings)
        refuse_unlike(self.model, model)
        self.settings, self.games.seed = settings, settings.seed
        for network in (self.model, self.online, self.target):
            copy_weights(model, network)
        self.optimizer.load_own_variables(self._first_steps)

    def run(self, time: Time) -> tuple[Time, Trace]:
        """Train on for a block; returns the next `Time` and the `Trace` of its steps."""
        rows: list[Trace] = []
        while len(rows) < self.block and not self.finished(time):
            time, row = self._step(time)
            rows.append(row)
            if not np.isfinite(row.loss):
                break
        return time, Trace(*(np.array(column) for column in zip(*rows, strict=True)))

    def finished(self, time: Time) -> bool:
        """Whether all episodes or steps asked for have been played."""
        return bool(self.clock.is_over(time))

    def figures(self, time: Time, trace: Trace) -> dict[str, float]:
        """What to report of training beside score and loss: a dict of numbers by name."""
        return {"epsilon": float(self.clock.epsilon(time))}

    def export(self) -> keras.Model:
        """Copy the trained weights into the model that was given, and return it."""
        if self.online is not self.model:
            self.model.set_weights(self.online.get_weights())
            copy_average(self.optimizer, self.model)
        return self.model

    def snapshot(self, time: Time) -> dict[str, np.ndarray]:
        """The whole of training as a dict of NumPy arrays by name.

        Where the environments cannot be saved, their episodes under way are not in it: they begin anew.
        """
        arrays = {name: ops.convert_to_numpy(variable) for name, variable in self._variables().items()}
        arrays |= {f"state/{name}": np.array(value) for name, value in time._asdict().items()}
        return arrays | self.games.snapshot() | self.memory.snapshot()

    def restore(self, arrays: dict[str, np.ndarray]) -> Time:
        """Go back to where `snapshot` was taken; returns the `Time`."""
        self.start()
        for name, variable in self._variables().items():
            variable.assign(arrays[name])
        self.memory.restore(arrays)
        if not self.games.restore(arrays):
            self.memory.cut(self.games.seen)
        return Time(*(int(arrays[f"state/{name}"]) for name in Time._fields))

    def close(self) -> None:
        """Close the environments."""
        self.games.close()

    # -- one step -----------------------------------------------------------------------------------------------

    def _step(self, time):
        """One action in every environment, then the updates that are due."""
        settings, games = self.settings, self.settings.num_envs
        # All chance of a step comes from the seed and the number of the step.
        draws = np.random.Generator(np.random.Philox(key=np.array([settings.seed, time.steps], np.uint64)))
        explore, choice = draws.random((2, games))
        best = np.argmax(self._values(np.asarray(self.games.seen, np.float32)), axis=1)
        action = np.where(explore < self.clock.epsilon(time), (choice * self.games.num_actions).astype(int), best)
        steps = self.games.step(action)
        ended = steps.ended
        row = Trace(ended, steps.score, steps.length, 0.0, 0.0)
        no_more = steps.over if settings.truncation == "bootstrap" else steps.over | ended
        self.memory.add(action, steps.reward, no_more, ended, self.games.seen, steps.final)
        before, time = time, self.clock.after_step(time, int(ended.sum()))
        due = int(self.clock.updates_due(before, time, int(ended.sum())))
        if due and time.steps > self.clock.steps_before_learning:
            loss, largest_target = self._replay(due, draws)
            row = row._replace(loss=loss, largest_target=largest_target)
        if self.clock.sync_is_due(before, time):
            copy_weights(self.online, self.target, settings.target_tau)
        return time, row

    def _replay(self, due, draws):
        """Make some updates; returns the loss and the largest |target| of the last one."""
        most = max(due, self.clock.most_updates)
        batches = [self.memory.sample(draws.random(self.settings.batch_size)) for _ in range(due)]
        batches += batches[:1] * (most - due)  # one shape for all calls: one compilation
        columns = (ops.convert_to_tensor(np.stack(column)) for column in zip(*batches, strict=True))
        loss, largest_target = self._learn(ops.convert_to_tensor(due, "int32"), *columns)
        return float(loss), float(largest_target)

    def _updates(self, due, *columns):
        """The compiled part: `due` of the batches [U, B, ...]."""
        scale = 1.0 / self.settings.batch_size if self.learner.reduction == "mean" else 1.0

        def update(done, loss, largest_target):
            batch = self.batch_of(columns, done)
            targets = self.learner.targets(batch)
            value, gradients = value_and_gradients(
                lambda: scale * ops.sum(self.learner.loss(batch, targets)[0]), self.online.trainable_variables
            )
            self.optimizer.apply(gradients, self.online.trainable_variables)
            return done + 1, value, ops.max(ops.abs(targets))

        start = (ops.convert_to_tensor(0, "int32"), ops.zeros(()), ops.zeros(()))
        return ops.while_loop(lambda done, *_: done < due, update, start)[1:]

    @staticmethod
    def batch_of(columns: Sequence[Array], number: Array) -> Replay:
        """One batch of several, observations as float32."""
        s_tm1, a_tm1, r_t, discount_t, s_t = (ops.take(column, number, axis=0) for column in columns)
        return Replay(ops.cast(s_tm1, "float32"), a_tm1, r_t, discount_t, ops.cast(s_t, "float32"))

    def _variables(self):
        named = {f"online/{i}": v for i, v in enumerate(self.online.variables)}
        if self.target is not self.online:
            named |= {f"target/{i}": v for i, v in enumerate(self.target.variables)}
        return named | {f"optimizer/{i}": v for i, v in enumerate(self.optimizer.variables)}
