"""Replay memory (Lin 1992; Mnih et al. 2015) as pure functions over a ring of arrays.

The memory is a value that the compiled loop carries along, not an object: `add` returns the next one.
"""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops, tree

TINY = 1e-6  # stands for an error where all are 0
CANDIDATES = 16  # from how many transitions a surprising one is picked, at most how much more often it is drawn


class Replay(NamedTuple):
    """C transitions (s_tm1, a_tm1, r_t, discount_t, s_t); slot i holds the i-th, modulo C.

    What is seen (s) is an observation, float32 [C, ...], or a game's own state, a named tuple of arrays [C, ...]. With
    `extend` a transition spans several steps: from s_tm1 and a_tm1 over the rewards on the way to s_t.
    """

    s_tm1: Any  # seen before the action
    a_tm1: Any  # int32 [C]
    r_t: Any  # float32 [C]
    discount_t: Any  # float32 [C], 0 where the world ended, else gamma
    s_t: Any  # seen after the action, also when the episode ended there


def empty(capacity, seen):
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


def size_in_bytes(capacity, seen):
    """What `empty` will occupy."""
    return capacity * sum(column.nbytes for column in tree.flatten(empty(1, seen)))


def add(replay, added, transitions):
    """Write a block of G transitions over the oldest.

    Args:
        replay: the memory; its capacity is a multiple of G, so that a block never wraps.
        added: int32 scalar, how many transitions were ever added before this block.
        transitions: a `Replay` of G rows.
    """
    return _write(replay, added % replay.a_tm1.shape[0], transitions)


def extend(replay, added, transitions, length, n_step):
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
    for back in range(1, n_step):
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
        replay = _write(replay, slot, where(goes_on, after, before))
    return replay


class Surprise(NamedTuple):
    """How far off the values of C transitions were when they were made; C is 0 where nobody asks."""

    value: Any  # float32 [C], what the online network said of the action when it was taken
    error: Any  # float32 [C], |target - value|; 0 for those whose target is not known yet


def note_values(surprise, added, value):
    """Keep what was expected of the G actions that are being taken, float32 [G]; how it turns out is not known yet."""
    slot = added % surprise.value.shape[0]
    return Surprise(
        ops.slice_update(surprise.value, (slot,), value),
        ops.slice_update(surprise.error, (slot,), ops.zeros_like(value)),
    )


def note_errors(surprise, replay, added, value_t, length, n_step):
    """How surprising the G transitions of n steps ago were, now that their last step has been made.

    Args:
        surprise, replay: the memory.
        added: int32 scalar, how many transitions were ever added.
        value_t: float32 [G], the value of the observations that they led to.
        length: int32 [G], steps of the running episodes so far.
        n_step: n.
    """
    games = length.shape[0]
    slot = (added - n_step * games) % surprise.value.shape[0]
    value, reward, discount = (
        ops.slice(column, (slot,), (games,)) for column in (surprise.value, replay.r_t, replay.discount_t)
    )
    known = ops.logical_or(length >= n_step, discount == 0)  # not after a cut: `value_t` is of another episode
    error = ops.where(known, ops.abs(reward + discount * value_t - value), 0.0)
    return surprise._replace(error=ops.slice_update(surprise.error, (slot,), error))


def where(condition, these, those):
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


def sample(replay, added, draws, surprise=None):
    """B transitions drawn with replacement; while memory holds fewer than B, each of those once.

    Drawn uniformly, or, given `surprise`, by their error: of `CANDIDATES` drawn uniformly one is picked in proportion
    to its error plus their mean error. This is the idea of prioritized replay (Schaul et al. 2016) by resampling (Rubin
    1987): it needs no tree of sums, and the weights that make up for it are at most 2. Unlike theirs, an error is the
    one that there was when the transition was made: it is not renewed when the transition is learned from. There are no
    exponents; the weights make up for all of it (their beta is 1).

    Args:
        replay: the memory.
        added: int32 scalar, how many transitions were ever added (at least 1).
        draws: float32 [D, B], uniform in [0, 1); D is `draws_per_row(surprise is not None)`.
        surprise: a `Surprise`, or None.

    Returns a `Replay` of B rows and their weights, float32 [B]: 1 for a row that counts, 0 for a row that only fills
    the batch up; with `surprise` 1 on average, so that the expected gradient is that of uniform draws.
    """
    batch = draws.shape[-1]
    capacity = replay.a_tm1.shape[0]
    held = ops.minimum(added, capacity)
    drawn = ops.cast(ops.floor(draws[:CANDIDATES] * ops.cast(held, "float32")), "int32")  # [1 or candidates, B]
    row = ops.arange(batch, dtype="int32")
    weight = ops.cast(row < held, "float32")
    if surprise is None:
        drawn = drawn[0]
    else:
        error = ops.take(surprise.error, drawn, axis=0)  # [candidates, B]
        chance = error + ops.mean(error, axis=0) + TINY
        upto = ops.cumsum(chance, axis=0)
        picked = ops.sum(ops.cast(draws[-1] * upto[-1] >= upto, "int32"), axis=0)
        picked = ops.minimum(picked, CANDIDATES - 1)[None]  # [1, B]
        weight = weight * (ops.mean(chance, axis=0) / ops.take_along_axis(chance, picked, axis=0)[0])
        drawn = ops.take_along_axis(drawn, picked, axis=0)[0]
    index = ops.where(held < batch, ops.minimum(row, held - 1), drawn)  # [B]
    rows = tree.map_structure(lambda column: ops.take(column, index, axis=0), replay)
    return rows, weight


def draws_per_row(prioritized):
    """Uniform numbers that `sample` needs for one row of a batch."""
    return CANDIDATES + 1 if prioritized else 1
