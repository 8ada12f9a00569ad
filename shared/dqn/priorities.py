"""Which transitions to learn from: each as often as any other, or the surprising ones more often.

Proportional prioritized replay (Schaul et al. 2016): transition i is drawn with chance P(i) = p_i^α / Σ p^α, where p_i
is how wrong the network was when it last learned from it, and weighs (1 / (N · P(i)))^β, divided by the batch's largest
weight. A new transition has the largest priority there ever was, so that it is learned from once.

The priorities stand in rows of about sqrt(C), beside the sum of each row: a draw searches the sums, then one row; a
change adds up the rows it touches. (A tree of sums takes more steps, each of them small: slow in a compiled loop.)
"""

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

from keras import ops

from shared.arrays import Array
from shared.dqn.clock import Time

TINY = 1e-6  # added to an error, so that none is never drawn again


class Priorities(NamedTuple):
    """C priorities in R rows of W; all empty where nobody asks for them."""

    chance: Array  # float32 [R, W], p^α; 0 where nothing is stored
    sums: Array  # float32 [R]
    largest: Array  # float32, of all p^α so far


class Sampler(Protocol):
    """What draws transitions: `Uniform`, `Proportional`. The compiled loop carries its state along, as a value."""

    def empty(self) -> Priorities:
        """The state of an empty memory."""

    def add(self, state: Priorities, slot: Array, count: int) -> Priorities:
        """Note that `count` transitions were written from `slot` on."""

    def sample(self, state: Priorities, held: Array, draws: Array, time: Time) -> tuple[Array, Array]:
        """Slots int32 [B] and weights float32 [B] for uniform `draws` [B], of `held` transitions."""

    def learned(self, state: Priorities, slots: Array, errors: Array) -> Priorities:
        """Note how wrong the network was about what is in these slots, float32 [B]."""


class Uniform:
    """Every transition with the same chance."""

    def empty(self) -> Priorities:
        """The state: nothing."""
        return Priorities(ops.zeros((0, 0)), ops.zeros((0,)), ops.ones(()))

    def add(self, state: Priorities, slot: Array, count: int) -> Priorities:
        """Note that `count` transitions were written from `slot` on."""
        return state

    def sample(self, state: Priorities, held: Array, draws: Array, time: Time) -> tuple[Array, Array]:
        """Slots int32 [B] and weights float32 [B] for uniform `draws` [B], of `held` transitions."""
        slots = ops.cast(ops.floor(draws * ops.cast(held, "float32")), "int32")
        return slots, ops.ones_like(draws)

    def learned(self, state: Priorities, slots: Array, errors: Array) -> Priorities:
        """Note how wrong the network was about what is in these slots, float32 [B]."""
        return state


class Proportional:
    """Transitions with chances in proportion to their error to the power of α.

    Args:
        capacity: C.
        alpha: 0 is uniform, 1 proportional.
        beta: how much of the bias the weights make up for, function of the `shared.dqn.clock.Time`.
    """

    def __init__(self, capacity: int, alpha: float, beta: Callable[[Time], Array]) -> None:
        self.capacity, self.alpha, self.beta = capacity, alpha, beta
        self.width = math.isqrt(capacity - 1) + 1
        self.rows = -(-capacity // self.width)

    def empty(self) -> Priorities:
        """No transition yet."""
        return Priorities(ops.zeros((self.rows, self.width)), ops.zeros((self.rows,)), ops.ones(()))

    def add(self, state: Priorities, slot: Array, count: int) -> Priorities:
        """Give the `count` transitions from `slot` on the largest priority."""
        slots = slot + ops.arange(count, dtype="int32")
        return self._with(state, slots, ops.broadcast_to(state.largest, (count,)))

    def sample(self, state: Priorities, held: Array, draws: Array, time: Time) -> tuple[Array, Array]:
        """One draw from each of B equal parts of the sum: slots int32 [B], weights float32 [B] of at most 1."""
        count = draws.shape[0]
        upto = ops.cumsum(state.sums)  # [R]
        wanted = (ops.arange(count, dtype="float32") + draws) / count * upto[-1]  # [B]
        row = _first_above(upto[None], wanted)
        rest = wanted - (ops.take(upto, row) - ops.take(state.sums, row))
        within = ops.cumsum(ops.take(state.chance, row, axis=0), axis=1)  # [B, W]
        slots = ops.minimum(row * self.width + _first_above(within, rest), held - 1)
        chance = ops.take(ops.reshape(state.chance, (-1,)), slots) / upto[-1]
        weights = ops.power(ops.cast(held, "float32") * ops.maximum(chance, TINY / self.capacity), -self.beta(time))
        return slots, weights / ops.max(weights)

    def learned(self, state: Priorities, slots: Array, errors: Array) -> Priorities:
        """Renew the priorities of what was learned from."""
        chance = ops.power(errors + TINY, self.alpha)
        state = state._replace(largest=ops.maximum(state.largest, ops.max(chance)))
        return self._with(state, slots, chance)

    def _with(self, state, slots, values):
        row, column = slots // self.width, slots % self.width
        chance = ops.scatter_update(state.chance, ops.stack([row, column], axis=-1), values)
        sums = ops.scatter_update(state.sums, row[:, None], ops.sum(ops.take(chance, row, axis=0), axis=1))
        return state._replace(chance=chance, sums=sums)


def _first_above(upto, wanted):
    """In ascending rows [.., n] the first place whose value is above `wanted` [B], the last one at most: int32 [B]."""
    return ops.minimum(ops.sum(ops.cast(upto <= wanted[:, None], "int32"), axis=-1), upto.shape[-1] - 1)
