"""T5's `run`: one greedy episode, every step of it printed, and a video of it. `python -m cartpole_dqn.run`."""

import numpy as np

from cartpole_dqn.experiment import SUITE
from shared.commands.parser import Parser, command
from shared.commands.play import PlaySettings
from shared.commands.trained import add_weights_arguments, load_trained
from shared.display.playback import Policy, check_recording, record
from shared.errors import say
from shared.late import late

greedy = late("shared.rollouts.greedy")

PACE = 50.0  # steps per second: a step is 0.02 s


def main(argv: list[str]) -> int:
    """Run the command with a list of arguments; returns its exit status."""
    parser = Parser("cartpole_dqn.run", "Play one greedy episode, print each step and write a video of it.")
    add_weights_arguments(parser, SUITE)
    parser.add_settings(PlaySettings(), only=("seed",))
    parser.add_output("--out", "cartpole.mp4", ".mp4 or .gif")
    arguments = parser.parse_args(argv)
    check_recording(arguments.out)
    trained = load_trained(arguments, SUITE)
    say(f"agent: {trained.weights}")
    seed = arguments.seed
    env = trained.experiment.env(trained.settings, render_mode="rgb_array")
    (episode,) = record(
        arguments.out, env, told(greedy.greedy_policy(trained.network())), episodes=1, fps=PACE, seed=seed
    )
    say(f"{episode.length} steps; recorded: {arguments.out}")
    return 0


def told(policy: Policy) -> Policy:
    """A policy that prints what it sees and does."""
    step = 0

    def choose(observation):
        nonlocal step
        step += 1
        action = policy(observation)
        print(f"step {step}: state {np.array2string(observation, precision=4, suppress_small=True)} action {action}")
        return action

    return choose


if __name__ == "__main__":
    command(main)
