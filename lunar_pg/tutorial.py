"""T4's REINFORCE to be typed along, by its names: one step and its gradient, whole episodes, what to make of them.

    all_rewards, all_grads = play_multiple_episodes(env, 10, 200, model, loss_fn)
    all_final_rewards = discount_and_normalize_rewards(all_rewards, discount_factor=0.95)

The mean of the gradients, each times its final reward, is what the optimizer applies. `lunar_pg.trainer` does all that
in one gradient over the whole batch; a test holds the two together.
"""

from collections.abc import Callable

import gymnasium
import keras
import numpy as np
from keras import ops

from shared.arrays import Array
from shared.nn.backend import value_and_gradients

Loss = Callable[[Array, Array], Array]  # (what should have come, what came) -> loss of each row, or their mean


def play_one_step(
    env: gymnasium.Env, obs: np.ndarray, model: keras.Model, loss_fn: Loss
) -> tuple[np.ndarray, float, bool, bool, list[Array]]:
    """Draw an action by its probability and take it.

    Args:
        env: a Gymnasium environment that was reset with a seed: its random generator draws the action.
        obs: what was observed, [D].
        model: a policy, from observations [B, D] to the probability of action 0 alone, [B, 1] (a sigmoid, for two
            actions), or to those of all actions, [B, A] (a softmax).
        loss_fn: cross-entropy: `keras.losses.binary_crossentropy`, or `keras.losses.sparse_categorical_crossentropy`.

    Returns the next observation, the reward, whether the episode is over, whether it was cut, and the gradient for each
    of the model's trainable variables of the loss towards the action taken: going down makes it likelier.
    """
    draw = env.unwrapped.np_random.random()
    taken = 0

    def loss():
        nonlocal taken
        probability = model(obs[None])  # [1, 1] or [1, A]
        if probability.shape[-1] == 1:
            taken = int(draw >= float(probability[0, 0]))
            target = np.array([[1.0 - taken]], np.float32)
        else:
            taken = int((draw >= np.cumsum(ops.convert_to_numpy(probability)[0, :-1])).sum())
            target = np.array([taken])
        return ops.mean(loss_fn(target, probability))

    _, grads = value_and_gradients(loss, model.trainable_variables)
    obs, reward, done, truncated, _ = env.step(taken)
    return obs, float(reward), done, truncated, grads


def play_multiple_episodes(
    env: gymnasium.Env, n_episodes: int, n_max_steps: int, model: keras.Model, loss_fn: Loss, seed: int | None = None
) -> tuple[list[list[float]], list[list[list[Array]]]]:
    """Play whole episodes.

    Args:
        env, model, loss_fn: as of `play_one_step`.
        n_episodes: how many.
        n_max_steps: environment steps after which an episode is cut.
        seed: that the environment is reset with before the first one; None: it goes on from where it is.

    Returns the rewards, `all_rewards[episode][step]`, and the gradients, `all_grads[episode][step][variable]`.
    """
    all_rewards, all_grads = [], []
    for episode in range(n_episodes):
        obs, _ = env.reset(seed=seed if episode == 0 else None)
        rewards: list[float] = []
        grads: list[list[Array]] = []
        done = truncated = False
        while len(rewards) < n_max_steps and not (done or truncated):
            obs, reward, done, truncated, grad = play_one_step(env, obs, model, loss_fn)
            rewards.append(reward)
            grads.append(grad)
        all_rewards.append(rewards)
        all_grads.append(grads)
    return all_rewards, all_grads
