"""Quantile regression DQN (Dabney et al. 2018): to `dqn`, the whole distribution of the return, by its quantiles.

For every action the network puts out N numbers; the i-th learns the quantile of the return at (i + 0.5) / N. An
action's value is their mean. The target of a quantile is a sample r_t + discount_t · θ'_j of the best next action's
distribution: of a batch of N targets each pulls at each quantile, up with weight τ_i, down with 1 - τ_i.
"""

import keras
import numpy as np
from keras import ops

from shared.arrays import Array
from shared.dqn import quirks
from shared.dqn.learners import Learner
from shared.dqn.replay import Replay


class Quantile(Learner):
    """A network of A · N outputs; `--atoms` is N."""

    def outputs(self, num_actions: int) -> int:
        """A number for each quantile of each action."""
        return num_actions * self.settings.atoms

    def head(self, network: keras.Model, num_actions: int) -> keras.Model:
        """The mean over the quantiles."""
        quantiles = keras.layers.Reshape((self.settings.atoms, num_actions), name="distribution")(network.outputs[0])
        values = keras.layers.GlobalAveragePooling1D(name="q_values")(quantiles)  # [B, N, A] -> [B, A]
        return keras.Model(network.inputs[0], values, name=network.name)

    def prepare(self, online: keras.Model, target: keras.Model) -> None:
        """The networks up to their distributions."""
        super().prepare(online, target)
        self.quantiles, self.target_quantiles = (
            keras.Model(network.inputs[0], network.get_layer("distribution").output) for network in (online, target)
        )

    def targets(self, batch: Replay) -> Array:
        """N samples of each row's return: float32 [B, N]."""
        theta_t = self.target_quantiles(batch.s_t)  # [B, N, A]
        a_t = ops.argmax(ops.mean(theta_t, axis=1), axis=-1)  # [B]
        if self.settings.double:
            a_t = quirks.double_action(self.settings, batch, self.values(self.online, batch.s_t))
        return batch.r_t[:, None] + batch.discount_t[:, None] * of_action(theta_t, a_t)

    def loss(self, batch: Replay, targets: Array) -> tuple[Array, Array]:
        """`quantile_huber_loss` of the action taken; it is its own priority."""
        rows = quantile_huber_loss(of_action(self.quantiles(batch.s_tm1), batch.a_tm1), ops.stop_gradient(targets))
        return rows, rows


def of_action(theta: Array, action: Array) -> Array:
    """The distribution of one action in each row: [B, N, A] and int [B] -> [B, N]."""
    return ops.take_along_axis(theta, action[:, None, None], axis=-1)[..., 0]


def quantile_huber_loss(theta: Array, samples: Array) -> Array:
    """The sum over quantiles of the mean over samples of |τ - 1{u < 0}| · Huber(u), u = sample - quantile (eq. 9-10).

    Args:
        theta: float32 [B, N], the quantiles at τ_i = (i + 0.5) / N.
        samples: float32 [B, M], of the distribution that they should describe.

    Returns float32 [B].
    """
    u = samples[:, None, :] - theta[:, :, None]  # [B, N, M]
    tau = ((np.arange(theta.shape[-1]) + 0.5) / theta.shape[-1]).astype(np.float32)[None, :, None]
    bent = ops.minimum(ops.abs(u), 1.0)
    huber = 0.5 * ops.square(bent) + ops.abs(u) - bent
    return ops.sum(ops.mean(ops.abs(tau - ops.cast(u < 0, "float32")) * huber, axis=-1), axis=-1)
