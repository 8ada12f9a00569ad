"""CartPole as pure functions (Barto, Sutton and Anderson 1983), step for step what Gymnasium's CartPole-v1 does."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

GRAVITY = 9.8  # m/s²
CART_MASS, POLE_MASS = 1.0, 0.1  # kg
TOTAL_MASS = CART_MASS + POLE_MASS
HALF_LENGTH = 0.5  # m, from the hinge to the middle of the pole
FORCE = 10.0  # N, to the left or to the right
SECONDS = 0.02  # of one step
MAX_POSITION = 2.4  # m
MAX_ANGLE = math.radians(12)  # rad
START = 0.05  # each number of the start lies within -0.05 .. 0.05
LEFT, RIGHT = 0, 1


class State(NamedTuple):
    """N carts with a pole, side by side. All are float [N]."""

    position: Any  # m, of the cart, 0 in the middle
    velocity: Any  # m/s, of the cart
    angle: Any  # rad, of the pole, 0 upright, positive to the right
    spin: Any  # rad/s, how fast the angle grows


@dataclass(frozen=True)
class CartPole:
    """A pole stands on a cart that is pushed left or right; it must not fall.

    | | |
    |---|---|
    | Observation | position (m), velocity (m/s), angle (rad), spin (rad/s) |
    | Actions | 0 push left, 1 push right, with 10 N for 0.02 s |
    | Start | each of the four numbers uniform within -0.05 .. 0.05 |
    | End | the angle beyond 12°, or the cart beyond 2.4 m |
    | Reward | 1 for each step, the last one too |

    A time limit (CartPole-v1: 500 steps; T4 and T5: 200) is not part of the rules.

    The numbers have the precision of the state: float64 is Gymnasium's own and gives its very bits, float32 stays
    within 1e-6 of it in one step.
    """

    num_actions = 2
    observation_shape = (4,)
    reset_draws = 4
    step_draws = 0

    def reset(self, xp: Any, draws: Any) -> State:
        """Start N carts from `draws`, float [N, 4]."""
        start = START * (2.0 * draws - 1.0)
        return State(*(start[:, i] for i in range(4)))

    def step(self, xp: Any, state: State, action: Any, draws: Any) -> tuple[State, Any, Any]:
        """One step of N carts; `action` int32 [N], `draws` [N, 0] is not used.

        The equations of motion without friction (Florian 2007, eq. 23 and 24), Euler's method: the old speeds move the
        cart and the pole, then the accelerations change the speeds.
        """
        position, velocity, angle, spin = state
        to_the_right = FORCE * xp.ones_like(position)  # [N]
        force = xp.where(action == RIGHT, to_the_right, -to_the_right)
        cosine, sine = xp.cos(angle), xp.sin(angle)
        push = (force + POLE_MASS * HALF_LENGTH * xp.square(spin) * sine) / TOTAL_MASS
        inertia = HALF_LENGTH * (4.0 / 3.0 - POLE_MASS * xp.square(cosine) / TOTAL_MASS)
        spin_up = (GRAVITY * sine - cosine * push) / inertia  # rad/s²
        speed_up = push - POLE_MASS * HALF_LENGTH * spin_up * cosine / TOTAL_MASS  # m/s²
        state = State(
            position + SECONDS * velocity,
            velocity + SECONDS * speed_up,
            angle + SECONDS * spin,
            spin + SECONDS * spin_up,
        )
        terminated = xp.logical_or(xp.abs(state.position) > MAX_POSITION, xp.abs(state.angle) > MAX_ANGLE)
        return state, xp.ones_like(state.position), terminated

    def observe(self, xp: Any, state: State) -> Any:
        """The four numbers of each cart: float [N, 4]."""
        return xp.stack(state, axis=-1)
