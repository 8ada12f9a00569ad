"""The settings of each game: as published (`tutorial`) and as we would choose them (`tuned`)."""

import dataclasses

from catch_dqn.ball_game import TIME_LIMIT
from shared.dqn.settings import LEARNING, Settings
from shared.options import option


@dataclasses.dataclass(frozen=True, kw_only=True)
class CatchSettings(Settings):
    """Settings of the falling-ball games."""

    starts: str = option(
        "tutorial", "starting positions: as in the tutorial, or all there are", choices=("tutorial", "all")
    )
    network: str = option(
        "tutorial",
        "what is trained: the tutorial's network for the game, dense layers, or three convolutions before them",
        choices=("tutorial", "dense", "convolutional"),
        group=LEARNING,
    )


CATCH_TUTORIAL = CatchSettings(
    episodes=6500,
    hidden=(100, 100),
    optimizer="sgd",
    learning_rate=0.01,
    loss="mse",
    discount=0.9,
    epsilon=0.1,
    epsilon_end=0.1,
    replay_capacity=5000,
    batch_size=256,
)

CATCH_TUNED = dataclasses.replace(
    CATCH_TUTORIAL,
    episodes=None,
    steps=5800,
    starts="all",
    optimizer="adam",
    learning_rate=2e-3,
    learning_rate_decay=4800,
    epsilon=1.0,
    epsilon_end=0.0,
    epsilon_decay=4000,
    batch_size=64,
    learning_starts=1000,
)

BALL8_TUTORIAL = CatchSettings(
    episodes=1000,
    time_limit=TIME_LIMIT + 1,  # the tutorial counts past its limit
    truncation="terminal",
    hidden=(64, 32),
    optimizer="rmsprop-graves",
    learning_rate=2.5e-4,
    loss="clipped-huber",
    discount=0.9,
    epsilon=1.0,
    epsilon_end=0.1,
    epsilon_decay=500,
    epsilon_by="growing-steps",
    replay_capacity=5000,
    batch_size=32,
    learning_starts=4998,  # the memory is full from the next step on; the first update follows step 5001
    train_every=3,
    final_update=True,
    target_sync=500,  # shared at first, but copied at step 5000, before there is anything to share
    double_rule="tutorial",
)

BALL8_TUNED = dataclasses.replace(
    BALL8_TUTORIAL,
    episodes=None,
    steps=100_000,
    starts="all",
    time_limit=TIME_LIMIT,
    truncation="bootstrap",
    optimizer="adam",
    learning_rate=1e-3,
    learning_rate_decay=100_000,
    epsilon_end=0.01,
    epsilon_decay=50_000,
    epsilon_by="steps",
    num_envs=8,
    train_every=4,
    replay_capacity=40_000,
    learning_starts=2000,
    final_update=False,
    target_sync=1000,
    double=True,
    double_rule="published",
)

BALL16_TUTORIAL = dataclasses.replace(BALL8_TUTORIAL, hidden=(128,))

BALL16_TUNED = dataclasses.replace(
    BALL8_TUNED, hidden=(128,), steps=400_000, learning_rate_decay=400_000, epsilon_decay=200_000, target_sync=2000
)
