"""Games that a page shows, step by step: an agent's, a person's, or both from the same draws."""

import base64
import dataclasses
import io
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from PIL import Image

from shared.display.playback import Policy, Stage
from shared.rollouts.action_values import Adviser, Outlook
from shared.rollouts.trace import Episode

AGENT, PERSON = "agent", "person"
PLAYERS = (AGENT, PERSON)


@dataclasses.dataclass(frozen=True)
class Table:
    """What games are played with."""

    make_env: Callable[[], gymnasium.Env]  # with render_mode="rgb_array"
    policy: Policy  # the agent
    outlook: Outlook  # what it thinks of its actions
    adviser: Adviser | None  # who knows better, if anybody does
    stage: Stage


class Board:
    """One game.

    Args:
        table: what it is played with.
        seed: that its environment is reset with; two boards of one seed play the same game.
    """

    def __init__(self, table: Table, seed: int) -> None:
        self.table, self.env = table, table.make_env()
        self.observation, _ = self.env.reset(seed=seed)
        self.score, self.length, self.over = 0.0, 0, False
        self.action: int | None = None  # the last one
        self.random = False  # whether chance has chosen it

    def step(self, action: int, random: bool) -> None:
        """Play one step."""
        self.observation, reward, terminated, truncated, _ = self.env.step(action)
        self.score, self.length = self.score + float(reward), self.length + 1
        self.action, self.random, self.over = action, random, bool(terminated or truncated)

    def frame(self) -> dict[str, Any]:
        """What the page shows of it, as JSON has it."""
        verdict = self.table.stage.verdict(Episode(self.score, self.length)) if self.over else ""
        advice = None if self.over or self.table.adviser is None else self.table.adviser(self.env)._asdict()
        return {
            "picture": {"png": png(self.env.render())},
            "values": self.table.outlook(self.observation).values.tolist(),
            "advice": advice,
            "action": self.action,
            "random": self.random,
            "score": self.score,
            "length": self.length,
            "over": self.over,
            "verdict": verdict,
        }


class Match:
    """The games of one or two players, from the same draws.

    Args:
        table: what they are played with.
        seed: every random number of it comes from there.
        players: of `PLAYERS`.
    """

    def __init__(self, table: Table, seed: int, players: Sequence[str]) -> None:
        self.table, self.boards = table, {player: Board(table, seed) for player in players}
        self._exploring = np.random.default_rng([seed, 1])

    def step(self, person: int, epsilon: float) -> None:
        """One step of each game that goes on: the person's action, and the agent's.

        `epsilon` is the chance that the agent takes a random action instead of its own.
        """
        for player, board in self.boards.items():
            if not board.over:
                board.step(*((person, False) if player == PERSON else self._choice(board, epsilon)))

    def _choice(self, board, epsilon):
        explores, which = self._exploring.random(2, dtype=np.float32)
        if explores < epsilon:
            return int(which * board.env.action_space.n), True
        return self.table.policy(board.observation), False

    def frames(self) -> dict[str, Any]:
        """What the page shows, by player."""
        return {player: board.frame() for player, board in self.boards.items()}

    def close(self) -> None:
        """Close the environments."""
        for board in self.boards.values():
            board.env.close()


def png(picture: np.ndarray) -> str:
    """A picture, uint8 [H, W, 3], as a `data:` address."""
    data = io.BytesIO()
    Image.fromarray(picture).save(data, format="PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"
