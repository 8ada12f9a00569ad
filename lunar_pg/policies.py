"""Policy and value networks as plain Keras models."""

import keras
from keras import ops

from lunar_pg.numpy_policy import is_sigmoid
from shared.games.contract import Array


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
    return ops.concatenate([z, ops.zeros_like(z)], axis=-1) if is_sigmoid(policy) else z
