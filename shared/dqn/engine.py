"""The compiled loop: game, epsilon-greedy policy, replay memory, targets and optimizer as one program.

It does what the readable loop does (`shared/dqn/loop.py` with an agent such as `catch_dqn/agent.py`), step for step and
fed the same draws with the same result, at the speed of the network's matrix products.

What changes at every step is carried through the loop as tensors; the weights and the optimizer's state are Keras
variables. (A replay memory in variables made the same loop 1.6 times slower.)
"""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops, tree

from shared.dqn import replay as memory
from shared.dqn.formulas import epsilon_greedy, replace_taken, td_target
from shared.errors import UserError
from shared.machine import memory_bytes
from shared.nn.backend import compiled, uniform, value_and_gradients
from shared.nn.convolutions import with_matmul_convolutions

BLOCK_STEPS = 4000


class TrainState(NamedTuple):
    """Where training stands, but for the variables of the networks and the optimizer. G games, C transitions."""

    key: Any  # int32, the run's seed
    steps: Any  # int32, environment steps taken, over all games
    episodes: Any  # int32, episodes ended, counted as `Settings.episodes` is
    game: Any  # the game's own State, [G, ...]
    observation: Any  # float32 [G, ...]
    length: Any  # int32 [G], steps of the running episode
    score: Any  # float32 [G], return of the running episode so far
    best_score: Any  # float32, highest return of an episode, where the best weights are kept
    replay: memory.Replay  # [C, ...]
    surprise: memory.Surprise  # [C], or [0] where all transitions are alike


class Trace(NamedTuple):
    """What happened in one call of `Engine.run`, a row for each step of the G games side by side."""

    ended: Any  # bool [n, G], an episode ended at this step
    score: Any  # float32 [n, G], its return; meaningless where none ended
    length: Any  # int32 [n, G], its length in steps
    loss: Any  # float32 [n], of the last update by then; 0 where none was made
    largest_target: Any  # float32 [n], max |y| in the batch of that update


class Draws(NamedTuple):
    """The uniform numbers of one step of G games, in the order in which they are consumed."""

    explore: Any  # [G]
    choice: Any  # [G]
    step: Any  # [G, step_draws]
    reset: Any  # [G, reset_draws]
    batch: Any  # [updates, D, B], D numbers for each row of a batch


