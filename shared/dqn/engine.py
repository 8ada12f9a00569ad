"""The compiled loop: game, epsilon-greedy policy, replay memory, targets and optimizer as one program.

It does what the readable loop does (`shared/dqn/loop.py` with `shared/dqn/agent.py`), step for step and fed the same
draws with the same result, at the speed of the network's matrix products.

What changes at every step is carried through the loop as tensors; the weights and the optimizer's state are Keras
variables. (A replay memory in variables made the same loop 1.6 times slower.)
"""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops, tree

from shared.arrays import Array
from shared.dqn import quirks
from shared.dqn import replay as memory
from shared.dqn.clock import Clock, Time
from shared.dqn.formulas import epsilon_greedy
from shared.dqn.learners import Learner
from shared.dqn.priorities import Priorities, Proportional, Sampler, Uniform
from shared.dqn.schedules import linear
from shared.dqn.settings import Settings
from shared.errors import UserError
from shared.games.contract import Game, State
from shared.machine import memory_bytes
from shared.nn.backend import compiled, uniform, value_and_gradients
from shared.nn.convolutions import with_matmul_convolutions
from shared.nn.copies import copy_average, copy_of, copy_weights, refuse_unlike
from shared.nn.optimizers import built
from shared.options import refuse_all_but_another_seed
from shared.rollouts.trace import Goal, Trace

BLOCK_STEPS = 4000
UNROLLED = 4  # updates after one step that are written out one after the other, at most; more of them are a loop


class TrainState(NamedTuple):
    """Where training stands, but for the variables of the networks and the optimizer. G games, C transitions."""

    key: Array  # int32, the run's seed
    steps: Array  # int32, these three as in `shared.dqn.clock.Time`
    episodes: Array
    growth: Array
    game: State  # the game's own State, [G, ...]
    observation: Array  # float32 [G, ...]
    length: Array  # int32 [G], steps of the running episode
    score: Array  # float32 [G], return of the running episode so far
    best_score: Array  # float32, highest return of an episode, where the best weights are kept
    replay: memory.Replay  # [C, ...]
    priorities: Priorities

    @property
    def time(self) -> Time:
        """How far training has come."""
        return Time(self.steps, self.episodes, self.growth)


class Draws(NamedTuple):
    """The uniform numbers of one step of G games, in the order in which they are consumed."""

    explore: Array  # [G]
    choice: Array  # [G]
    step: Array  # [G, step_draws]
    reset: Array  # [G, reset_draws]
    batch: Array  # [updates, B]


