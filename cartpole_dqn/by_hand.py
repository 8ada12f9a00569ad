"""T4's policy by hand: push to the side to which the pole leans. `python -m cartpole_dqn.by_hand`.

It is what every agent has to beat: it knows where the pole is, but not where it is going, so it swings.
"""

from collections.abc import Callable

import gymnasium
import numpy as np

from cartpole_dqn.physics import LEFT, RIGHT
from cartpole_dqn.variant import ENV_ID, PUBLISHED_LIMIT
from shared.commands.parser import Parser, command

EPISODES = 500


def push_to_the_lean(observation: np.ndarray) -> int:
    """The action for one observation, float [4]."""
    angle = observation[2]
    return LEFT if angle < 0 else RIGHT


def scores(policy: Callable[[np.ndarray], int], episodes: int = EPISODES) -> np.ndarray:
    """Steps survived in Gymnasium's CartPole, of at most 200; episode i is reset with seed i. Float64 [episodes]."""
    env = gymnasium.make(ENV_ID, max_episode_steps=PUBLISHED_LIMIT)
    scores = np.zeros(episodes)
    for episode in range(episodes):
        observation, _ = env.reset(seed=episode)
        over = False
        while not over:
            observation, reward, terminated, truncated, _ = env.step(policy(observation))
            scores[episode] += reward
            over = terminated or truncated
    env.close()
    return scores


def main(argv: list[str]) -> int:
    """Run the command with a list of arguments; returns its exit status."""
    Parser("cartpole_dqn.by_hand", f"Play {EPISODES} episodes by T4's simple rule.").parse_args(argv)
    found = scores(push_to_the_lean)
    print(f"{EPISODES} episodes: mean {found.mean()}, std {found.std()}, min {found.min():.0f}, max {found.max():.0f}")
    return 0


if __name__ == "__main__":
    command(main)
