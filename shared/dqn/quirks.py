"""What the tutorials do otherwise than the algorithms they teach; kept, so that their figures can be had again."""

from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from shared.arrays import Array
from shared.dqn.replay import Replay
from shared.dqn.settings import Settings

if TYPE_CHECKING:
    from shared.dqn.clock import Time


def growth(settings: Settings, time: "Time", xp: Any = np) -> Array:
    """What T3's epsilon falls with, in one step: the number of the episode, counted from 0.

    T3 means to let epsilon fall evenly over so many episodes, but takes the decrement of an episode at every step and
    multiplies it by the episode's number. It stops counting where epsilon has arrived, so that it never overflows.
    """
    return xp.minimum(time.episodes * settings.num_envs, settings.epsilon_decay - time.growth)


def first_sync(settings: Settings) -> int:
    """Until when T3's first target network is the online one: the first sync in the time of learning.

    (`copy.copy` of a Keras 1 model shared its weights.) It comes to the same to copy the weights after every update.
    """
    return (settings.learning_starts // settings.target_sync + 1) * settings.target_sync


def double_action(settings: Settings, batch: Replay, q_t: Array) -> Array:
    """The action whose value Double DQN takes in the next state, int32 [B]: the best one of the online network, `q_t`.

    In T3's it is the one that was taken in the state before.
    """
    return batch.a_tm1 if settings.double_rule == "tutorial" else ops.argmax(q_t, axis=-1)


def better_episode(score: Array, best_score: Array, ended: Array) -> Array:
    """Whether the weights that just played an episode are to be kept as the best, as T4 does: float32, 0 or 1.

    One lucky episode decides. Of episodes alike the last one counts.
    """
    return ops.cast(ops.logical_and(ended, score >= best_score), "float32")
