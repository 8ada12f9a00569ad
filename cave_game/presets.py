"""The settings of CAVE: as published (`tutorial`) and as we would choose them (`tuned`)."""

import dataclasses
from typing import Any

from cave_game import game2017
from cave_game.game import OBSERVATIONS, STARTS, TIME_LIMIT
from shared.dqn.settings import LEARNING, PLAYING, QUIRKS, Settings
from shared.errors import UserError
from shared.options import option


@dataclasses.dataclass(frozen=True, kw_only=True)
class CaveSettings(Settings):
    """Settings of CAVE."""

    time_limit: int = option(TIME_LIMIT, "environment steps after which a flight is cut", low=1)  # never None
    first_value: float = option(0.0, "value that an untrained network gives to every action: the bias of its output")
    observation: str = option(
        "screens",
        "what is seen: the last 4 screens, halved (24 x 24), or what the columns in view hold, as 121 numbers",
        choices=OBSERVATIONS,
        group=PLAYING,
    )
    starts: str = option(
        "wide",
        "where a flight of the training begins: in a wide cave, as the rules say, or in one as narrow as after any "
        "number of steps",
        choices=STARTS,
        group=PLAYING,
    )
    convolutions: str = option(
        "published", "T3's convolutions, or three that each halve the screen", choices=("published", "strided")
    )
    activation: str = option("relu", "activation of the dense layers", choices=("relu", "elu"))
    layer_norm: bool = option(False, "normalise what each layer puts out (an LSTM has none of it)", group=LEARNING)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cave2017Settings(CaveSettings):
    """Settings of CAVE by its author's rules."""

    observation: str = option(
        "published",
        "what is seen: 5 screens as published; 4 halved ones (24 x 24), exact to fractions of a cell; or what the "
        "columns in view hold, as 100 numbers",
        choices=game2017.OBSERVATIONS,
        group=PLAYING,
    )
    reward: str = option(
        "crash",
        "-1 for the crash, as published, or 1 for every step survived",
        choices=("crash", "survival"),
        group=PLAYING,
    )
    network: str = option(
        "stacked",
        "what is trained: three convolutions over all screens together, or over each, and an LSTM over the screens",
        choices=("stacked", "recurrent"),
        group=LEARNING,
    )
    hold: int = option(1, "steps from one decision to the next, where an agent is scored or shown", low=1)
    quirks: bool = option(
        True, "draw what is partly above the screen as the author's program does: not, or at the bottom", group=QUIRKS
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network == "recurrent" and self.observation == "columns":
            raise UserError("--network recurrent: reads screens one after the other; give --observation halved")


# T3 says that CAVE took the network of its 16x16 catch-ball. The settings are taken from there too, quirks and all.
CAVE_TUTORIAL = CaveSettings(
    episodes=1000,
    time_limit=TIME_LIMIT,
    truncation="terminal",
    hidden=(128,),
    optimizer="rmsprop-graves",
    learning_rate=0.00025,
    loss="clipped-huber",
    discount=0.9,
    epsilon=1.0,
    epsilon_end=0.1,
    epsilon_by="growing-steps",
    epsilon_decay=500,
    replay_capacity=5000,
    batch_size=32,
    learning_starts=4998,
    train_every=3,
    final_update=True,
    target_sync=500,
    double_rule="tutorial",
)

# What each of these is worth: docs/cave.md.
CAVE_SCREENS = CaveSettings(
    episodes=None,
    steps=5_000_000,
    num_envs=64,
    time_limit=TIME_LIMIT,
    hidden=(96,),
    activation="elu",
    first_value=20.0,
    optimizer="adam",
    learning_rate=1e-3,
    learning_rate_end=1e-5,
    learning_rate_decay=5_000_000,
    learning_rate_by="factors",
    loss="mse",
    discount=0.95,
    n_step=5,
    epsilon=1.0,
    epsilon_end=0.01,
    epsilon_decay=50_000,
    replay_capacity=960_000,
    replay_states=True,
    batch_size=64,
    learning_starts=51_200,
    train_every=64,
    target_sync=32_000,
    double=True,
)

# From numbers instead of pictures an update takes a fraction of the time, so there are more of them.
COLUMNS: dict[str, Any] = {
    "observation": "columns",
    "starts": "any",
    "hidden": (512, 256, 256),
    "activation": "relu",
    "layer_norm": True,
    "weight_average": 0.999,
    "batch_size": 128,
    "train_every": 32,
    "steps": 4_000_000,
    "learning_rate_decay": 4_000_000,
}
CAVE_TUNED = dataclasses.replace(CAVE_SCREENS, **COLUMNS)

# The author's settings. Two things are left out: his agent decides at every third step only, and remembers every fourth
# step and the crashes, where this one decides at and remembers each.
CAVE2017_TUTORIAL = Cave2017Settings(
    episodes=200,
    time_limit=game2017.TIME_LIMIT + 1,  # the author counts past his limit
    truncation="terminal",
    hidden=(128,),
    optimizer="rmsprop",
    learning_rate=0.00015,
    loss="clipped-huber",
    discount=0.9,
    epsilon=1.0,
    epsilon_end=0.1,
    epsilon_by="growing-steps",
    epsilon_decay=120_000,  # 10,000 updates, one in 12 steps
    replay_capacity=10_000,
    replay_states=True,  # it sees the same, and takes 4 MB instead of 920
    batch_size=32,
    learning_starts=40_000,  # when the author's memory is full
    train_every=12,  # every third of the steps that he remembers
    final_update=True,
    target_sync=0,  # his first target network is the online one, and in 200 flights it is never replaced
)

CAVE2017_SCREENS = Cave2017Settings(
    **dataclasses.asdict(CAVE_SCREENS)
    | {
        "time_limit": game2017.TIME_LIMIT,
        "observation": "halved",
        "reward": "survival",
        "starts": "any",
        "convolutions": "strided",
        "hidden": (256,),
        "first_value": 33.0,
        "discount": 0.97,
        "weight_average": 0.999,
        "steps": 8_000_000,
        "learning_rate_decay": 8_000_000,
    }
)

# After a million steps no early flight is left in memory, and the late ones hold few crashes: hence by priority.
CAVE2017_TUNED = dataclasses.replace(
    CAVE2017_SCREENS, **COLUMNS | {"prioritized": True, "steps": 8_000_000, "learning_rate_decay": 8_000_000}
)

CAVE2017_RECURRENT = dataclasses.replace(
    CAVE2017_SCREENS, network="recurrent", hidden=(128,), steps=1_000_000, learning_rate_decay=1_000_000
)
