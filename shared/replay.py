"""Replay memory (Lin 1992; Mnih et al. 2015) as pure functions over a ring of arrays.

The memory is a value that the compiled loop carries along, not an object: `add` returns the next one.
"""

import os
from typing import Any, NamedTuple

import numpy as np
from keras import ops


class Replay(NamedTuple):
    """C transitions (s_tm1, a_tm1, r_t, discount_t, s_t); slot i holds the i-th, modulo C."""

    s_tm1: Any  # float32 [C, ...], observation before the action
    a_tm1: Any  # int32 [C]
    r_t: Any  # float32 [C]
    discount_t: Any  # float32 [C], 0 where the world ended, else gamma
    s_t: Any  # float32 [C, ...], observation after the action, also when the episode ended there


def empty(capacity, observation_shape):
    """A memory of `capacity` blank transitions, in NumPy."""
    return Replay(
        np.zeros((capacity, *observation_shape), np.float32),
        np.zeros(capacity, np.int32),
        np.zeros(capacity, np.float32),
        np.zeros(capacity, np.float32),
        np.zeros((capacity, *observation_shape), np.float32),
    )


def size_in_bytes(capacity, observation_shape):
    """What `empty` will occupy."""
    return capacity * 4 * (3 + 2 * int(np.prod(observation_shape)))


def add(replay, added, transitions):
    """Write a block of G transitions over the oldest.

    Args:
        replay: the memory; its capacity is a multiple of G, so that a block never wraps.
        added: int32 scalar, how many transitions were ever added before this block.
        transitions: a `Replay` of G rows.
    """
    slot = added % replay.a_tm1.shape[0]
    return Replay(
        *(
            ops.slice_update(column, (slot,) + (0,) * (len(column.shape) - 1), rows)
            for column, rows in zip(replay, transitions, strict=True)
        )
    )


def sample(replay, added, draws):
    """B transitions drawn uniformly with replacement; while memory holds fewer than B, each of those once.

    Args:
        replay: the memory.
        added: int32 scalar, how many transitions were ever added (at least 1).
        draws: float32 [B], uniform in [0, 1).

    Returns a `Replay` of B rows and their weights, float32 [B]: 1 for a row that counts, 0 for a row that only fills
    the batch up.
    """
    batch = draws.shape[0]
    capacity = replay.a_tm1.shape[0]
    held = ops.minimum(added, capacity)
    drawn = ops.cast(ops.floor(draws * ops.cast(held, "float32")), "int32")  # [B]
    row = ops.arange(batch, dtype="int32")
    index = ops.where(held < batch, ops.minimum(row, held - 1), drawn)  # [B]
    rows = Replay(*(ops.take(column, index, axis=0) for column in replay))
    return rows, ops.cast(row < held, "float32")


def physical_bytes():
    """The memory of this machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
