"""DQN (Mnih et al. 2015), with fixed targets or without, and Double DQN (van Hasselt, Guez and Silver 2016)."""

from keras import ops

from shared.arrays import Array
from shared.dqn import quirks
from shared.dqn.formulas import replace_taken, td_target
from shared.dqn.learners import Learner
from shared.dqn.replay import Replay
from shared.dqn.settings import Settings
from shared.late import load
from shared.names import LOSSES


class DQN(Learner):
    """The target is r_t + discount_t · value of s_t, by the target network, where there is one.

    Which loss there is of the difference, and how it reduces, the settings say (`shared/nn/losses.py`).
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.error = load(LOSSES, settings.loss)()
        self.reduction = "sum" if self.error.reduction == "sum" else "mean"

    def targets(self, batch: Replay) -> Array:
        """float32 [B]."""
        a_t = None  # the target network's own best action
        if self.settings.double:
            a_t = quirks.double_action(self.settings, batch, self.values(self.online, batch.s_t))  # [B]
        return td_target(batch.r_t, batch.discount_t, self.values(self.target, batch.s_t), a_t)

    def loss(self, batch: Replay, targets: Array) -> tuple[Array, Array]:
        """Of each row the loss over the vector of action values, of which the taken one alone has an error."""
        q_tm1 = self.values(self.online, batch.s_tm1)  # [B, A]
        y_true = ops.stop_gradient(replace_taken(q_tm1, batch.a_tm1, targets))
        return self.error.call(y_true, q_tm1), ops.sum(ops.abs(y_true - q_tm1), axis=-1)
