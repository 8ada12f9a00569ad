"""REINFORCE (Williams 1992) as pure functions: returns, their normalisation, and the loss that the policy descends.

`lunar_pg.trainer` puts them together. Returns are NumPy, one array for each episode, because episodes differ in
length; the loss is `keras.ops`, over the steps of all episodes laid end to end.
"""

from collections.abc import Sequence

import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from shared.games.contract import Array


def discount_rewards(rewards: ArrayLike, discount_factor: float) -> np.ndarray:
    """The return of each step of an episode: G_t = r_t + discount_factor · G_t+1 (Sutton and Barto 2018, eq. 3.9).

    After the last step there is nothing more to come, whether the episode was terminated or truncated: REINFORCE has
    no estimate of what a truncated episode would still have brought (`lunar_pg.actor_critic` has).

    Args:
        rewards: numbers [T].
        discount_factor: value of a reward one step later, gamma, from 0 to 1.

    Returns float64 [T].
    """
    returns = np.array(rewards, np.float64)
    for t in range(len(returns) - 2, -1, -1):
        returns[t] += discount_factor * returns[t + 1]
    return returns


def discount_and_normalize_rewards(all_rewards: Sequence[ArrayLike], discount_factor: float) -> list[np.ndarray]:
    """The returns of several episodes, normalised together: minus their mean, divided by their standard deviation.

    Steps that went better than the average of the batch get a positive weight and become more likely.

    Args:
        all_rewards: a list of number lists, [T_i] for episode i.
        discount_factor: as of `discount_rewards`.

    Returns a list of float64 [T_i].
    """
    return normalize([discount_rewards(rewards, discount_factor) for rewards in all_rewards])


def normalize(parts: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Shift and scale a list of arrays [T_i] together to mean 0 and standard deviation 1 over all their elements.

    Where all are equal there is nothing to choose between them, and all become 0.
    """
    together = np.concatenate(parts)
    mean, deviation = together.mean(), together.std()
    return [(part - mean) / (deviation if deviation > 0 else 1.0) for part in parts]


def log_probabilities(logits: Array, action: Array) -> Array:
    """The log of the probability of the actions taken.

    Args:
        logits: float [B, A], log probabilities up to a constant.
        action: int [B].

    Returns float [B].
    """
    log_softmax = ops.log_softmax(logits, axis=-1)  # [B, A]
    return ops.squeeze(ops.take_along_axis(log_softmax, action[:, None], axis=-1), -1)


def policy_gradient_loss(logits: Array, action: Array, weight: Array, counts: Array) -> Array:
    """A loss whose gradient is minus REINFORCE's estimate of how the expected return grows (Williams 1992, eq. 8).

    The gradient of the mean over steps of -weight · log p(action) is the mean of the per-step gradients of
    -log p(action), each times its weight; so one gradient over the batch does what the tutorial does step by step.

    Args:
        logits: float [B, A].
        action: int [B], the actions taken.
        weight: float [B], how good each was: a normalised return or an advantage.
        counts: float [B], 1 for a step that counts, 0 for padding.

    Returns a scalar: the mean over the steps that count.
    """
    return mean_of(-weight * log_probabilities(logits, action), counts)


def mean_of(values: Array, counts: Array) -> Array:
    """The mean of `values` [B] over the rows where `counts` [B] is 1."""
    return ops.sum(values * counts) / ops.sum(counts)
