"""What makes policy gradients good, as pure functions: advantages from a learned baseline, PPO's objective, entropy."""

from collections.abc import Sequence

import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from lunar_pg.reinforce import mean_of
from shared.games.contract import Array


def generalized_advantages(rewards: ArrayLike, values: ArrayLike, discount: float, gae_lambda: float) -> np.ndarray:
    """How much better each action turned out than the baseline expected (Schulman et al. 2016, eq. 16).

    With the TD error δ_t = r_t + discount · V(s_t+1) - V(s_t) the advantage is A_t = δ_t + discount · λ · A_t+1.
    λ = 1 gives the return minus the baseline, λ = 0 the TD error alone. A_t + V(s_t) is what the baseline learns.

    Args:
        rewards: float [T].
        values: float [T + 1], the baseline's value of every observation and of the final one; that one has to be 0
            after a terminated episode. After a truncated one the world would have gone on, so it is V(s_T).
        discount: value of a reward one step later.
        gae_lambda: λ, from 0 to 1.

    Returns float64 [T].
    """
    rewards, values = np.asarray(rewards, np.float64), np.asarray(values, np.float64)
    advantages = rewards + discount * values[1:] - values[:-1]  # the TD errors
    for t in range(len(advantages) - 2, -1, -1):
        advantages[t] += discount * gae_lambda * advantages[t + 1]
    return advantages


def clipped_surrogate_loss(
    log_probability: Array, log_probability_then: Array, advantage: Array, clip_ratio: float, counts: Array
) -> Array:
    """PPO's objective, negated (Schulman et al. 2017, eq. 7): lets a batch be used for more than one update.

    With ρ the action's probability now over that when it was taken, the objective is
    min(ρ A, clip(ρ, 1 - clip_ratio, 1 + clip_ratio) A): nothing is gained by moving ρ farther than that from 1.

    Args:
        log_probability: float [B], of the actions taken, under the policy that learns.
        log_probability_then: float [B], under the policy that took them.
        advantage: float [B].
        clip_ratio: how far the ratio may move from 1, such as 0.2.
        counts: float [B], 1 for a step that counts, 0 for padding.

    Returns a scalar: the mean over the steps that count.
    """
    ratio = ops.exp(log_probability - log_probability_then)
    clipped = ops.clip(ratio, 1.0 - clip_ratio, 1.0 + clip_ratio)
    return mean_of(-ops.minimum(ratio * advantage, clipped * advantage), counts)


def entropy(logits: Array) -> Array:
    """How undecided the policy is, in nats: -Σ p log p over the last axis. float [B, A] -> float [B]."""
    log_p = ops.log_softmax(logits, axis=-1)
    return -ops.sum(ops.exp(log_p) * log_p, axis=-1)


def clip_by_global_norm(gradients: Sequence[Array], largest: float) -> list[Array]:
    """Scale a list of gradients together so that the norm of all of them is at most `largest` (Pascanu et al. 2013)."""
    norm = ops.sqrt(sum(ops.sum(ops.square(gradient)) for gradient in gradients))
    scale = largest / ops.maximum(norm, largest)
    return [gradient * scale for gradient in gradients]
