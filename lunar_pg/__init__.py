"""Policy gradients for Gymnasium environments: T4's REINFORCE on CartPole and LunarLander, and what makes it good.

T4's names can be imported from here: `from lunar_pg import play_multiple_episodes` (`lunar_pg/tutorial.py`).
"""

import shared  # noqa: F401  keeps TensorFlow quiet, should it be imported
from shared.late import offer

__getattr__, __dir__ = offer(
    __name__,
    {
        "discount_rewards": "lunar_pg.reinforce:discount_rewards",
        "discount_and_normalize_rewards": "lunar_pg.reinforce:discount_and_normalize_rewards",
        "play_one_step": "lunar_pg.tutorial:play_one_step",
        "play_multiple_episodes": "lunar_pg.tutorial:play_multiple_episodes",
        "plot_environment": "shared.display.notebook:plot_environment",
        "show_one_episode": "shared.display.notebook:show_one_episode",
        "save_fig": "shared.display.notebook:save_fig",
    },
)
