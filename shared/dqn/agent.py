"""The readable DQN agent: what the tutorials teach, for any Gymnasium environment with a discrete action space.

`shared/dqn/loop.py` plays it against an environment. The compiled loop (`shared/dqn/engine.py`) does the same thing
faster; a test holds the two together, transition by transition and weight by weight.
"""

from pathlib import Path
from typing import Any

import gymnasium
import keras
import numpy as np
from keras import ops

from shared import storage
from shared.nn import copies, networks
from shared.nn.backend import program, value_and_gradients
from shared.nn.optimizers import built


class Agent:
    """Deep Q-learning with experience replay (Mnih et al. 2015, algorithm 1).

    Args:
        env: a Gymnasium environment; only its spaces are read.
        explore: chance of a random action, epsilon. The loop may change it as training goes on.
        discount: value of a reward one step later, gamma.
        hidden_size: units of each of the hidden layers, a tuple; or one number for two such layers, as in T1.
        memory_limit: transitions that replay memory holds.
        batch_size: transitions in one update.
        optimizer, loss: of Keras; the loss is over the vector of action values [B, A].
        seed: all the agent's random numbers come from it.
        target_network: keep a second network whose values are learned from, until `sync_target` updates it: from
            the start (`"copied"`), from the first `sync_target` on (`"shared"`, a quirk of T3), or never (None).
        double: `"published"`: the online network picks the next action, the target network values it; `"tutorial"`:
            it values the action just taken (a quirk of T3); None: it values its own best action.
        model: a Keras Q-network in place of dense layers.
    """

    def __init__(
        self,
        env: gymnasium.Env,
        explore: float,
        discount: float,
        hidden_size: int | tuple[int, ...],
        memory_limit: int,
        *,
        batch_size: int,
        optimizer: keras.optimizers.Optimizer,
        loss: keras.losses.Loss,
        seed: int,
        target_network: str | None = None,
        double: str | None = None,
        model: keras.Model | None = None,
    ) -> None:
        self.explore, self.discount = explore, discount
        self.batch_size, self.memory_limit, self.double = batch_size, memory_limit, double
        self.num_actions = int(env.action_space.n)
        shape = env.observation_space.shape
        hidden = hidden_size if isinstance(hidden_size, tuple) else (hidden_size, hidden_size)
        self.model = model or networks.dense(shape, self.num_actions, hidden, seed)
        self.target = self.model
        self.optimizer, self.loss = optimizer, loss
        self._first_steps = built(optimizer, self.model.trainable_variables)
        self.rng = np.random.default_rng(seed)

        self.remembered = 0  # transitions ever; the next one goes to slot `remembered % memory_limit`
        dtype = env.observation_space.dtype  # pictures of bytes stay bytes
        self.s_tm1 = np.zeros((memory_limit, *shape), dtype)
        self.a_tm1 = np.zeros(memory_limit, np.int64)
        self.r_t = np.zeros(memory_limit, np.float32)
        self.discount_t = np.zeros(memory_limit, np.float32)
        self.s_t = np.zeros((memory_limit, *shape), dtype)
        self.best_score = -np.inf  # of the best episode, where `keep_best` is called
        self.best_weights: list[np.ndarray] | None = None

        self._values_of_one = program(self.model, (1, *shape))
        self._values = self._target_values = program(self.model, (batch_size, *shape))
        self._descend = program(
            self._gradient_step, (batch_size, *shape), (batch_size, self.num_actions), (batch_size,)
        )
        self._second: Any = None  # the target network and its program, once there is one
        self.target_network = target_network
        if target_network == "copied":
            self._make_target()

    def choose_action(self, observation: np.ndarray) -> int:
        """A random action with chance `explore`, else the one of highest value."""
        explore, choice = self.rng.random(2, dtype=np.float32)
        if explore < self.explore:
            return int(choice * self.num_actions)
        return int(np.argmax(self._values_of_one(observation[None])))

    def remember(
        self, observation: np.ndarray, action: int, reward: float, terminated: bool, next_observation: np.ndarray
    ) -> None:
        """Put one transition into replay memory, over the oldest when it is full.

        A time limit is not an end of the world: pass `terminated=False` when an episode was only cut short.
        """
        slot = self.remembered % self.memory_limit
        self.s_tm1[slot], self.a_tm1[slot], self.r_t[slot] = observation, action, reward
        self.discount_t[slot] = 0.0 if terminated else self.discount
        self.s_t[slot] = next_observation
        self.remembered += 1

    def replay(self) -> float:
        """Learn from one batch of memories; returns the loss.

        The batch is drawn with replacement; while memory holds less than a batch, it is what memory holds (the rows
        that fill it up have weight 0).
        """
        held = min(self.remembered, self.memory_limit)
        batch = np.floor(self.rng.random(self.batch_size, dtype=np.float32) * np.float32(held)).astype(int)
        counts = np.ones(self.batch_size, np.float32)
        if held < self.batch_size:
            batch = np.minimum(np.arange(self.batch_size), held - 1)
            counts = (np.arange(self.batch_size) < held).astype(np.float32)

        rows = np.arange(self.batch_size)
        q_t = self._target_values(self.s_t[batch])  # [B, A]
        next_action = q_t.argmax(axis=1)  # [B]
        if self.double == "published":
            next_action = self._values(self.s_t[batch]).argmax(axis=1)
        elif self.double == "tutorial":
            next_action = self.a_tm1[batch]
        target = self.r_t[batch] + self.discount_t[batch] * q_t[rows, next_action]  # [B]
        y_true = self._values(self.s_tm1[batch])  # [B, A]: an untaken action is right as it is
        y_true[rows, self.a_tm1[batch]] = target
        if self.loss.reduction != "sum":  # a mean over the batch: over the rows that count
            counts *= self.batch_size / counts.sum()
        return float(self._descend(self.s_tm1[batch], y_true, counts))

    def _gradient_step(self, observations, y_true, weight):
        loss, gradients = value_and_gradients(
            lambda: self.loss(y_true, self.model(observations), sample_weight=weight), self.model.trainable_variables
        )
        self.optimizer.apply(gradients, self.model.trainable_variables)
        return loss

    def sync_target(self, share: float = 1.0) -> None:
        """Move the target network towards the online one: all the way, or by a share of the difference."""
        if self.target is self.model:
            self._make_target()
        copies.copy_weights(self.model, self.target, share)

    def keep_best(self, score: float) -> None:
        """Keep the weights if no episode was better than the one that they just played (a quirk of T4)."""
        if score >= self.best_score:
            self.best_score, self.best_weights = score, self.model.get_weights()

    def trained(self) -> keras.Model:
        """The network as training leaves it: with the best weights, where they were kept."""
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)
        return self.model

    def _make_target(self):
        if self._second is None:
            clone = copies.clone_model(self.model)
            self._second = clone, program(clone, (self.batch_size, *self.s_t.shape[1:]))
        self.target, self._target_values = self._second
        self.sync_target()

    def again(self, model: keras.Model, seed: int) -> None:
        """Become what a new agent with this model and this seed would be, without compiling anything.

        Raises:
            UserError: if the model is not like the one that there was, but for its weights.
        """
        copies.refuse_unlike(self.model, model)
        copies.copy_weights(model, self.model)
        self.target, self._target_values = self.model, self._values
        if self.target_network == "copied":
            self._make_target()
        self.optimizer.load_own_variables(self._first_steps)
        self.rng = np.random.default_rng(seed)
        self.remembered, self.best_score, self.best_weights = 0, -np.inf, None
        for column in self._memory().values():
            column[:] = 0

    def save(self, path: str | Path) -> None:
        """Write the network's weights to an `.h5` file that plain Keras reads."""
        storage.save_weights(self.model, path)

    def load(self, path: str | Path) -> None:
        """Read the network's weights from an `.h5` file."""
        storage.load_weights(self.model, path)
        if self.target is not self.model:
            self.sync_target()

    def snapshot(self) -> dict[str, np.ndarray]:
        """Weights, optimizer and memory as a dict of NumPy arrays, for a checkpoint."""
        variables = {name: ops.convert_to_numpy(variable) for name, variable in self._variables().items()}
        best = {f"best/{i}": array for i, array in enumerate(self.best_weights or ())}
        numbers = {"remembered": np.array(self.remembered), "best_score": np.array(self.best_score)}
        return variables | numbers | best | self._memory()

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what `snapshot` gave."""
        if "target/0" in arrays and self.target is self.model:
            self._make_target()
        for name, variable in self._variables().items():
            variable.assign(arrays[name])
        self.remembered, self.best_score = int(arrays["remembered"]), float(arrays["best_score"])
        if "best/0" in arrays:
            self.best_weights = [arrays[f"best/{i}"] for i in range(len(self.model.weights))]
        for name, column in self._memory().items():
            column[:] = arrays[name]

    def _variables(self):
        named = {f"online/{i}": v for i, v in enumerate(self.model.variables)}
        if self.target is not self.model:
            named |= {f"target/{i}": v for i, v in enumerate(self.target.variables)}
        return named | {f"optimizer/{i}": v for i, v in enumerate(self.optimizer.variables)}

    def _memory(self):
        return {f"memory/{name}": getattr(self, name) for name in ("s_tm1", "a_tm1", "r_t", "discount_t", "s_t")}
