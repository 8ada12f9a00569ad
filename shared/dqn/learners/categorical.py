"""C51 (Bellemare et al. 2017): to `dqn`, the whole distribution of the return, as chances of fixed values.

For every action the network puts out the chances of N returns z_i, evenly spaced from the least to the greatest
possible. An action's value is Σ z_i p_i. The target is the best next action's distribution, shrunk by the discount and
shifted by the reward, whose chances are shared out among the neighbouring z_i; the loss is the cross-entropy.
"""

import keras
import numpy as np
from keras import ops

from shared.arrays import Array
from shared.dqn import quirks
from shared.dqn.learners import Learner
from shared.dqn.learners.quantile import of_action
from shared.dqn.replay import Replay
from shared.nn.layers import Expectation


class Categorical(Learner):
    """A network of A · N outputs; `--atoms` is N, `--lowest-return` and `--highest-return` are its ends."""

    def outputs(self, num_actions: int) -> int:
        """A logit for each return of each action."""
        return num_actions * self.settings.atoms

    def head(self, network: keras.Model, num_actions: int) -> keras.Model:
        """The expectation over the returns."""
        settings = self.settings
        logits = keras.layers.Reshape((settings.atoms, num_actions), name="distribution")(network.outputs[0])
        values = Expectation(settings.lowest_return, settings.highest_return, name="q_values")(logits)
        return keras.Model(network.inputs[0], values, name=network.name)

    def prepare(self, online: keras.Model, target: keras.Model) -> None:
        """The networks up to their logits, [B, N, A]."""
        super().prepare(online, target)
        self.logits, self.target_logits = (
            keras.Model(network.inputs[0], network.get_layer("distribution").output) for network in (online, target)
        )
        self.returns = np.linspace(
            self.settings.lowest_return, self.settings.highest_return, self.settings.atoms, dtype=np.float32
        )

    def targets(self, batch: Replay) -> Array:
        """The chances of the returns: float32 [B, N]."""
        p_t = ops.softmax(self.target_logits(batch.s_t), axis=1)  # [B, N, A]
        a_t = ops.argmax(ops.sum(p_t * self.returns[:, None], axis=1), axis=-1)  # [B]
        if self.settings.double:
            a_t = quirks.double_action(self.settings, batch, self.values(self.online, batch.s_t))
        returns = batch.r_t[:, None] + batch.discount_t[:, None] * self.returns  # [B, N]
        return project(returns, of_action(p_t, a_t), self.returns)

    def loss(self, batch: Replay, targets: Array) -> tuple[Array, Array]:
        """The cross-entropy of the action taken; it is its own priority."""
        logits = of_action(self.logits(batch.s_tm1), batch.a_tm1)  # [B, N]
        rows = -ops.sum(ops.stop_gradient(targets) * ops.log_softmax(logits, axis=-1), axis=-1)
        return rows, rows


def project(returns: Array, chances: Array, support: Array) -> Array:
    """Share out the chances of some returns among the values of a support (eq. 7): float32 [B, N].

    A return between two neighbouring values gives each as much as it is near; one beyond the ends goes to the end.

    Args:
        returns, chances: float32 [B, M].
        support: ascending, evenly spaced, [N].
    """
    step = support[1] - support[0]
    within = ops.clip(returns, support[0], support[-1])[:, None, :]  # [B, 1, M]
    share = ops.clip(1.0 - ops.abs(within - support[:, None]) / step, 0.0, 1.0)  # [B, N, M]
    return ops.sum(share * chances[:, None, :], axis=-1)
