"""What the games look like in a terminal, and which keys a person plays with."""

from collections.abc import Callable, Sequence
from types import ModuleType

from catch_dqn import ball_game, game
from catch_dqn.envs import CELL
from shared.display.playback import Keyboard, Stage, cells
from shared.rollouts.trace import Episode


def keyboard(rules: ModuleType) -> Callable[[], Keyboard]:
    """A function that puts a person's hands on the paddle, by the action numbers of the module `rules`."""
    left, right = rules.LEFT, rules.RIGHT
    return lambda: Keyboard({"KEY_LEFT": left, "h": left, "KEY_RIGHT": right, "l": right}, idle=rules.STAY)


def mean_score(played: Sequence[Episode]) -> str:
    """The tally of games that are not simply won or lost."""
    return f"mean score {sum(episode.score for episode in played) / len(played):g} over {len(played)} games"


BALL_STAGE = Stage(
    view=cells(CELL),
    verdict=lambda episode: f"score {episode.score:g} in {episode.length} steps",
    tally=mean_score,
    keyboard=keyboard(ball_game),
    keys="arrows or h/l",
    actions=("stay", "left", "right"),
    human_fps=7.0,
    counter="score",
)

STAGES = {
    "catch": Stage(
        view=cells(CELL),
        verdict=lambda episode: "winner!" if episode.score > 0 else "loser!",
        tally=lambda played: f"won {sum(episode.score > 0 for episode in played)} of {len(played)}",
        keyboard=keyboard(game),
        keys="arrows or h/l",
        actions=("left", "stay", "right"),
        human_fps=5.0,
    ),
    "ball8": BALL_STAGE,
    "ball16": BALL_STAGE,
}
