"""The settings of CAVE: as published (`tutorial`) and as we would choose them (`tuned`)."""

import dataclasses

from cave_game.game import TIME_LIMIT
from shared.config import option
from shared.settings import Settings


@dataclasses.dataclass(frozen=True, kw_only=True)
class CaveSettings(Settings):
    """Settings of CAVE."""

    first_value: float = option(0.0, "what an untrained network says of every action: the bias of its output")


# T3 says that CAVE took the settings of its 16x16 catch-ball. Its epsilon falls by the step times the number of the
# episode and is at the end after some 30 episodes: here, episodes of about 45 steps.
CAVE_TUTORIAL = CaveSettings(
    episodes=1000,
    time_limit=TIME_LIMIT,
    hidden=(128,),
    optimizer="rmsprop-graves",
    learning_rate=0.00025,
    loss="clipped-huber",
    discount=0.9,
    epsilon=1.0,
    epsilon_end=0.1,
    epsilon_decay=1350,
    replay_capacity=5000,
    batch_size=32,
    learning_starts=5000,
    train_every=3,
    target_sync=500,
    double=True,
)
