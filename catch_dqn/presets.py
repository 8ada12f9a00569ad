"""The settings of each game: as published (`tutorial`) and as we would choose them (`tuned`)."""

import dataclasses

from shared.config import option
from shared.settings import Settings


@dataclasses.dataclass(frozen=True, kw_only=True)
class CatchSettings(Settings):
    """Settings of the falling-ball games."""

    starts: str = option(
        "tutorial", "starting positions: as in the tutorial, or all there are", choices=("tutorial", "all")
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
    episodes=612,
    starts="all",
    optimizer="adam",
    learning_rate=2e-3,
    learning_rate_decay=5500,
    epsilon=1.0,
    epsilon_end=0.0,
    epsilon_decay=4000,
)
