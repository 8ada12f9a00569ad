"""The seam of the algorithms: what a network's output is worth, and what a batch of transitions costs.

The engine plays, remembers and keeps the clock; of what is learned it knows only a `Learner`. To add one, write a class
and register it by name (`shared.names.LEARNERS`); docs/own_learner.md does it step by step.
"""

import keras

from shared.arrays import Array
from shared.dqn.replay import Replay
from shared.dqn.settings import Settings


class Learner:
    """What a kind of Q-learning is made of; the defaults are those of a network that puts out action values.

    Args:
        settings: a `shared.dqn.settings.Settings`.
    """

    reduction = "mean"  # what becomes of the rows of `loss`: their "mean" or their "sum" is descended

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def outputs(self, num_actions: int) -> int:
        """How many numbers the network below `head` puts out."""
        return num_actions

    def head(self, network: keras.Model, num_actions: int) -> keras.Model:
        """Complete a network that puts out [B, outputs] to one that puts out action values, [B, A].

        Acting, scoring, playback and files need nothing but the values: they know only the complete network.
        """
        return network

    def values(self, network: keras.Model, observation: Array) -> Array:
        """The action values that the complete network gives observations, float32 [B, A]."""
        return network(observation)

    def prepare(self, online: keras.Model, target: keras.Model) -> None:
        """Take what is needed of both networks; called once, before anything is compiled."""
        self.online, self.target = online, target

    def targets(self, batch: Replay) -> Array:
        """What the network should have said of each row, [B, ...]; no gradient flows through it."""
        raise NotImplementedError

    def loss(self, batch: Replay, targets: Array) -> tuple[Array, Array]:
        """How wrong the online network is: of each row the loss, and the error that makes it a priority, [B] each."""
        raise NotImplementedError
