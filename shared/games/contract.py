"""What a game is: rules as pure functions over arrays, the same for NumPy and for the compiled loop.

A game is a frozen dataclass without any changing state of its own. Its methods are handed `xp`, which is `numpy` or
`keras.ops`, and arrays whose leading axis counts games played side by side (N). Chance never comes from inside:
each method that needs it takes `draws`, uniform numbers in [0, 1). The same draws give the same game everywhere.
`python -m shared.games.check module:Class` finds what a new game gets wrong.

Where replay memory holds states (`--replay-states`) and they are large, a game may also have `pack(xp, state)`, what
is to be kept of them, and `unpack(xp, packed)`, states that look the same to `observe`; see `cave_game/game.py`.
"""

from typing import Any, Protocol

from shared.arrays import Array

State = Any  # each game's own NamedTuple; every field has a leading [N] axis


class Game(Protocol):
    """The rules of one game; `catch_dqn/game.py` is the smallest example."""

    # Properties, or simply attributes of the class.
    @property
    def num_actions(self) -> int:
        """How many actions there are; they are called 0, 1, ..."""

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """The shape of what the player sees of one game."""

    @property
    def reset_draws(self) -> int:
        """How many uniform numbers one reset consumes."""

    @property
    def step_draws(self) -> int:
        """How many uniform numbers one step consumes."""

    def reset(self, xp: Any, draws: Array) -> State:
        """Start N games. `draws` is float32 [N, reset_draws]."""

    def step(self, xp: Any, state: State, action: Array, draws: Array) -> tuple[State, Array, Array]:
        """Play one step: `action` int32 [N], `draws` float32 [N, step_draws].

        Returns the next state, the reward (float32 [N]) and whether the game is over (bool [N]). A time limit is
        no rule of the game: it belongs to the loop or to the environment around it.
        """

    def observe(self, xp: Any, state: State) -> Array:
        """What the player sees: float32 [N, *observation_shape]."""
