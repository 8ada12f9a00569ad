"""Pictures and games inside a notebook, by the names of T4 and T5. No display is needed, not even a virtual one.

Matplotlib draws where the notebook shows it. Animations need IPython, which every notebook has.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from shared import files
from shared.display import playback
from shared.display.values import Mind
from shared.errors import UserError
from shared.late import late

pyplot = late("matplotlib.pyplot")
SHOWN_AS = {playback.GIF: "Image", playback.MP4: "Video"}  # the class of IPython.display that shows it
FPS = 50.0  # frames per second: CartPole and LunarLander in their own time


def plot_environment(env: gymnasium.Env, figsize: tuple[float, float] = (5, 4)) -> None:
    """Draw the picture of an environment made with `render_mode="rgb_array"`, without axes; `figsize` in inches."""
    pyplot.figure(figsize=figsize)
    pyplot.imshow(picture(env))
    pyplot.axis("off")


def picture(env: gymnasium.Env) -> np.ndarray:
    """The picture of an environment: uint8 [H, W, 3].

    Raises:
        UserError: if it has none.
    """
    if env.render_mode != "rgb_array":
        name = repr(env.spec.id) if env.spec is not None else "..."
        raise UserError(f"env: draws no picture; make it with gymnasium.make({name}, render_mode='rgb_array')")
    return np.asarray(env.render())


def show_one_episode(
    policy: Callable[[np.ndarray], int],
    n_max_steps: int = 200,
    seed: int = 42,
    env: str | gymnasium.Env = "CartPole-v1",
    fps: float = FPS,
) -> Any:
    """Play one episode and show it.

    Args:
        policy: observation -> action.
        n_max_steps: environment steps after which the episode is cut.
        seed: that the environment is reset with.
        env: a Gymnasium environment with `render_mode="rgb_array"`, or an id.
        fps: steps per second.

    Returns what a notebook shows as an animation.
    """
    if isinstance(env, str):
        env = gymnasium.make(env, render_mode="rgb_array", max_episode_steps=n_max_steps)
    else:
        env.reset(seed=seed)
        picture(env)  # or it says why not
        env = gymnasium.wrappers.TimeLimit(env, n_max_steps)
    return animated(env, policy, episodes=1, fps=fps, seed=seed)


def animated(
    env: gymnasium.Env,
    policy: Callable[[np.ndarray], int],
    *,
    episodes: int,
    fps: float,
    seed: int,
    every: int = 2,
    mind: Mind | None = None,
) -> Any:
    """Games as an animation that a notebook shows.

    Args:
        env, policy, episodes, fps, seed, mind: as of `shared.display.playback.record`.
        every: shows one picture of so many, at as small a part of its size.
    """
    show = _ipython("Image")
    small = playback.Small(env, every)
    data = playback.animation(small, policy, episodes=episodes, fps=fps, seed=seed, mind=mind)
    return show(data=data, format="gif")


def show_video(path: str | Path = "cartpole.mp4") -> Any:
    """What a notebook shows of a recorded game, an `.mp4` or `.gif` file; the file's content goes into the notebook.

    Raises:
        UserError: if there is no such file.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SHOWN_AS:
        raise UserError(f"{path}: neither {' nor '.join(SHOWN_AS)}; give a recorded game")
    if not Path(path).is_file():
        raise UserError(f"{path}: there is no such file; record a game first")
    return _ipython(SHOWN_AS[suffix])(filename=str(path), embed=True)


def shown_png(data: bytes) -> Any:
    """What a notebook shows of the bytes of a PNG file."""
    return _ipython("Image")(data=data, format="png")


def save_fig(
    fig_id: str,
    tight_layout: bool = True,
    fig_extension: str = "png",
    resolution: int = 300,
    folder: str | Path = "images",
) -> Path:
    """Write the current figure of `matplotlib.pyplot` as `images/<fig_id>.png`.

    Args:
        fig_id: the file's name, without its ending.
        tight_layout: leave no empty margins.
        fig_extension: the kind of file, and its ending.
        resolution: dots per inch.
        folder: where it goes; made if it is missing.

    Returns the path. Raises `UserError` if it cannot be written.
    """
    path = Path(folder) / f"{fig_id}.{fig_extension}"
    if tight_layout:
        pyplot.tight_layout()
    data = io.BytesIO()
    try:
        pyplot.savefig(data, format=fig_extension, dpi=resolution)
        path.parent.mkdir(parents=True, exist_ok=True)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    except OSError as error:
        raise files.user_error(path, error) from None
    files.write_bytes(path, data.getvalue())
    return path


def _ipython(name: str) -> Any:
    """A class of IPython.display."""
    try:
        from IPython import display
    except ImportError:
        raise UserError(
            "IPython: is not installed, and nothing else shows animations; pip install ipython, or record a file"
        ) from None
    return getattr(display, name)
