"""T2: a network that predicts the next reward, and nothing else. It cannot learn to balance; the reader is asked why.

The value of what was done is moved towards the reward that came at once:

    Q(s_tm1, a_tm1) → r_t

No next state, no discount, no end of the world, no exploration, no memory. Every reward of CartPole is 1, so the
value of the action taken tends to 1, the other one's has no target at all, and the larger of the two says nothing about
what comes (docs/cartpole.md shows it).

As settings of a DQN: a discount of 0 leaves the reward as the target; a memory of one transition and a batch of one are
"learn from what just happened"; epsilon 0 is "always greedy". Since the greedy action is the one that was taken, T2's
error between `max_a Q(s)` and the reward is that of the action taken.
"""

from cartpole_dqn.variant import CartPoleSettings, Variant, lesson

TUTORIAL = CartPoleSettings(
    episodes=500,  # T2 runs for ever
    hidden=(1024, 512),
    optimizer="adam",
    learning_rate=1e-3,
    loss="mse-taken",
    discount=0.0,
    epsilon=0.0,
    epsilon_end=0.0,
    replay_capacity=1,
    batch_size=1,
)


class NaiveVariant(Variant):
    """CartPole by the next reward."""

    method = "a network without foresight"


NAIVE = NaiveVariant(
    name="naive",
    title="CartPole by predicted rewards, which fails (T2)",
    presets={"tutorial": TUTORIAL},
    unit="episodes",
)


if __name__ == "__main__":
    lesson(NAIVE)
