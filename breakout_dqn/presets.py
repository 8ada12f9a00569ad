"""The settings for Atari: as the exercise words it (`exercise`), and as we would choose them (`tuned`)."""

from shared.dqn.pqn_settings import PQNSettings
from shared.runs.own import EnvSettings

# Each step is learned from four times (an update of 128 after every 32 steps), half as often as Mnih et al. (2015) do
# it: learning takes most of the time.
EXERCISE = EnvSettings(
    episodes=None,
    steps=1_500_000,
    num_envs=16,
    hidden=(256,),
    layer_norm=True,
    optimizer="adam",
    learning_rate=2.5e-4,
    learning_rate_end=5e-5,
    learning_rate_decay=1_500_000,
    weight_average=0.999,
    loss="clipped-huber",
    discount=0.99,
    n_step=3,
    clip_rewards=True,
    epsilon=1.0,
    epsilon_end=0.01,
    epsilon_decay=100_000,
    replay_capacity=256_000,
    batch_size=128,
    learning_starts=20_000,
    train_every=32,
    target_sync=8_000,
    double=True,
)

TUNED = PQNSettings(
    steps=3_000_000,
    num_envs=32,
    rollout=32,
    hidden=(256,),
    epsilon=1.0,
    epsilon_end=0.005,
    epsilon_decay=100_000,
    return_lambda=0.65,
    clip_rewards=True,
    epochs=2,
    batch_size=256,
    learning_rate=2.5e-4,
    learning_rate_end=0.0,
    learning_rate_decay=3_000_000,
)
