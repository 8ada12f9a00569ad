"""A Markov chain: states that follow one another by chance alone (T4). Run it: `python -m tabular_rl.markov_chain`."""

import dataclasses

import numpy as np

from shared.commands.parser import Parser, command, settings_from
from shared.options import check_limits, option

TRANSITIONS = np.array(
    [
        [0.7, 0.2, 0.0, 0.1],  # from state 0 to states 0, 1, 2, 3
        [0.0, 0.0, 0.9, 0.1],
        [0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
START, TERMINAL = 0, 3
MAX_STEPS = 1000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """What the command can be told."""

    walks: int = option(10, "how many", low=1)
    seed: int = option(42, "every random number comes from it; 42 is the tutorial's", low=0, high=2**32 - 1)

    def __post_init__(self) -> None:
        check_limits(self)


def walk(random: np.random.RandomState, start: int = START, max_steps: int = MAX_STEPS) -> list[int]:
    """The states visited from `start` until the terminal one, or `max_steps` of them: a list of int.

    Args:
        random: a `numpy.random.RandomState`. (Its stream is frozen for good, so the tutorial's walks come out.)
        start: the first state.
        max_steps: states after which a walk is broken off.
    """
    states = [start]
    while states[-1] != TERMINAL and len(states) < max_steps:
        states.append(int(random.choice(len(TRANSITIONS), p=TRANSITIONS[states[-1]])))
    return states


def expected_visits() -> np.ndarray:
    """How often a walk from state i comes to state j: float64 [3, 3], over the states that are not terminal.

    With Q the transitions among these, it is I + Q + Q² + ... = (I - Q)⁻¹, the chain's fundamental matrix (Kemeny and
    Snell 1960, theorem 3.2.4). Its row sums are the steps to expect until the end.
    """
    among = TRANSITIONS[:TERMINAL, :TERMINAL]
    return np.linalg.inv(np.eye(TERMINAL) - among)


def main(argv: list[str]) -> int:
    """Run the command with a list of arguments; returns its exit status."""
    parser = Parser("tabular_rl.markov_chain", "Walk through a Markov chain of four states, the last of them terminal.")
    parser.add_settings(Config())
    config = settings_from(parser.parse_args(argv), Config)
    random = np.random.RandomState(config.seed)
    for number in range(1, config.walks + 1):
        states = walk(random)
        broken_off = "" if states[-1] == TERMINAL else " ..."
        print(f"Run #{number}: {' '.join(map(str, states))}{broken_off}")
    print(f"steps to expect from state {START} to state {TERMINAL}: {expected_visits()[START].sum():.1f}")
    return 0


if __name__ == "__main__":
    command(main)
