"""Train a policy: `python -m lunar_pg.train`."""

from lunar_pg.experiment import EXPERIMENTS
from shared.commands.parser import command
from shared.commands.train import train


def main(argv):
    """Run the command with a list of arguments; returns its exit status."""
    return train(argv, "lunar_pg", EXPERIMENTS)


if __name__ == "__main__":
    command(main)
