"""Watch a trained agent, record it, or play yourself: `python -m breakout_dqn.play`."""

from breakout_dqn.experiment import SUITE
from shared.commands.parser import command
from shared.commands.play import play


def main(argv: list[str]) -> int:
    """Run the command with a list of arguments; returns its exit status."""
    return play(argv, SUITE)


if __name__ == "__main__":
    command(main)
