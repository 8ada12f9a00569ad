"""Policies in NumPy, for between environment steps and for play without TensorFlow."""

from collections.abc import Callable
from typing import Any

import numpy as np

from shared.errors import UserError
from shared.late import late
from shared.nn.numpy_layers import relu, softmax
from shared.nn.numpy_network import NumpyNetwork

keras = late("keras")

ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"relu": relu, "tanh": np.tanh}


class NumpyDense:
    """A snapshot of a Keras model of Dense layers, evaluated by NumPy without its last activation.

    For the few rows of a vector step this takes 10 µs; a compiled Keras function takes five times as long, nearly
    all of it the way into TensorFlow and back.

    Args:
        model: of `policy_network` or `value_network`, or like them.

    Raises:
        UserError: for a network that is made otherwise.
    """

    def __init__(self, model: Any) -> None:
        *hidden, _ = model.layers
        if not all(isinstance(layer, keras.layers.Dense) for layer in model.layers) or not all(
            layer.activation is hidden[0].activation and layer.activation.__name__ in ACTIVATIONS for layer in hidden
        ):
            raise UserError(
                f"the model {model.name}: not of Dense layers, {' or '.join(ACTIVATIONS)} throughout; give another"
            )
        self.layers = [tuple(keras.ops.convert_to_numpy(array) for array in (d.kernel, d.bias)) for d in model.layers]
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
        policy: a Keras model as of `policy_network`, or one in NumPy; or a network of action values, as of a DQN:
            it has no probabilities to draw by.

    Raises:
        UserError: for a network that is made otherwise.
    """

    def __init__(self, policy: Any) -> None:
        self.network: Any = policy.logits if isinstance(policy, NumpyNetwork) else NumpyDense(policy)
        self.sigmoid = is_sigmoid(policy)
        self.has_probabilities = self.sigmoid or _last_activation(policy) == "softmax"
        if policy.output_shape[-1] == 1 and not self.sigmoid:
            raise UserError(f"the model {policy.name}: a single output that is no probability; give a policy")

    def logits(self, observation: np.ndarray) -> np.ndarray:
        """What `action_logits` gives: float32 [B, D] -> float32 [B, A]."""
        z = self.network(observation)
        return np.concatenate([z, np.zeros_like(z)], axis=-1) if self.sigmoid else z

    def probabilities(self, observation: np.ndarray) -> np.ndarray:
        """float32 [B, D] -> float32 [B, A]."""
        return softmax(self.logits(observation))

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


def is_sigmoid(policy: Any) -> bool:
    """Whether a network's one output is the probability of action 0."""
    return policy.output_shape[-1] == 1 and _last_activation(policy) == "sigmoid"


def _last_activation(policy):
    if isinstance(policy, NumpyNetwork):
        return policy.activation
    return policy.layers[-1].activation.__name__
