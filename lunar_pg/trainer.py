"""Training by policy gradients: play a batch of episodes, weigh each action by what came of it, update, repeat."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import gymnasium
import keras
import numpy as np
from keras import ops

from lunar_pg.actor_critic import clip_by_global_norm, clipped_surrogate_loss, entropy, generalized_advantages
from lunar_pg.numpy_policy import NumpyPolicy
from lunar_pg.policies import action_logits
from lunar_pg.presets import PolicySettings
from lunar_pg.reinforce import discount_rewards, log_probabilities, mean_of, normalize, policy_gradient_loss
from shared.nn.backend import compiled, value_and_gradients
from shared.nn.copies import copy_weights, refuse_unlike
from shared.nn.optimizers import built
from shared.options import refuse_all_but_another_seed
from shared.rollouts.collector import Collector, Trajectory
from shared.rollouts.trace import Goal, Trace

SHUFFLE = 1  # the stream of random numbers that minibatches are drawn from; that of the episodes has no such suffix


class TrainState(NamedTuple):
    """What training has come to, apart from the weights."""

    iteration: int
    episodes: int  # played
    steps: int  # environment steps taken


class Batch(NamedTuple):
    """The steps of all episodes laid end to end, padded to B rows."""

    observation: np.ndarray  # float32 [B, D]
    action: np.ndarray  # int32 [B]
    weight: np.ndarray  # float32 [B], how good the action was
    target: np.ndarray  # float32 [B], what the baseline should have said
    counts: np.ndarray  # float32 [B], 1 for a step, 0 for padding


class Trainer:
    """Trains a policy, and a baseline if there is one.

    Args:
        make_env: () -> a Gymnasium environment whose episodes end within its time limit.
        policy: of `lunar_pg.policies.policy_network`.
        value: of `lunar_pg.policies.value_network`, or None for no baseline.
        optimizer: (learning rate) -> a Keras optimizer.
        settings: how to play and learn.
    """

    def __init__(
        self,
        make_env: Callable[[], gymnasium.Env],
        policy: keras.Sequential,
        value: keras.Sequential | None,
        optimizer: Callable[[float], keras.optimizers.Optimizer],
        settings: PolicySettings,
    ) -> None:
        self.policy, self.settings = policy, settings
        self.value: Any = value
        self.collector = Collector(make_env, settings.num_envs)
        limit = self.collector.envs[0].spec.max_episode_steps
        self.capacity = settings.num_envs * limit  # one size for all iterations: one compilation
        self.minibatch = min(settings.minibatch or self.capacity, self.capacity)
        self.optimizer = optimizer(float(settings.learning_rate))
        self._first_steps = built(self.optimizer, policy.trainable_variables)
        self.value_optimizer: Any = None
        if value is not None:
            self.value_optimizer = optimizer(float(settings.value_learning_rate))
            self._first_value_steps = built(self.value_optimizer, value.trainable_variables)
        self.last: dict[str, float] = {}  # figures of the last iteration
        self._learn = compiled(self._updates)
        self._values = compiled(self._expected)

    # -- what a caller sees -------------------------------------------------------------------------------------

    @property
    def goal(self) -> Goal:
        """What ends the training: all its episodes."""
        return Goal(self.settings.iterations * self.settings.num_envs, by_steps=False)

    def start(self) -> TrainState:
        """The state before the first iteration."""
        return TrainState(iteration=0, episodes=0, steps=0)

    def again(self, settings: PolicySettings, model: keras.Sequential, value: keras.Sequential | None = None) -> None:
        """Become what a new trainer for these settings and networks would be (`shared.runs.trainer.Trainer.again`)."""
        refuse_all_but_another_seed(self.settings, settings)
        refuse_unlike(self.policy, model)
        self.settings, self.last = settings, {}
        copy_weights(model, self.policy)
        self.optimizer.load_own_variables(self._first_steps)
        if self.value is not None:
            copy_weights(value, self.value)
            self.value_optimizer.load_own_variables(self._first_value_steps)

    def finished(self, state: TrainState) -> bool:
        """Whether all iterations are done."""
        return state.iteration >= self.settings.iterations

    def run(self, state: TrainState) -> tuple[TrainState, Trace]:
        """One iteration: fresh episodes from the policy as it is, then the updates they are good for.

        Its chance comes from the run's seed and the iteration's number alone. Returns the next `TrainState` and the
        iteration's `Trace`.
        """
        key = [self.settings.seed, state.iteration]
        episodes = self.collector.collect(NumpyPolicy(self.policy).sample, key)
        batch = self.batch(episodes)
        loss, value_loss, undecided = self.learn(batch, state.iteration)
        self.last = {"entropy": undecided} | ({"value_loss": value_loss} if self.value is not None else {})
        length = np.array([[len(episode.actions)] for episode in episodes])
        score = np.array([[episode.rewards.sum()] for episode in episodes])
        trace = Trace(np.ones(score.shape, bool), score, length, np.array([loss]))
        state = TrainState(state.iteration + 1, state.episodes + len(episodes), state.steps + int(length.sum()))
        return state, trace

    def export(self) -> keras.Sequential:
        """The policy being trained."""
        return self.policy

    def figures(self, state: TrainState, trace: Trace) -> dict[str, float]:
        """What to report of training beside score and loss: a dict of numbers by name."""
        return self.last

    def snapshot(self, state: TrainState) -> dict[str, np.ndarray]:
        """The whole of training between two iterations: a dict of NumPy arrays by name."""
        arrays = {name: ops.convert_to_numpy(variable) for name, variable in self._variables().items()}
        return arrays | {f"state/{name}": np.array(value) for name, value in state._asdict().items()}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> TrainState:
        """Go back to where `snapshot` was taken; returns the `TrainState`."""
        for name, variable in self._variables().items():
            variable.assign(arrays[name])
        return TrainState(*(int(arrays[f"state/{name}"]) for name in TrainState._fields))

    def _variables(self):
        parts = {"policy": self.policy, "value": self.value}
        parts |= {"optimizer": self.optimizer, "value_optimizer": self.value_optimizer}
        return {f"{name}/{i}": v for name, part in parts.items() if part for i, v in enumerate(part.variables)}

    # -- from episodes to a batch -------------------------------------------------------------------------------

    def batch(self, episodes: Sequence[Trajectory]) -> Batch:
        """The `Batch` of some episodes."""
        if self.value is None:
            weights = targets = [discount_rewards(episode.rewards, self.settings.discount) for episode in episodes]
        else:
            weights, targets = self._advantages(episodes)
        if self.settings.normalize:
            weights = normalize(weights)
        columns = (
            [episode.observations[:-1] for episode in episodes],
            [episode.actions for episode in episodes],
            weights,
            targets,
            [np.ones(len(episode.actions)) for episode in episodes],
        )
        return Batch(*(self._padded(column) for column in columns))

    def _advantages(self, episodes):
        """Each step's advantage, and what the baseline should say there: two lists of float64 [T]."""
        observations = np.concatenate([episode.observations for episode in episodes])
        padded = np.zeros((self.capacity + self.settings.num_envs, observations.shape[1]), np.float32)
        padded[: len(observations)] = observations
        every_value = np.array(self._values(ops.convert_to_tensor(padded)))[: len(observations)]
        ends = np.cumsum([len(episode.observations) for episode in episodes])
        advantages, targets = [], []
        for episode, values in zip(episodes, np.split(every_value, ends[:-1]), strict=True):  # values: [T + 1]
            if episode.terminated:
                values[-1] = 0.0
            advantage = generalized_advantages(
                episode.rewards, values, self.settings.discount, self.settings.gae_lambda
            )
            advantages.append(advantage)
            targets.append(advantage + values[:-1])
        return advantages, targets

    def _expected(self, observation):
        """What the baseline says of observations, float32 [B]."""
        return self.value(observation)[:, 0]

    def _padded(self, column):
        rows = np.concatenate(column)
        padded = np.zeros((self.capacity, *rows.shape[1:]), np.int32 if rows.dtype == np.int32 else np.float32)
        padded[: len(rows)] = rows
        return padded

    # -- learning -----------------------------------------------------------------------------------------------

    def learn(self, batch: Batch, iteration: int) -> tuple[float, float, float]:
        """Make the updates that `batch` is good for. Returns the mean policy loss, value loss and entropy."""
        settings = self.settings
        updates, order = self._order(int(batch.counts.sum()), iteration)
        share = settings.learning_rate_share(iteration)
        self.optimizer.learning_rate = settings.learning_rate * share
        if self.value is not None:
            self.value_optimizer.learning_rate = settings.value_learning_rate * share
        means = self._learn(Batch(*map(ops.convert_to_tensor, batch)), *map(ops.convert_to_tensor, (updates, order)))
        loss, value_loss, undecided = ops.convert_to_numpy(means).tolist()
        return loss, value_loss, undecided

    def _order(self, steps, iteration):
        """How many updates to make, and the rows that each takes: int32 [most updates, minibatch].

        Every epoch goes through the steps in a new order and leaves out what does not fill a minibatch. Where there
        are too few steps for even one, row -1 fills it: padding, which does not count.
        """
        settings = self.settings
        if not settings.minibatch:
            return np.int32(settings.epochs), np.zeros((0, 0), np.int32)
        rng = np.random.default_rng([settings.seed, iteration, SHUFFLE])
        order = np.full((settings.epochs * (self.capacity // self.minibatch), self.minibatch), -1, np.int32)
        per_epoch = max(1, steps // self.minibatch)
        for epoch in range(settings.epochs):
            rows = rng.permutation(steps)[: per_epoch * self.minibatch]
            order[epoch * per_epoch :].reshape(-1)[: len(rows)] = rows
        return np.int32(settings.epochs * per_epoch), order

    def _updates(self, batch, updates, order):
        """The compiled part of `learn`; returns float32 [3], NaN where the weights are no longer finite."""
        then = log_probabilities(action_logits(self.policy, batch.observation), batch.action)  # [B]

        def update(i, sums):
            part, part_then = batch, then
            if self.settings.minibatch:
                rows = order[i] % self.capacity
                part = Batch(*(ops.take(column, rows, axis=0) for column in batch))
                part_then = ops.take(then, rows)
            policy_loss, undecided = self._improve_policy(part, part_then)
            value_loss = self._improve_value(part) if self.value is not None else 0.0
            return sums + ops.stack([policy_loss, value_loss, undecided])

        sums = ops.fori_loop(0, updates, update, ops.zeros((3,)))
        # The loss is measured before its update: let weights that the update has spoilt show in it.
        models = (self.policy, self.value) if self.value is not None else (self.policy,)
        total = sum(ops.sum(variable) for model in models for variable in model.trainable_variables)
        return ops.where(ops.isfinite(total), sums / ops.cast(updates, "float32"), float("nan"))

    def _improve_policy(self, batch, then):
        """One update of the policy. Returns its loss and the mean entropy."""
        settings = self.settings
        measured: dict[str, Any] = {}

        def objective():
            logits = action_logits(self.policy, batch.observation)  # [B, A]
            if settings.clip_ratio:
                now = log_probabilities(logits, batch.action)
                loss = clipped_surrogate_loss(now, then, batch.weight, settings.clip_ratio, batch.counts)
            else:
                loss = policy_gradient_loss(logits, batch.action, batch.weight, batch.counts)
            measured.update(loss=loss, entropy=mean_of(entropy(logits), batch.counts))
            return loss - settings.entropy * measured["entropy"]

        self._descend(self.optimizer, objective, self.policy.trainable_variables)
        return measured["loss"], measured["entropy"]

    def _improve_value(self, batch):
        """One update of the baseline towards its targets. Returns half the mean squared error."""

        def objective():
            error = self._expected(batch.observation) - batch.target
            return 0.5 * mean_of(ops.square(error), batch.counts)

        return self._descend(self.value_optimizer, objective, self.value.trainable_variables)

    def _descend(self, optimizer, objective, variables):
        value, gradients = value_and_gradients(objective, variables)
        if self.settings.clip_gradient:
            gradients = clip_by_global_norm(gradients, self.settings.clip_gradient)
        optimizer.apply(gradients, variables)
        return value
