"""T4's Double DQN: to `fixed_targets`, a second opinion (van Hasselt, Guez and Silver 2016, eq. 4).

    Q(s_tm1, a_tm1) → r_t + discount Q'(s_t, argmax_a Q(s_t, a))

The largest of several noisy values is too large on average. When one network picks the action and the other one says
what it is worth, the noise of the two does not add up.
"""

from cartpole_dqn.fixed_targets import FIXED_TARGETS
from cartpole_dqn.variant import lesson, vary

DOUBLE = vary(
    FIXED_TARGETS,
    "double",
    "CartPole by Double DQN (T4)",
    tutorial={"double": True},
    tuned={"double": True},
)


if __name__ == "__main__":
    lesson(DOUBLE)
