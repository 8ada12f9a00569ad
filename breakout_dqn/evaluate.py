"""Score a trained agent over whole games: `python -m breakout_dqn.evaluate`."""

from breakout_dqn.experiment import SUITE
from shared.commands.evaluate import evaluate
from shared.commands.parser import command


def main(argv: list[str]) -> int:
    """Run the command with a list of arguments; returns its exit status."""
    return evaluate(argv, SUITE)


if __name__ == "__main__":
    command(main)
