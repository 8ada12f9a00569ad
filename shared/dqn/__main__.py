"""A DQN for any Gymnasium environment: `python -m shared.dqn --env Acrobot-v1`, then `play` and `evaluate`."""

from shared.commands.parser import command
from shared.commands.program import run_suite
from shared.runs.own import any_env, is_registered
from shared.runs.suite import Suite

SUITE = Suite(
    "dqn",
    {name: any_env(name) for name in ("CartPole-v1", "Acrobot-v1", "MountainCar-v0")},
    flag="--env",
    make=any_env,
    known=is_registered,
    program="python -m shared.dqn",
)


def main(argv: list[str]) -> int:
    """Run the command with a list of arguments; returns its exit status."""
    return run_suite(argv, SUITE, default="train")


if __name__ == "__main__":
    command(main)
