"""What an agent thinks of its actions, and what a player who knows better does: what `play --values` shows."""

from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from shared.late import late
from shared.nn.numpy_layers import softmax
from shared.nn.numpy_network import NumpyNetwork

compiled = late("shared.rollouts.greedy_compiled")


class ActionValues(NamedTuple):
    """What a network says of each of A actions in one state.

    Where it has learned the distribution of the return, that is N returns of each action and their chances.
    """

    values: np.ndarray  # [A], the expected return, or the probability that the action is taken
    are_chances: bool = False  # the latter
    returns: np.ndarray | None = None  # [N, A]
    chances: np.ndarray | None = None  # [N, A], they sum up to 1 for each action


class Advice(NamedTuple):
    """What a player does who never loses what can be won, in one state."""

    player: str  # who, such as "planner"
    action: int
    costs: tuple[float, ...]  # [A]: what each action loses, if that player plays on from there
    unit: str  # of these, such as "points"


Outlook = Callable[[np.ndarray], ActionValues]  # observation -> what the network says of it
Adviser = Callable[[gymnasium.Env], Advice]  # an environment as it stands -> what to do


def outlook(network: Any) -> Outlook:
    """What a network of action values says: a Keras model, or one in NumPy."""
    if not isinstance(network, NumpyNetwork):
        return compiled.outlook(network)

    def say(observation):
        distribution = network.distribution(observation[None])
        return spread(network(observation[None])[0], distribution, network.ends)

    return say


def spread(values: np.ndarray, distribution: np.ndarray | None, ends: tuple[float, float] | None) -> ActionValues:
    """Action values with the distribution that they are the means of.

    Args:
        values: [A].
        distribution: [1, N, A]: logits of N evenly spaced returns (C51), or N quantiles; None where there is none.
        ends: the first and the last of these returns; None for quantiles.
    """
    if distribution is None:
        return ActionValues(values)
    atoms = distribution[0]
    if ends is None:
        return ActionValues(values, returns=atoms, chances=np.full_like(atoms, 1 / len(atoms)))
    returns = np.broadcast_to(np.linspace(*ends, len(atoms))[:, None], atoms.shape)
    return ActionValues(values, returns=returns, chances=softmax(atoms, axis=0))
