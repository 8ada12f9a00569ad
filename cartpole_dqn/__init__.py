"""CartPole in seven ways: by a network that cannot learn it, by a table, and by every kind of DQN.

The names of T4 and T5 can be imported from here: `from cartpole_dqn import Agent, QTable` (`cartpole_dqn/tutorial.py`).
"""

import shared  # noqa: F401  keeps TensorFlow quiet, should it be imported
from shared.late import offer

__getattr__, __dir__ = offer(
    __name__,
    {
        "ReplayBuffer": "cartpole_dqn.tutorial:ReplayBuffer",
        "epsilon_greedy_policy": "cartpole_dqn.tutorial:epsilon_greedy_policy",
        "play_one_step": "cartpole_dqn.tutorial:play_one_step",
        "sample_experiences": "cartpole_dqn.tutorial:sample_experiences",
        "training_step": "cartpole_dqn.tutorial:training_step",
        "clone_model": "shared.nn.copies:clone_model",
        "plot_environment": "shared.display.notebook:plot_environment",
        "show_one_episode": "shared.display.notebook:show_one_episode",
        "save_fig": "shared.display.notebook:save_fig",
        "Agent": "cartpole_dqn.tutorial:Agent",
        "QFunction": "cartpole_dqn.tutorial:QFunction",
        "QNetwork": "cartpole_dqn.tutorial:QNetwork",
        "QTable": "cartpole_dqn.tutorial:QTable",
        "show_video": "shared.display.notebook:show_video",
    },
)
