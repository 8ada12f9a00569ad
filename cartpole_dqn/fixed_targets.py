"""T4's fixed targets: to `dqn`, a second network (Mnih et al. 2015).

    Q(s_tm1, a_tm1) → r_t + discount max_a Q'(s_t, a)

Q' is a copy of Q, made anew every 50 episodes. Without it a network learns from its own latest guesses: each update
moves what the next one aims at. (T4 shows soft updates as an alternative: `--target-sync 1 --target-tau 0.01`.)
"""

from cartpole_dqn.dqn import DQN
from cartpole_dqn.variant import lesson, vary

FIXED_TARGETS = vary(
    DQN,
    "fixed-targets",
    "CartPole by DQN with fixed targets (T4)",
    tutorial={"target_sync": 50},
    tuned={"target_sync": 500},
)


if __name__ == "__main__":
    lesson(FIXED_TARGETS)
