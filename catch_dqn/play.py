"""Watch a trained agent play, or play yourself: `python -m catch_dqn.play`."""

from catch_dqn.envs import CELL
from catch_dqn.experiment import EXPERIMENTS
from catch_dqn.game import LEFT, RIGHT, STAY
from shared.cli import command
from shared.playback import Keyboard, Stage, cells, play


def catch_keyboard():
    """A person's hands on the paddle of Catch."""
    return Keyboard({"KEY_LEFT": LEFT, "h": LEFT, "KEY_RIGHT": RIGHT, "l": RIGHT}, idle=STAY)


STAGES = {
    "catch": Stage(
        view=cells(CELL),
        verdict=lambda episode: "winner!" if episode.score > 0 else "loser!",
        tally=lambda played: f"won {sum(episode.score > 0 for episode in played)} of {len(played)}",
        keyboard=catch_keyboard,
        keys="arrows or h/l",
        human_fps=5.0,
    )
}


def main(argv):
    """Run the command with a list of arguments; returns its exit status."""
    return play(argv, "catch_dqn", EXPERIMENTS, STAGES)


if __name__ == "__main__":
    command(main)