class Engine:
    """Trains a Keras Q-network on a game written as pure functions.

    Args:
        game: the rules (`shared.games.contract.Game`).
        model: a Keras model from float32 [B, *observation_shape] to action values [B, A]. The engine trains a clone
            of its own where it holds convolutions, or where the best weights are kept; `export` brings the weights
            back into `model`.
        optimizer: any Keras optimizer; it is built here.
        loss: any Keras loss over the vector of action values [B, A].
        settings: a `shared.dqn.settings.Settings`; of these the engine reads how to play, remember and learn.
        block: rows of a `Trace`: how many steps of the G games one call of `run` makes at most. Default: as many as
            make `BLOCK_STEPS` environment steps. A call costs some milliseconds, mostly for the memory's copy.

    Raises:
        UserError: if replay memory would not fit into the machine's memory.
    """

    def __init__(self, game, model, optimizer, loss, settings, block=None):
        self.game, self.model, self.optimizer, self.loss, self.settings = game, model, optimizer, loss, settings
        self._refuse_what_cannot_fit()
        self.online = with_matmul_convolutions(model)
        if settings.restore_best and self.online is model:
            self.online = _copy(model)  # `export` must not undo what was learned since the best episode
        if settings.target_sync:
            self.target = _copy(self.online)
        else:
            self.target = self.online
        self.best = _copy(self.online) if settings.restore_best else None
        optimizer.build(self.online.trainable_variables)
        # One round is the fewest steps after which the number of updates made is a whole number, or one episode.
        by_steps = settings.train_by == "steps"
        self.steps_per_round = max(1, settings.train_every // settings.games) if by_steps else 1  # of the G games
        self.updates_per_round = max(1, settings.games // settings.train_every)
        block = block or max(1, BLOCK_STEPS // settings.games)
        self.block = -(-block // self.steps_per_round) * self.steps_per_round
        self._collect = compiled(lambda limit, state: self._play(limit, state, learn=False, trusted=None))
        self._learn = compiled(lambda limit, state: self._play(limit, state, learn=True, trusted=self.target))
        self._learn_shared = compiled(lambda limit, state: self._play(limit, state, learn=True, trusted=self.online))

    # -- what a caller sees -------------------------------------------------------------------------------------

    def start(self):
        """The state before the first step."""
        games, key = self.settings.games, self.settings.seed
        game = self.game.reset(ops, self.first_draws(key))
        observation = self.game.observe(ops, game)
        replay = memory.empty(self.settings.replay_capacity, self._stored(game, observation))
        return TrainState(
            key=ops.convert_to_tensor(key, "int32"),
            steps=ops.convert_to_tensor(0, "int32"),
            episodes=ops.convert_to_tensor(0, "int32"),
            game=game,
            observation=observation,
            length=ops.zeros((games,), "int32"),
            score=ops.zeros((games,)),
            best_score=ops.convert_to_tensor(-np.inf, "float32"),
            replay=tree.map_structure(ops.convert_to_tensor, replay),
            surprise=memory.Surprise(*(ops.zeros((self.settings.replay_capacity * self.settings.prioritized,)),) * 2),
        )

    def run(self, state, max_steps=None):
        """Train on from `state` until a block is full, the settings' end is reached or the loss is not finite.

        Args:
            state: a `TrainState`.
            max_steps: also stop once so many environment steps were taken in all.

        Returns the next state and the `Trace` of the steps taken, as NumPy arrays.
        """
        settings = self.settings
        limit = min(limit for limit in (max_steps, settings.steps, np.iinfo(np.int32).max) if limit is not None)
        steps, play = int(state.steps), self._learn
        if steps < settings.steps_before_learning:
            play, limit = self._collect, min(limit, settings.learning_starts)
        elif settings.first_target == "shared" and settings.target_sync:
            first_sync = (settings.learning_starts // settings.target_sync + 1) * settings.target_sync
            if steps < first_sync:
                play, limit = self._learn_shared, min(limit, first_sync)
        rows, state, trace = play(ops.convert_to_tensor(limit, "int32"), state)
        rows = int(rows)
        return state, Trace(*(ops.convert_to_numpy(column)[:rows] for column in trace))

    def finished(self, state):
        """Whether all episodes or steps asked for have been played."""
        return self.settings.is_over(int(state.episodes), int(state.steps))

    def first_draws(self, key):
        """The numbers that start the first games: float32 [G, reset_draws]."""
        shape = (self.settings.games, self.game.reset_draws)
        return ops.reshape(uniform(key, 0, shape[0] * shape[1]), shape)

    def draws(self, key, steps):
        """The numbers that chance has ready for the step that follows `steps` environment steps: a `Draws`."""
        games, game, batch = self.settings.games, self.game, self.settings.batch_size
        shapes = [(games,), (games,), (games, game.step_draws), (games, game.reset_draws)]
        shapes.append((self.updates_per_round, memory.draws_per_row(self.settings.prioritized), batch))
        sizes = [int(np.prod(shape)) for shape in shapes]
        numbers = uniform(key, steps + 1, sum(sizes))  # counter 0 has started the first games
        parts, start = [], 0
        for shape, size in zip(shapes, sizes, strict=True):
            parts.append(ops.reshape(numbers[start : start + size], shape))
            start += size
        return Draws(*parts)

    def export(self):
        """Copy the trained weights into the model that was given, and return it."""
        trained = self.best or self.online
        if trained is not self.model:
            self.model.set_weights(trained.get_weights())
        return self.model

    def snapshot(self, state):
        """The whole of training as one value: a dict of NumPy arrays by name."""
        variables = {name: ops.convert_to_numpy(variable) for name, variable in self._variables().items()}
        return variables | {name: ops.convert_to_numpy(array) for name, array in _named_leaves("state", state)}

    def restore(self, arrays):
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

    def _play(self, limit, state, learn, trusted):
        """Rounds of steps and updates until a limit is reached; between them the target network follows."""
        settings, games = self.settings, self.settings.games
        by_steps = settings.train_by == "steps"
        trace = Trace(
            ended=ops.zeros((self.block, games), "bool"),
            score=ops.zeros((self.block, games)),
            length=ops.zeros((self.block, games), "int32"),
            loss=ops.zeros((self.block,)),
            largest_target=ops.zeros((self.block,)),
        )

        def goes_on(row, state, trace):
            in_limits = ops.logical_and(row + self.steps_per_round <= self.block, state.steps < limit)
            finite = ops.isfinite(trace.loss[ops.maximum(row - 1, 0)])
            return ops.logical_and(ops.logical_and(in_limits, finite), state.episodes < settings.episodes)

        def clock(state):
            return state.steps if by_steps else state.episodes

        def round_of(row, state, trace):
            if by_steps:
                return self._round(row, state, trace, learn, trusted)
            return self._episode(row, state, trace, trusted, goes_on)

        def until_sync(row, state, trace):
            next_sync = (clock(state) // settings.target_sync + 1) * settings.target_sync
            row, state, trace = ops.while_loop(
                lambda row, state, trace: ops.logical_and(goes_on(row, state, trace), clock(state) < next_sync),
                round_of,
                (row, state, trace),
            )
            _move(self.target, self.online, ops.where(clock(state) >= next_sync, settings.target_tau, 0.0))
            return row, state, trace

        with_target = learn and self.target is not self.online
        start = (ops.convert_to_tensor(0, "int32"), state, trace)
        return ops.while_loop(goes_on, until_sync if with_target else round_of, start)

    def _round(self, row, state, trace, learn, trusted):
        """A few steps of the games, then the updates that are due."""
        for _ in range(self.steps_per_round):
            draws = self.draws(state.key, state.steps)
            row, state, trace = self._step(row, state, trace, draws, learn)
        if learn:
            for update in range(self.updates_per_round):
                loss, largest_target = self._update(state, draws.batch[update], trusted)
            trace = trace._replace(
                loss=ops.slice_update(trace.loss, (row - 1,), loss[None]),
                largest_target=ops.slice_update(trace.largest_target, (row - 1,), largest_target[None]),
            )
        return row, state, trace

    def _episode(self, row, state, trace, trusted, goes_on):
        """Steps of the one game until its episode ends (or the call does), then the update that is due."""
        settings = self.settings

        def step(row, state, trace):
            return self._step(row, state, trace, self.draws(state.key, state.steps), learn=True)

        episodes = state.episodes
        row, state, trace = ops.while_loop(
            lambda row, state, trace: ops.logical_and(goes_on(row, state, trace), state.episodes == episodes),
            step,
            (row, state, trace),
        )
        ended = state.episodes > episodes
        if settings.restore_best:
            score = trace.score[row - 1, 0]
            better = ops.logical_and(ended, score >= state.best_score)
            _move(self.best, self.online, ops.cast(better, "float32"))
            state = state._replace(best_score=ops.where(better, score, state.best_score))

        due = ops.logical_and(ended, state.episodes > settings.learning_starts)
        due = ops.logical_and(due, (state.episodes - settings.learning_starts) % settings.train_every == 0)

        def learn(updates, loss, largest_target):
            last_step = self.draws(state.key, state.steps - 1)
            return updates + 1, *self._update(state, last_step.batch[0], trusted)

        _, loss, largest_target = ops.while_loop(
            lambda updates, *_: updates < ops.cast(due, "int32"), learn, (0, ops.zeros(()), ops.zeros(()))
        )
        trace = trace._replace(
            loss=ops.slice_update(trace.loss, (row - 1,), loss[None]),
            largest_target=ops.slice_update(trace.largest_target, (row - 1,), largest_target[None]),
        )
        return row, state, trace

    def _step(self, row, state, trace, draws, learn):
        """One action in each of the G games, written into the trace's next row."""
        settings = self.settings
        q = self.online(state.observation)  # [G, A]
        epsilon = settings.epsilon_at(state.steps, state.episodes, ops)
        action = epsilon_greedy(q, draws.explore, draws.choice, epsilon)  # [G]
        game, reward, terminated = self.game.step(ops, state.game, action, draws.step)
        observation = self.game.observe(ops, game)
        length, score = state.length + 1, state.score + reward
        ended = terminated
        if settings.time_limit is not None:
            ended = ops.logical_or(ended, length >= settings.time_limit)
        no_more = terminated if settings.truncation == "bootstrap" else ended
        discount = settings.discount * (1.0 - ops.cast(no_more, "float32"))
        before, after = self._stored(state.game, state.observation), self._stored(game, observation)
        transitions = memory.Replay(before, action, reward, discount, after)
        replay = memory.extend(state.replay, state.steps, transitions, state.length, settings.n_step)
        replay = memory.add(replay, state.steps, transitions)
        surprise = state.surprise
        if settings.prioritized:
            best, taken = ops.max(q, axis=-1), ops.take_along_axis(q, action[:, None], axis=-1)[:, 0]
            surprise = memory.note_errors(surprise, state.replay, state.steps, best, state.length, settings.n_step)
            surprise = memory.note_values(surprise, state.steps, taken)
        fresh = self.game.reset(ops, draws.reset)

        trace = trace._replace(
            ended=ops.slice_update(trace.ended, (row, 0), ended[None]),
            score=ops.slice_update(trace.score, (row, 0), score[None]),
            length=ops.slice_update(trace.length, (row, 0), length[None]),
        )
        state = state._replace(
            steps=state.steps + settings.games,
            episodes=state.episodes + (ops.sum(ops.cast(ended, "int32")) if learn else 0),
            game=memory.where(ended, fresh, game),
            observation=memory.where(ended, self.game.observe(ops, fresh), observation),
            length=ops.where(ended, 0, length),
            score=ops.where(ended, 0.0, score),
            replay=replay,
            surprise=surprise,
        )
        return row + 1, state, trace

    def _update(self, state, draws, trusted):
        """One step of gradient descent on a batch from memory. Returns the loss and the largest |target|.

        `trusted` is the network that values the next observation.
        """
        surprise = state.surprise if self.settings.prioritized else None
        batch, weight = memory.sample(state.replay, state.steps, draws, surprise)
        if self.settings.replay_states:
            batch = batch._replace(s_tm1=self.game.observe(ops, batch.s_tm1), s_t=self.game.observe(ops, batch.s_t))
        a_t = None
        if self.settings.double:
            published = self.settings.double_rule == "published"
            a_t = ops.argmax(self.online(batch.s_t), axis=-1) if published else batch.a_tm1  # [B]
        target = td_target(batch.r_t, batch.discount_t, trusted(batch.s_t), a_t)  # [B]
        if self.loss.reduction != "sum":  # a mean over the batch: over the rows that count
            size = self.settings.batch_size
            weight = weight * (size / ops.cast(ops.minimum(state.steps, size), "float32"))

        def loss():
            q_tm1 = self.online(batch.s_tm1)
            y_true = ops.stop_gradient(replace_taken(q_tm1, batch.a_tm1, target))
            return self.loss(y_true, q_tm1, sample_weight=weight)

        value, gradients = value_and_gradients(loss, self.online.trainable_variables)
        self.optimizer.apply(gradients, self.online.trainable_variables)
        return value, ops.max(ops.abs(target))

    def _stored(self, game, observation):
        """What replay memory holds of a step."""
        return game if self.settings.replay_states else observation

    # -- before anything is allocated ---------------------------------------------------------------------------

    def _refuse_what_cannot_fit(self):
        capacity = self.settings.replay_capacity
        state = self.game.reset(np, np.zeros((1, self.game.reset_draws), np.float32))
        stored = self._stored(state, np.zeros((1, *self.game.observation_shape), np.float32))
        needed = 2 * memory.size_in_bytes(capacity, stored)  # the call's input and output
        present = memory_bytes()
        if needed > present:
            raise UserError(
                f"--replay-capacity {capacity}: needs {needed / 2**30:.1f} GiB, this machine has "
                f"{present / 2**30:.1f} GiB; give at most {int(capacity * present / needed)}"
            )


def _copy(model):
    """A network of the same architecture and weights."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def _move(network, towards, share):
    """Move the weights of one network a share of the way to those of another; at 1 they are equal to the bit."""
    for ours, theirs in zip(network.variables, towards.variables, strict=True):
        # Not `ours + share * (theirs - ours)`: that would not give `theirs` to the bit at a share of 1.
        ours.assign((1.0 - share) * ours + share * theirs)


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
