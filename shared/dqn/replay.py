"""Replay memory (Lin 1992; Mnih et al. 2015) as pure functions over a ring of arrays.

The memory is a value that the compiled loop carries along, not an object: `add` returns the next one.
"""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops, tree

from shared.arrays import Array

Seen = Any  # an observation [N, ...], or a game's own state: a named tuple of arrays [N, ...]

UNROLLED = 10  # steps of a return up to which they are written out one after the other; more of them are a loop


class Replay(NamedTuple):
    """C transitions (s_tm1, a_tm1, r_t, discount_t, s_t); slot i holds the i-th, modulo C.

    What is seen (s) is an observation, float32 [C, ...], or a game's own state, a named tuple of arrays [C, ...]. With
    `extend` a transition spans several steps: from s_tm1 and a_tm1 over the rewards on the way to s_t.
    """

    s_tm1: Seen  # seen before the action
    a_tm1: Array  # int32 [C]
    r_t: Array  # float32 [C]
    discount_t: Array  # float32 [C], 0 where the world ended, else gamma
    s_t: Seen  # seen after the action, also when the episode ended there


def empty(capacity: int, seen: Seen) -> Replay:
    """A memory of `capacity` blank transitions, in NumPy.

    Args:
        capacity: C.
        seen: what will be stored as s: any observation or state, with a leading axis.
    """

    def blank():
        return tree.map_structure(
            lambda a: np.zeros((capacity, *a.shape[1:]), keras.backend.standardize_dtype(a.dtype)), seen
        )

    numbers = np.zeros(capacity, np.float32)
    return Replay(blank(), np.zeros(capacity, np.int32), numbers, numbers.copy(), blank())


def size_in_bytes(capacity: int, seen: Seen) -> int:
    """What `empty` will occupy."""
    return capacity * sum(column.nbytes for column in tree.flatten(empty(1, seen)))


def add(replay: Replay, added: Array, transitions: Replay) -> Replay:
    """Write a block of G transitions over the oldest.

    Args:
        replay: the memory; its capacity is a multiple of G, so that a block never wraps.
        added: int32 scalar, how many transitions were ever added before this block.
        transitions: a `Replay` of G rows.
    """
    return _write(replay, added % replay.a_tm1.shape[0], transitions)


def extend(replay: Replay, added: Array, transitions: Replay, length: Array, n_step: int) -> Replay:
    """Carry the transitions of the last n - 1 steps on by one step, before `add` writes the newest ones.

    A transition then holds the discounted rewards of up to n steps, gamma^n in place of gamma, and what was seen after
    them: an n-step return (Sutton 1988; as in Hessel et al. 2018, eq. 1). It never reaches over an episode's end, and
    the newest ones are shorter.

    Args:
        replay, added, transitions: as for `add`.
        length: int32 [G], steps that the running episode of each game had taken before this one.
        n_step: n.
    """
    capacity, games = replay.a_tm1.shape[0], length.shape[0]

    def carry_on(back, replay):
        slot = (added - back * games) % capacity
        before = _read(replay, slot, games)
        after = Replay(
            before.s_tm1,
            before.a_tm1,
            before.r_t + before.discount_t * transitions.r_t,
            before.discount_t * transitions.discount_t,
            transitions.s_t,
        )
        goes_on = length >= back  # its step belongs to the running episode
        return _write(replay, slot, where(goes_on, after, before))

    if n_step > UNROLLED:
        return ops.fori_loop(1, n_step, carry_on, replay)
    for back in range(1, n_step):
        replay = carry_on(back, replay)
    return replay


def where(condition: Array, these: Any, those: Any) -> Any:
    """Row by row, `these` where `condition`, bool [G], holds, else `those`: named tuples of arrays [G, ...]."""

    def choose(new, old):
        return ops.where(ops.reshape(condition, (-1,) + (1,) * (len(old.shape) - 1)), new, old)

    return tree.map_structure(choose, these, those)


def _write(replay, slot, transitions):
    return tree.map_structure(
        lambda column, rows: ops.slice_update(column, (slot,) + (0,) * (len(column.shape) - 1), rows),
        replay,
        transitions,
    )


def _read(replay, slot, rows):
    return tree.map_structure(
        lambda column: ops.slice(column, (slot,) + (0,) * (len(column.shape) - 1), (rows, *column.shape[1:])), replay
    )


def sample(replay: Replay, added: Array, slots: Array, weights: Array) -> tuple[Replay, Array, Array]:
    """The transitions in some slots; while memory holds fewer than B, each of those once.

    Args:
        replay: the memory.
        added: int32 scalar, how many transitions were ever added (at least 1).
        slots, weights: what `shared.dqn.priorities` drew, int32 [B] and float32 [B].

    Returns a `Replay` of B rows, their slots int32 [B], and their weights, float32 [B]: 0 for a row that only fills the
    batch up.
    """
    batch = slots.shape[0]
    held = ops.minimum(added, replay.a_tm1.shape[0])
    row = ops.arange(batch, dtype="int32")
    slots = ops.where(held < batch, ops.minimum(row, held - 1), slots)  # [B]
    weights = ops.where(held < batch, ops.cast(row < held, "float32"), weights)
    return tree.map_structure(lambda column: ops.take(column, slots, axis=0), replay), slots, weights
