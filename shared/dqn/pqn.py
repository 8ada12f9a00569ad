"""PQN (Gallici et al. 2024): Q-learning on rollouts of many environments, with no replay memory and no target network.

All games are played for some steps; each step's target is its Q(lambda) return (`shared/dqn/lambda_returns.py`); a few
epochs of minibatches move the values there; what was played is forgotten. Layer normalisation in the network stands in
for what a target network and a replay memory do against values that run away.

A rollout is played by the weights that the one before has led to, as published. To play the next one while this one is
learned from would give a second processor work, but what is learned would then come from an older policy.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium
import keras
import numpy as np
from keras import ops

from shared.arrays import Array
from shared.dqn.lambda_returns import lambda_returns
from shared.dqn.pqn_settings import PQNSettings
from shared.dqn.schedules import linear
from shared.late import load
from shared.names import OPTIMIZERS
from shared.nn.backend import compiled, graph, program, value_and_gradients
from shared.nn.convolutions import better_in_a_plain_graph, with_matmul_convolutions
from shared.nn.copies import copy_average, copy_of, copy_weights, refuse_unlike
from shared.nn.optimizers import built
from shared.options import refuse_all_but_another_seed
from shared.rollouts.side_by_side import SideBySide
from shared.rollouts.trace import Goal, Trace

ORDER = 1  # the stream of random numbers that minibatches are drawn from; that of the actions has no such suffix


class TrainState(NamedTuple):
    """How far training has come."""

    steps: int  # environment steps, over all games
    episodes: int  # that ended
    rollouts: int


class Rollout(NamedTuple):
    """What was played and is to be learned from: T steps of N games."""

    seen: np.ndarray  # [T, N, ...], as the environment has it
    action: np.ndarray  # int32 [T, N]
    target: np.ndarray  # float32 [T, N]


class PQN:
    """Trains a Keras Q-network on Gymnasium environments (`shared.runs.trainer.Trainer`).

    Args:
        make_env: () -> a Gymnasium environment with a Box to observe, float or uint8, and discrete actions from 0 on.
        model: a Keras model from float32 [B, *observation_shape] to action values [B, A].
        settings: how to play and learn.
    """

    def __init__(self, make_env: Callable[[], gymnasium.Env], model: keras.Model, settings: PQNSettings) -> None:
        self.model, self.settings = model, settings
        self.games = SideBySide(make_env, settings.num_envs, settings.seed, settings.time_limit, settings.clip_rewards)
        plain = better_in_a_plain_graph(model)
        self.online = copy_of(model if plain else with_matmul_convolutions(model))
        self.optimizer = load(OPTIMIZERS, settings.optimizer)(float(settings.learning_rate))
        self.optimizer.global_clipnorm = settings.clip_gradient or None
        self.optimizer.use_ema, self.optimizer.ema_momentum = settings.weight_average > 0, settings.weight_average
        self._first_steps = built(self.optimizer, self.online.trainable_variables)
        shape = (settings.num_envs, *self.games.space.shape)
        self._values = program(lambda seen: self.online(seen), shape, xla=not plain)
        self._learn = graph(self._updates) if plain else compiled(self._updates)

    # -- what a caller sees -------------------------------------------------------------------------------------

    @property
    def goal(self) -> Goal:
        """What ends the training."""
        return Goal(self.settings.steps, by_steps=True)

    def start(self) -> TrainState:
        """Begin an episode in every environment; returns the state before the first step."""
        self.games.start()
        return TrainState(0, 0, 0)

    def again(self, settings: PQNSettings, model: keras.Model) -> None:
        """Become what a new trainer for these settings and this model would be (`shared.runs.trainer.Trainer`)."""
        refuse_all_but_another_seed(self.settings, settings)
        refuse_unlike(self.model, model)
        self.settings, self.games.seed = settings, settings.seed
        for network in (self.model, self.online):
            copy_weights(model, network)
        self.optimizer.load_own_variables(self._first_steps)

    def run(self, state: TrainState) -> tuple[TrainState, Trace]:
        """Play a rollout and learn from it; returns the next state and the `Trace` of the rollout."""
        rollout, rows = self._play(state)
        loss, largest = self._learn_from(rollout, state)
        ended, score, length = (np.array(column) for column in zip(*rows, strict=True))
        constant = np.ones(len(rows), np.float32)
        trace = Trace(ended, score, length, loss * constant, largest * constant)
        steps = state.steps + ended.size
        return TrainState(steps, state.episodes + int(ended.sum()), state.rollouts + 1), trace

    def finished(self, state: TrainState) -> bool:
        """Whether all steps asked for have been played."""
        return state.steps >= self.settings.steps

    def figures(self, state: TrainState, trace: Trace) -> dict[str, float]:
        """What to report of training beside score and loss: a dict of numbers by name."""
        return {"epsilon": self._epsilon(state.steps)}

    def export(self) -> keras.Model:
        """Copy the trained weights into the model that was given, and return it."""
        copy_weights(self.online, self.model)
        copy_average(self.optimizer, self.model)
        return self.model

    def snapshot(self, state: TrainState) -> dict[str, np.ndarray]:
        """The whole of training between two rollouts as a dict of NumPy arrays by name.

        Where the environments cannot be saved, their episodes under way are not in it: they begin anew.
        """
        arrays = {name: ops.convert_to_numpy(variable) for name, variable in self._variables().items()}
        arrays |= {f"state/{name}": np.array(value) for name, value in state._asdict().items()}
        return arrays | self.games.snapshot()

    def restore(self, arrays: dict[str, np.ndarray]) -> TrainState:
        """Go back to where `snapshot` was taken; returns the state."""
        for name, variable in self._variables().items():
            variable.assign(arrays[name])
        self.start()
        self.games.restore(arrays)
        return TrainState(*(int(arrays[f"state/{name}"]) for name in TrainState._fields))

    def close(self) -> None:
        """Close the environments."""
        self.games.close()

    # -- playing ------------------------------------------------------------------------------------------------

    def _play(self, state):
        """A `Rollout`, and for each of its steps which episodes ended, their scores and lengths so far."""
        settings, games = self.settings, self.games
        count, num_actions = settings.num_envs, games.num_actions
        rng = np.random.default_rng([settings.seed, state.rollouts])
        draws = rng.random((settings.rollout, 2, count))
        seen = np.empty((settings.rollout, count, *games.space.shape), games.space.dtype)
        action = np.empty((settings.rollout, count), np.int32)
        reward, discount, value = (np.empty(action.shape, np.float32) for _ in range(3))
        cut, rows = np.empty(action.shape, bool), []
        q = self._values(np.asarray(games.seen, np.float32))  # [N, A], of what is seen now, by the weights of now
        for t in range(settings.rollout):
            explore, choice = draws[t]
            seen[t] = games.seen
            at_random = explore < self._epsilon(state.steps + t * count)
            action[t] = np.where(at_random, choice * num_actions, np.argmax(q, axis=1))
            steps = games.step(action[t])
            rows.append((steps.ended, steps.score, steps.length))
            q = self._values(np.asarray(games.seen, np.float32))
            reward[t], discount[t], cut[t] = steps.reward, settings.discount * ~steps.over, steps.truncated
            value[t] = self._worth(q, steps)
        return Rollout(seen, action, lambda_returns(reward, discount, value, cut, settings.return_lambda)), rows

    def _worth(self, q, steps):
        """The value of what a step led to, [N]: where an episode was cut, of its last observation."""
        value = np.max(q, axis=1)
        cut = [i for i in steps.final if steps.truncated[i] and not steps.over[i]]
        if cut:
            last = np.array(self.games.seen, np.float32)
            last[cut] = [steps.final[i] for i in cut]
            value[cut] = np.max(self._values(last)[cut], axis=1)
        return value

    def _epsilon(self, steps):
        settings = self.settings
        return float(linear(np, settings.epsilon, settings.epsilon_end, settings.epsilon_decay, steps))

    # -- learning -----------------------------------------------------------------------------------------------

    def _learn_from(self, rollout: Rollout, state: TrainState) -> tuple[float, float]:
        """All updates that a rollout is good for. Returns the mean loss and the largest |target|."""
        settings = self.settings
        self.optimizer.learning_rate = settings.learning_rate_at(state.steps)
        rng = np.random.default_rng([settings.seed, state.rollouts, ORDER])
        played, size = rollout.action.size, settings.batch_size
        epochs = [rng.permutation(played)[: played // size * size] for _ in range(settings.epochs)]
        rows = (array.reshape(played, *array.shape[2:]) for array in rollout)
        order = np.concatenate(epochs).reshape(-1, size).astype(np.int32)
        loss = self._learn(*map(ops.convert_to_tensor, (*rows, order)))
        return float(loss), float(np.abs(rollout.target).max())

    def _updates(self, seen: Array, action: Array, target: Array, order: Array) -> Array:
        """The compiled part: an update for each row of `order`, int32 [U, B]. Returns the mean loss.

        It is NaN where the weights are no longer finite: the loss is measured before its update.
        """

        def update(i, total):
            rows = ops.take(order, i, axis=0)
            batch, taken, wanted = (ops.take(column, rows, axis=0) for column in (seen, action, target))
            observation = ops.cast(batch, "float32")

            def loss() -> Any:
                q = ops.take_along_axis(self.online(observation), taken[:, None], axis=-1)[:, 0]  # [B]
                return 0.5 * ops.mean(ops.square(q - wanted))

            value, gradients = value_and_gradients(loss, self.online.trainable_variables)
            self.optimizer.apply(gradients, self.online.trainable_variables)
            return total + value

        total = ops.fori_loop(0, order.shape[0], update, ops.zeros(()))
        finite = ops.isfinite(sum(ops.sum(variable) for variable in self.online.trainable_variables))
        return ops.where(finite, total / order.shape[0], float("nan"))

    def _variables(self):
        named = {f"online/{i}": v for i, v in enumerate(self.online.variables)}
        return named | {f"optimizer/{i}": v for i, v in enumerate(self.optimizer.variables)}
