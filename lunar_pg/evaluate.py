"""Score a trained policy: `python -m lunar_pg.evaluate`."""

from lunar_pg.experiment import EXPERIMENTS
from shared.commands.evaluate import evaluate
from shared.commands.parser import command


def main(argv):
    """Run the command with a list of arguments; returns its exit status."""
    return evaluate(argv, "lunar_pg", EXPERIMENTS)


if __name__ == "__main__":
    command(main)
