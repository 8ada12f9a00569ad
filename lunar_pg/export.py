"""Write a trained agent for elsewhere: `python -m lunar_pg.export`."""

from lunar_pg.experiment import SUITE
from shared.commands.export import export
from shared.commands.parser import command


def main(argv: list[str]) -> int:
    """Run the command with a list of arguments; returns its exit status."""
    return export(argv, SUITE)


if __name__ == "__main__":
    command(main)
