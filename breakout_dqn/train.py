"""Train an agent for Breakout or another Atari game: `python -m breakout_dqn.train`."""

from breakout_dqn.experiment import SUITE
from shared.commands.parser import command
from shared.commands.train import train


def main(argv: list[str]) -> int:
    """Run the command with a list of arguments; returns its exit status."""
    return train(argv, SUITE)


if __name__ == "__main__":
    command(main)
