"""T4's DQN: to the network of `neural`, memory and batches (Mnih et al. 2015).

    Q(s_tm1, a_tm1) → r_t + discount max_a Q(s_t, a)

for 32 transitions at a time, drawn from the last 2000: neighbouring transitions are alike, and a network that sees
nothing else for a while forgets the rest. T4 learns once an episode, from episode 51 on (the first one is 0), and ends
with the weights that played the best episode. It also has other settings than T5: a discount of 0.95 in place of 0.6,
elu units, Nadam and a larger step (docs/cartpole.md tells what the discount and the memory are worth).

`tuned` plays ten games side by side and learns once every ten steps, from returns of eight steps (a fall is the
outcome of what was done a few steps before) and with step sizes that fall to nothing: Q-learning with a network does
not settle by itself.
"""

from cartpole_dqn.variant import PUBLISHED_LIMIT, CartPoleSettings, Variant, lesson

TUTORIAL = CartPoleSettings(
    episodes=600,
    time_limit=PUBLISHED_LIMIT,
    hidden=(32, 32),
    activation="elu",
    optimizer="nadam",
    learning_rate=0.01,
    loss="mse-taken",
    discount=0.95,
    epsilon=1.0,
    epsilon_end=0.01,
    epsilon_by="episodes",
    epsilon_decay=495,  # max(1 - episode / 500, 0.01)
    replay_capacity=2000,
    batch_size=32,
    train_by="episodes",
    learning_starts=51,  # episodes 0 to 50
    restore_best=True,
)

TUNED = CartPoleSettings(
    episodes=None,
    steps=300_000,
    num_envs=10,
    time_limit=500,
    hidden=(120, 84),
    optimizer="adam",
    learning_rate=5e-4,
    learning_rate_end=0.0,
    learning_rate_decay=300_000,
    loss="mse-taken",
    discount=0.99,
    n_step=8,
    epsilon=1.0,
    epsilon_end=0.05,
    epsilon_decay=50_000,
    replay_capacity=100_000,
    batch_size=128,
    learning_starts=5000,
    train_every=10,
)

DQN = Variant(
    name="dqn",
    title="CartPole by DQN (T4)",
    presets={"tutorial": TUTORIAL, "tuned": TUNED},
    unit="episodes",
)


if __name__ == "__main__":
    lesson(DQN)
