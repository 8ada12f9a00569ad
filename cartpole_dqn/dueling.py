"""T4's Dueling Double DQN: to `double`, a network with two heads (Wang et al. 2016).

    Q(s, a) = V(s) + A(s, a) - max_b A(s, b)

One head learns how good a state is, from every action taken there; the other one how the actions differ. Subtracting
the largest advantage, as T4 does (the paper's eq. 8), makes V the value of the best action; `tuned` subtracts their
mean, as the paper does in its experiments (eq. 9): it changes less from update to update.
"""

from cartpole_dqn.double import DOUBLE
from cartpole_dqn.variant import lesson, vary

DUELING = vary(
    DOUBLE,
    "dueling",
    "CartPole by Dueling Double DQN (T4)",
    tutorial={"dueling": "max", "learning_rate": 0.005},
    tuned={"dueling": "mean"},
)


if __name__ == "__main__":
    lesson(DUELING)
