"""Returns that mix all numbers of steps: the targets of PQN."""

import numpy as np


def lambda_returns(
    reward: np.ndarray, discount: np.ndarray, value: np.ndarray, cut: np.ndarray, return_lambda: float
) -> np.ndarray:
    """Q(lambda) as Peng and Williams (1996) have it: what each of T steps in N games turned out to be worth.

    G_t = r_t + discount_t ((1 - lambda) value_t + lambda G_{t+1}), where value_t = max_a Q(s_t, a) of the observation
    that step t leads to. Behind the last step, and behind one where an episode was cut, nothing is known but the value.
    No difference is made between greedy and random actions (as Gallici et al. 2024 do): that costs a bias as large as
    epsilon, and brings rewards back over many more steps than Watkins's Q(lambda).

    Args:
        reward: float32 [T, N].
        discount: float32 [T, N], gamma, or 0 where the world has ended.
        value: float32 [T, N].
        cut: bool [T, N], an episode was cut here (truncated).
        return_lambda: 0 trusts the next value alone, 1 waits for all rewards of the rollout.

    Returns float32 [T, N].
    """
    returns, following = np.empty_like(reward), value[-1]
    for t in range(len(reward) - 1, -1, -1):
        mixed = np.where(cut[t], value[t], (1 - return_lambda) * value[t] + return_lambda * following)
        following = returns[t] = reward[t] + discount[t] * mixed
    return returns
