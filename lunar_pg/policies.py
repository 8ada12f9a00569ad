"""Policy and value networks as plain Keras models, and their forward pass in NumPy, for between environment steps."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from shared.errors import UserError
from shared.games.contract import Array

ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"relu": lambda x: np.maximum(x, 0), "tanh": np.tanh}


def policy_network(
    observation_size: int, num_actions: int, hidden: tuple[int, ...], activation: str, head: str, seed: int
) -> keras.Sequential:
    """A network from observations to the probabilities of actions.

    Args:
        observation_size: numbers in an observation, D.
        num_actions: A.
        hidden: units of each hidden layer.
        activation: of the hidden layers, `relu` or `tanh`.
        head: `softmax` for one probability per action, or, for two actions, `sigmoid` for that of action 0 alone
            (T4's policy for CartPole: the probability of pushing left).
        seed: of the initial weights, uniform after Glorot and Bengio (2010, eq. 16); layer i takes `seed + i`.

    Returns a built `keras.Sequential` from float32 [B, D] to float32 [B, A], or [B, 1] for `sigmoid`.
    """
    outputs = num_actions if head == "softmax" else 1
    return _dense(observation_size, (*hidden, outputs), activation, head, seed, "policy")


def value_network(observation_size: int, hidden: tuple[int, ...], activation: str, seed: int) -> keras.Sequential:
    """A network from float32 [B, D] to the expected return, float32 [B, 1]; arguments as for `policy_network`."""
    return _dense(observation_size, (*hidden, 1), activation, "linear", seed, "value")


def _dense(inputs, units, activation, last_activation, seed, name):
    layers = [
        keras.layers.Dense(
            n,
            activation=activation if i < len(units) - 1 else last_activation,
            kernel_initializer=keras.initializers.GlorotUniform(seed + i),
        )
        for i, n in enumerate(units)
    ]
    return keras.Sequential([keras.Input((inputs,)), *layers], name=name)


def action_logits(policy: keras.Sequential, observation: Array) -> Array:
    """The logits of all actions, with `keras.ops`: the policy network without its last activation.

    A sigmoid over z is a softmax over [z, 0].

    Args:
        policy: of `policy_network`.
        observation: float32 [B, D].

    Returns float32 [B, A].
    """
    *hidden, last = policy.layers
    x = observation
    for layer in hidden:
        x = layer(x)
    z = ops.matmul(x, last.kernel) + last.bias
    return ops.concatenate([z, ops.zeros_like(z)], axis=-1) if _is_sigmoid(policy) else z


class NumpyDense:
    """A snapshot of a Keras model of Dense layers, evaluated by NumPy without its last activation.

    For the few rows of a vector step this takes 10 µs; a compiled Keras function takes five times as long, nearly
    all of it the way into TensorFlow and back.

    Args:
        model: of `policy_network` or `value_network`, or like them.

    Raises:
        UserError: for a network that is made otherwise.
    """

    def __init__(self, model: keras.Model) -> None:
        *hidden, _ = model.layers
        if not all(isinstance(layer, keras.layers.Dense) for layer in model.layers) or not all(
            layer.activation is hidden[0].activation and layer.activation.__name__ in ACTIVATIONS for layer in hidden
        ):
            raise UserError(
                f"the model {model.name}: not of Dense layers, {' or '.join(ACTIVATIONS)} throughout; give another"
            )
        self.layers = [tuple(ops.convert_to_numpy(array) for array in (d.kernel, d.bias)) for d in model.layers]
        self.activation: Any = ACTIVATIONS[hidden[0].activation.__name__] if hidden else None

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """float32 [B, D] -> float32 [B, outputs]."""
        *hidden, (kernel, bias) = self.layers
        x = observation
        for weights, offset in hidden:
            x = self.activation(x @ weights + offset)
        return x @ kernel + bias


class NumpyPolicy:
    """A snapshot of a network that chooses actions.

    Args:
        policy: of `policy_network`, or a network of action values, as of a DQN: it has no probabilities to draw by.

    Raises:
        UserError: for a network that is made otherwise.
    """

    def __init__(self, policy: keras.Model) -> None:
        self.network, self.sigmoid = NumpyDense(policy), _is_sigmoid(policy)
        self.has_probabilities = self.sigmoid or _ends_in(policy, "softmax")
        if policy.output_shape[-1] == 1 and not self.sigmoid:
            raise UserError(f"the model {policy.name}: a single output that is no probability; give a policy")

    def logits(self, observation: np.ndarray) -> np.ndarray:
        """What `action_logits` gives: float32 [B, D] -> float32 [B, A]."""
        z = self.network(observation)
        return np.concatenate([z, np.zeros_like(z)], axis=-1) if self.sigmoid else z

    def probabilities(self, observation: np.ndarray) -> np.ndarray:
        """float32 [B, D] -> float32 [B, A]."""
        logits = self.logits(observation)
        p = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return p / p.sum(axis=-1, keepdims=True)

    def sample(self, observation: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """Actions drawn by their probability: action k where the draw falls into the k-th piece of [0, 1).

        Only where `has_probabilities`.

        Args:
            observation: float32 [B, D].
            draws: uniform in [0, 1), [B].

        Returns int [B].
        """
        edges = np.cumsum(self.probabilities(observation)[:, :-1], axis=-1)  # [B, A - 1]
        return (draws[:, None] >= edges).sum(axis=-1)

    def greedy(self, observation: np.ndarray, draws: np.ndarray | None = None) -> np.ndarray:
        """The likeliest actions: float32 [B, D] -> int [B]. `draws` are not used."""
        return self.logits(observation).argmax(axis=-1)


def _is_sigmoid(policy):
    return policy.output_shape[-1] == 1 and _ends_in(policy, "sigmoid")


def _ends_in(policy, activation):
    return policy.layers[-1].activation.__name__ == activation
