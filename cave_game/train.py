"""Train a DQN to fly through caves: `python -m cave_game.train`."""

from cave_game.experiment import EXPERIMENTS
from shared.commands.parser import command
from shared.commands.train import train


def main(argv):
    """Run the command with a list of arguments; returns its exit status."""
    return train(argv, "cave_game", EXPERIMENTS)


if __name__ == "__main__":
    command(main)
