"""A Markov decision process solved twice: with its probabilities known, and by trying it out (T4).

Run it: `python -m tabular_rl.mdp`. Q-value iteration knows the chances and rewards; Q-learning only sees what happens.
"""

import dataclasses
import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shared import files
from shared.commands.parser import Parser, command, settings_from
from shared.errors import say
from shared.options import check_limits, option

# PROBABILITIES[state][action] are the chances of the next states 0, 1, 2; None: the action does not exist there.
PROBABILITIES: list[list[Any]] = [
    [[0.7, 0.3, 0.0], [1.0, 0.0, 0.0], [0.8, 0.2, 0.0]],
    [[0.0, 1.0, 0.0], None, [0.0, 0.0, 1.0]],
    [None, [0.8, 0.1, 0.1], None],
]
REWARDS = np.zeros((3, 3, 3))  # [state, action, next state]
REWARDS[0, 0, 0] = +10
REWARDS[1, 2, 2] = -50
REWARDS[2, 1, 0] = +40

STATES = ACTIONS = range(3)
POSSIBLE = [[action for action in ACTIONS if PROBABILITIES[state][action] is not None] for state in STATES]
DISCOUNT = 0.90
ROUNDS = 50  # of Q-value iteration
STEPS = 10_000  # of Q-learning
ALPHA, ALPHA_DECAY = 0.05, 0.005
TRUE_ROUNDS = 1000  # of Q-value iteration: enough for the last bit of the dashed line


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """What the command can be told."""

    seed: int = option(42, "Q-learning's random numbers come from it; 42 is the tutorial's", low=0, high=2**32 - 1)

    def __post_init__(self) -> None:
        check_limits(self)


class Solution(NamedTuple):
    """Action values, and how they came about."""

    q: np.ndarray  # float64 [3, 3]: q[state, action]; -inf where the action does not exist
    history: np.ndarray  # float64 [n, 3, 3]: the values before each round or step


def blank_values() -> np.ndarray:
    """0 for each action that exists, -inf for the others: float64 [3, 3]."""
    q = np.full((len(STATES), len(ACTIONS)), -np.inf)
    for state, actions in enumerate(POSSIBLE):
        q[state, actions] = 0.0
    return q


def iterate_q_values(discount: float = DISCOUNT, rounds: int = ROUNDS) -> Solution:
    """Q-value iteration (Bellman 1957): Q(s, a) <- Σ_s' T(s, a, s') (R(s, a, s') + γ max_a' Q(s', a')).

    Args:
        discount: gamma.
        rounds: times that every value is replaced.

    Returns a `Solution`.
    """
    q, history = blank_values(), []
    for _ in range(rounds):
        history.append(q)
        value = q.max(axis=1)  # [3], of each next state
        q = blank_values()
        for state in STATES:
            for action in POSSIBLE[state]:
                q[state, action] = np.dot(PROBABILITIES[state][action], REWARDS[state, action] + discount * value)
    return Solution(q, np.array(history))


def learn_q_values(
    random: np.random.RandomState,
    discount: float = DISCOUNT,
    steps: int = STEPS,
    alpha: float = ALPHA,
    alpha_decay: float = ALPHA_DECAY,
) -> Solution:
    """Q-learning (Watkins 1989) from random actions: Q(s, a) <- (1 - α_t) Q(s, a) + α_t (r + γ max_a' Q(s', a')).

    Args:
        random: a `numpy.random.RandomState`. (Its stream is frozen for good, so the tutorial's values come out.)
        discount: gamma.
        steps: actions taken, starting in state 0.
        alpha: the step size at the start.
        alpha_decay: how it falls: at step t it is alpha / (1 + alpha_decay t).

    Returns a `Solution`.
    """
    q, history, state = blank_values(), [], 0
    for step in range(steps):
        history.append(q.copy())
        action = random.choice(POSSIBLE[state])
        next_state = random.choice(STATES, p=PROBABILITIES[state][action])
        target = REWARDS[state, action, next_state] + discount * q[next_state].max()
        step_size = alpha / (1 + alpha_decay * step)
        q[state, action] += step_size * (target - q[state, action])
        state = next_state
    return Solution(q, np.array(history))


def draw(path: str | Path, iterated: Solution, learned: Solution, true_value: float) -> None:
    """Two panels of Q(s0, a0) against rounds and steps, with the true value as a dashed line.

    Args:
        path: the PNG file to write.
        iterated: the `Solution` of Q-value iteration.
        learned: that of Q-learning.
        true_value: of Q(s0, a0).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2, sharey=True)
    titles = ("Q-value iteration: the chances are known", "Q-learning: only what happens is seen")
    for panel, title, unit, solution in zip(panels, titles, ("rounds", "steps"), (iterated, learned), strict=True):
        panel.plot(solution.history[:, 0, 0])
        panel.axhline(true_value, color="black", linestyle="--", linewidth=1)
        panel.set_title(title, fontsize=10)
        panel.set_xlabel(unit)
        panel.set_xlim(0, len(solution.history))
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("Q(s0, a0)")
    panels[0].set_ylim(0, 24)
    panels[0].annotate(f"true value {true_value:.2f}", (1, true_value), (0, 5), textcoords="offset points")
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110, metadata={"Software": None})
    files.write_bytes(path, data.getvalue())


def main(argv: list[str]) -> int:
    """Run the command with a list of arguments; returns its exit status."""
    parser = Parser("tabular_rl.mdp", "Solve a small Markov decision process by Q-value iteration and by Q-learning.")
    parser.add_settings(Config())
    parser.add_output("--figure", "mdp.png", "the PNG file to draw both learning curves into")
    arguments = parser.parse_args(argv)
    config = settings_from(arguments, Config)

    iterated = iterate_q_values()
    print(f"Q-value iteration, {ROUNDS} rounds, discount {DISCOUNT}: rows are states, columns actions")
    print(iterated.q)
    print("best actions:", iterated.q.argmax(axis=1))
    patient = iterate_q_values(discount=0.95)
    print("the same at discount 0.95: now state 1 goes through the fire")
    print(patient.q)
    print("best actions:", patient.q.argmax(axis=1))

    learned = learn_q_values(np.random.RandomState(config.seed))
    print(f"Q-learning, {STEPS} steps, discount {DISCOUNT}:")
    print(learned.q)
    print("best actions:", learned.q.argmax(axis=1))

    draw(arguments.figure, iterated, learned, iterate_q_values(rounds=TRUE_ROUNDS).q[0, 0])
    say(f"how they got there: {arguments.figure}")
    return 0


if __name__ == "__main__":
    command(main)
