"""Deep Q-learning as pure functions.

Time-step suffixes: `_tm1` is the step before the action (t minus 1), `_t` the step after it. `discount_t` is gamma, or
0 after the world ended; after a time limit it stays gamma, because the world went on.
"""

from keras import ops

from shared.arrays import Array


def epsilon_greedy(q: Array, explore: Array, choice: Array, epsilon: Array) -> Array:
    """With chance epsilon any action, else the one of highest value (Watkins 1989).

    Args:
        q: float32 [G, A], action values.
        explore: float32 [G], uniform draws; below epsilon the action is a random one.
        choice: float32 [G], uniform draws that pick the random action.
        epsilon: float scalar.

    Returns int32 [G].
    """
    random_action = ops.cast(ops.floor(choice * q.shape[-1]), "int32")
    return ops.where(explore < epsilon, random_action, ops.cast(ops.argmax(q, axis=-1), "int32"))


def td_target(r_t: Array, discount_t: Array, q_t: Array, a_t: Array | None = None) -> Array:
    """What Q(s_tm1, a_tm1) should have been: r_t + discount_t * value of s_t, float32 [B].

    Args:
        r_t, discount_t: float32 [B].
        q_t: float32 [B, A], values of s_t by the network that is trusted (the target network, where there is one).
        a_t: int32 [B] or None. None: the value is max_a q_t (Watkins 1989; Mnih et al. 2015, eq. 2). Else it is that
            of action a_t. For Double DQN this is the online network's best action in s_t (van Hasselt, Guez and
            Silver 2016, eq. 4); T3's variant of it has a_tm1 there.
    """
    value_t = ops.max(q_t, axis=-1) if a_t is None else ops.take_along_axis(q_t, a_t[:, None], axis=-1)[:, 0]
    return r_t + discount_t * value_t


def replace_taken(q_tm1: Array, a_tm1: Array, target: Array) -> Array:
    """`q_tm1` with the taken action's value replaced by `target`: the y_true of a Keras loss, float32 [B, A].

    Untaken actions then have zero error. A loss that takes the mean over actions divides the taken action's error
    by A, as T1 does.
    """
    taken = ops.one_hot(a_tm1, q_tm1.shape[-1], dtype="bool")  # [B, A]
    return ops.where(taken, target[:, None], q_tm1)