class Engine:
    """Trains a Keras Q-network on a game written as pure functions.

    Args:
        game: the rules (`shared.games.contract.Game`).
        model: a Keras model from float32 [B, *observation_shape] to action values [B, A]. The engine trains a clone
            of its own where it holds convolutions, or where the best weights are kept; `export` brings the weights
            back into `model`.
        optimizer: any Keras optimizer; it is built here.
        learner: what is learned (`shared.dqn.learners.Learner`).
        settings: a `shared.dqn.settings.Settings`; of these the engine reads how to play, remember and when to learn.
        block: rows of a `Trace`: how many steps of the G games one call of `run` makes at most. Default: as many as
            make `BLOCK_STEPS` environment steps. A call costs some milliseconds, mostly for the memory's copy.

    Raises:
        UserError: if replay memory would not fit into the machine's memory.
    """

    def __init__(
        self,
        game: Game,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        learner: Learner,
        settings: Settings,
        block: int | None = None,
    ) -> None:
        self.game, self.model, self.optimizer, self.learner, self.settings = game, model, optimizer, learner, settings
        self._refuse_what_cannot_fit()
        self.online = with_matmul_convolutions(model)
        if (settings.restore_best or settings.weight_average) and self.online is model:
            self.online = copy_of(model)  # `export` must not undo what was learned since, or go on from a mean
        if settings.target_sync:
            self.target = copy_of(self.online)
        else:
            self.target = self.online
        self.best = copy_of(self.online) if settings.restore_best else None
        learner.prepare(self.online, self.target)
        self.sampler: Sampler = Uniform()
        if settings.prioritized:
            self.sampler = Proportional(settings.replay_capacity, settings.priority_exponent, self._importance)
        self._first_steps = built(optimizer, self.online.trainable_variables)
        self.clock = Clock(settings)
        self.block = block or max(1, BLOCK_STEPS // settings.num_envs)
        self._collect = compiled(lambda limit, state: self._play(limit, state, learn=False))
        self._learn = compiled(lambda limit, state: self._play(limit, state, learn=True))

    # -- what a caller sees -------------------------------------------------------------------------------------

    @property
    def goal(self) -> Goal:
        """What ends the training."""
        return self.clock.goal

    def start(self) -> TrainState:
        """The state before the first step."""
        games, key = self.settings.num_envs, self.settings.seed
        game = self.game.reset(ops, self.first_draws(key))
        observation = self.game.observe(ops, game)
        replay = memory.empty(self.settings.replay_capacity, self._stored(ops, game, observation))
        return TrainState(
            key=ops.convert_to_tensor(key, "int32"),
            steps=ops.convert_to_tensor(0, "int32"),
            episodes=ops.convert_to_tensor(0, "int32"),
            growth=ops.convert_to_tensor(0, "int32"),
            game=game,
            observation=observation,
            length=ops.zeros((games,), "int32"),
            score=ops.zeros((games,)),
            best_score=ops.convert_to_tensor(-np.inf, "float32"),
            replay=tree.map_structure(ops.convert_to_tensor, replay),
            priorities=self.sampler.empty(),
        )

    def again(self, settings: Settings, model: keras.Model) -> None:
        """Become what a new engine for these settings and this model would be (`shared.runs.trainer.Trainer.again`)."""
        refuse_all_but_another_seed(self.settings, settings)
        refuse_unlike(self.model, model)
        self.settings = settings
        for network in (self.model, self.online, self.target, self.best):
            if network is not None:
                copy_weights(model, network)
        self.optimizer.load_own_variables(self._first_steps)

    def run(self, state: TrainState, max_steps: int | None = None) -> tuple[TrainState, Trace]:
        """Train on from `state` until a block is full, the settings' end is reached or the loss is not finite.

        Args:
            state: a `TrainState`.
            max_steps: also stop once so many environment steps were taken in all.

        Returns the next state and the `Trace` of the steps taken, as NumPy arrays.
        """
        settings = self.settings
        limit = min(limit for limit in (max_steps, settings.steps, np.iinfo(np.int32).max) if limit is not None)
        play = self._learn
        if int(state.steps) < self.clock.steps_before_learning:
            play, limit = self._collect, min(limit, settings.learning_starts)
        rows, state, trace = play(ops.convert_to_tensor(limit, "int32"), state)
        rows = int(rows)
        return state, Trace(*(ops.convert_to_numpy(column)[:rows] for column in trace))

    def finished(self, state: TrainState) -> bool:
        """Whether all episodes or steps asked for have been played."""
        return bool(self.clock.is_over(state.time))

    def figures(self, state: TrainState, trace: Trace) -> dict[str, float]:
        """What to report of training beside score and loss: a dict of numbers by name."""
        return {"epsilon": float(self.clock.epsilon(Time(int(state.steps), int(state.episodes), int(state.growth))))}

    def first_draws(self, key: Array) -> Array:
        """The numbers that start the first games: float32 [G, reset_draws]."""
        shape = (self.settings.num_envs, self.game.reset_draws)
        return ops.reshape(uniform(key, 0, shape[0] * shape[1]), shape)

    def draws(self, key: Array, steps: Array) -> Draws:
        """The numbers that chance has ready for the step that follows `steps` environment steps: a `Draws`."""
        games, game, batch = self.settings.num_envs, self.game, self.settings.batch_size
        shapes = [(games,), (games,), (games, game.step_draws), (games, game.reset_draws)]
        shapes.append((self.clock.most_updates, batch))
        sizes = [int(np.prod(shape)) for shape in shapes]
        numbers = uniform(key, steps + 1, sum(sizes))  # counter 0 has started the first games
        parts, start = [], 0
        for shape, size in zip(shapes, sizes, strict=True):
            parts.append(ops.reshape(numbers[start : start + size], shape))
            start += size
        return Draws(*parts)

    def export(self) -> keras.Model:
        """Copy the trained weights into the model that was given, and return it."""
        trained = self.best or self.online
        if trained is not self.model:
            self.model.set_weights(trained.get_weights())
            copy_average(self.optimizer, self.model)
        return self.model

    def snapshot(self, state: TrainState) -> dict[str, np.ndarray]:
        """The whole of training as one value: a dict of NumPy arrays by name."""
        variables = {name: ops.convert_to_numpy(variable) for name, variable in self._variables().items()}
        # Tensors do not change, so that a large replay memory is looked at and not copied.
        return variables | {name: np.asarray(array) for name, array in _named_leaves("state", state)}

    def restore(self, arrays: dict[str, np.ndarray]) -> TrainState:
        """Go back to where `snapshot` was taken; returns the `TrainState`."""
        for name, variable in self._variables().items():
            variable.assign(arrays[name])
        return _with_leaves("state", self.start(), arrays)

    def _variables(self):
        named = {f"online/{i}": v for i, v in enumerate(self.online.variables)}
        if self.target is not self.online:
            named |= {f"target/{i}": v for i, v in enumerate(self.target.variables)}
        if self.best is not None:
            named |= {f"best/{i}": v for i, v in enumerate(self.best.variables)}
        return named | {f"optimizer/{i}": v for i, v in enumerate(self.optimizer.variables)}

    # -- what is compiled ---------------------------------------------------------------------------------------

    def _play(self, limit, state, learn):
        """Steps and updates until a limit is reached; between them the target network follows."""
        settings, games, clock = self.settings, self.settings.num_envs, self.clock
        trace = Trace(
            ended=ops.zeros((self.block, games), "bool"),
            score=ops.zeros((self.block, games)),
            length=ops.zeros((self.block, games), "int32"),
            loss=ops.zeros((self.block,)),
            largest_target=ops.zeros((self.block,)),
        )

        def goes_on(row, state, trace):
            in_limits = ops.logical_and(row < self.block, state.steps < limit)
            finite = ops.isfinite(trace.loss[ops.maximum(row - 1, 0)])
            goes_on = ops.logical_and(in_limits, finite)
            return (
                goes_on if settings.episodes is None else ops.logical_and(goes_on, state.episodes < settings.episodes)
            )

        def advance(row, state, trace):
            before, draws = state.time, self.draws(state.key, state.steps)
            state, trace = self._step(row, state, trace, draws)
            if learn:
                state, trace = self._updates(row, state, trace, draws, before)
            return row + 1, state, trace

        def until_sync(row, state, trace):
            until, share = clock.next_sync(state.time), settings.target_tau
            if settings.first_target == "shared":
                shared = clock.of(state.time) < quirks.first_sync(settings)
                until, share = ops.where(shared, clock.of(state.time) + 1, until), ops.where(shared, 1.0, share)
            row, state, trace = ops.while_loop(
                lambda row, state, trace: ops.logical_and(goes_on(row, state, trace), clock.of(state.time) < until),
                advance,
                (row, state, trace),
            )
            copy_weights(self.online, self.target, ops.where(clock.of(state.time) >= until, share, 0.0))
            return row, state, trace

        with_target = learn and self.target is not self.online
        start = (ops.convert_to_tensor(0, "int32"), state, trace)
        return ops.while_loop(goes_on, until_sync if with_target else advance, start)

    def _updates(self, row, state, trace, draws, before):
        """The updates that are due after the step that was written into the trace's `row`."""
        ended = trace.ended[row]  # [G]
        if self.settings.restore_best:
            score = trace.score[row, 0]
            better = quirks.better_episode(score, state.best_score, ended[0])
            copy_weights(self.online, self.best, better)
            state = state._replace(best_score=ops.where(better > 0, score, state.best_score))
        number = self.clock.updates_every_step
        if number is not None and number <= UNROLLED:
            for i in range(number):
                state, loss, largest_target = self._update(state, draws.batch[i])
        else:
            due = number or self.clock.updates_due(before, state.time, ops.sum(ops.cast(ended, "int32")), ops)

            def update(done, priorities, *_):
                after, *found = self._update(state._replace(priorities=priorities), draws.batch[done])
                return done + 1, after.priorities, *found

            start = (0, state.priorities, ops.zeros(()), ops.zeros(()))
            _, priorities, loss, largest_target = ops.while_loop(lambda done, *_: done < due, update, start)
            state = state._replace(priorities=priorities)
        trace = trace._replace(
            loss=ops.slice_update(trace.loss, (row,), loss[None]),
            largest_target=ops.slice_update(trace.largest_target, (row,), largest_target[None]),
        )
        return state, trace

    def _step(self, row, state, trace, draws):
        """One action in each of the G games, written into the trace's next row."""
        settings = self.settings
        q = self.learner.values(self.online, state.observation)  # [G, A]
        epsilon = self.clock.epsilon(state.time, ops)
        action = epsilon_greedy(q, draws.explore, draws.choice, epsilon)  # [G]
        game, reward, terminated = self.game.step(ops, state.game, action, draws.step)
        observation = self.game.observe(ops, game)
        length, score = state.length + 1, state.score + reward
        ended = terminated
        if settings.time_limit is not None:
            ended = ops.logical_or(ended, length >= settings.time_limit)
        no_more = terminated if settings.truncation == "bootstrap" else ended
        discount = settings.discount * (1.0 - ops.cast(no_more, "float32"))
        before, after = self._stored(ops, state.game, state.observation), self._stored(ops, game, observation)
        transitions = memory.Replay(before, action, reward, discount, after)
        replay = memory.extend(state.replay, state.steps, transitions, state.length, settings.n_step)
        replay = memory.add(replay, state.steps, transitions)
        priorities = self.sampler.add(state.priorities, state.steps % settings.replay_capacity, settings.num_envs)
        fresh = self.game.reset(ops, draws.reset)

        trace = trace._replace(
            ended=ops.slice_update(trace.ended, (row, 0), ended[None]),
            score=ops.slice_update(trace.score, (row, 0), score[None]),
            length=ops.slice_update(trace.length, (row, 0), length[None]),
        )
        time = self.clock.after_step(state.time, ops.sum(ops.cast(ended, "int32")), ops)
        state = state._replace(
            **time._asdict(),
            game=memory.where(ended, fresh, game),
            observation=memory.where(ended, self.game.observe(ops, fresh), observation),
            length=ops.where(ended, 0, length),
            score=ops.where(ended, 0.0, score),
            replay=replay,
            priorities=priorities,
        )
        return state, trace

    def _update(self, state, draws):
        """One step of gradient descent on a batch from memory. Returns the state, the loss and the largest |target|."""
        settings = self.settings
        held = ops.minimum(state.steps, settings.replay_capacity)
        drawn = self.sampler.sample(state.priorities, held, draws, state.time)
        batch, slots, weight = memory.sample(state.replay, state.steps, *drawn)
        if settings.replay_states:
            batch = batch._replace(s_tm1=self._seen(batch.s_tm1), s_t=self._seen(batch.s_t))
        if self.learner.reduction == "mean":  # over the rows that count
            weight = weight / ops.cast(ops.minimum(state.steps, settings.batch_size), "float32")
        targets = self.learner.targets(batch)
        errors = None

        def loss():
            nonlocal errors
            rows, errors = self.learner.loss(batch, targets)
            return ops.sum(rows * weight)

        value, gradients = value_and_gradients(loss, self.online.trainable_variables)
        self.optimizer.apply(gradients, self.online.trainable_variables)
        state = state._replace(priorities=self.sampler.learned(state.priorities, slots, errors))
        return state, value, ops.max(ops.abs(targets))

    def _importance(self, time):
        """How much of the bias of prioritized draws the weights make up for: all of it where training ends."""
        settings, first = self.settings, self.settings.importance
        if settings.steps is None:
            return linear(ops, first, 1.0, settings.episodes, time.episodes)
        return linear(ops, first, 1.0, settings.steps, time.steps)

    def _stored(self, xp, game, observation):
        """What replay memory holds of a step."""
        if not self.settings.replay_states:
            return observation
        return self.game.pack(xp, game) if hasattr(self.game, "pack") else game

    def _seen(self, stored):
        """The observations of states from replay memory."""
        return self.game.observe(ops, self.game.unpack(ops, stored) if hasattr(self.game, "unpack") else stored)

    # -- before anything is allocated ---------------------------------------------------------------------------

    def _refuse_what_cannot_fit(self):
        capacity = self.settings.replay_capacity
        state = self.game.reset(np, np.zeros((1, self.game.reset_draws), np.float32))
        stored = self._stored(np, state, np.zeros((1, *self.game.observation_shape), np.float32))
        needed = 2 * memory.size_in_bytes(capacity, stored)  # the call's input and output
        present = memory_bytes()
        if needed > present:
            raise UserError(
                f"--replay-capacity {capacity}: needs {needed / 2**30:.1f} GiB, this machine has "
                f"{present / 2**30:.1f} GiB; give at most {int(capacity * present / needed)}"
            )


def _named_leaves(name, value):
    """The arrays inside nested named tuples, each with its path."""
    if not hasattr(value, "_fields"):
        return [(name, value)]
    return [leaf for field in value._fields for leaf in _named_leaves(f"{name}/{field}", getattr(value, field))]


def _with_leaves(name, like, arrays):
    """Nested named tuples shaped `like` the given ones, their arrays taken from `arrays` by path."""
    if not hasattr(like, "_fields"):
        return ops.convert_to_tensor(arrays[name])
    return type(like)(*(_with_leaves(f"{name}/{field}", getattr(like, field), arrays) for field in like._fields))
