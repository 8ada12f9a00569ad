"""Whole games for a person to watch: on a screen, as text, or as a GIF or MP4 file.

A policy is `policy(observation) -> int`: a trained agent, a script, or a person at the keyboard (`Keyboard`).
"""

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared import files
from shared.errors import UserError

HOLD_SECONDS = 1.0  # how long the last frame of a game stands still
QUIT_KEYS = ("q", "Q")
FORMATS = (".gif", ".mp4")
GIF_TICK = 0.01  # seconds; a GIF counts its frame times in these
GIF_SHORTEST = 2  # ticks; browsers slow down anything shorter


@dataclass(frozen=True)
class Episode:
    """What came of one game."""

    score: float  # sum of its rewards
    steps: int


class Keyboard:
    """A person as a policy: the last known key pressed during a frame is the action, `idle` when there was none.

    Args:
        actions: key -> action (`"KEY_LEFT"`, `"h"`, `" "`).
        idle: the action when no key was pressed.
    """

    def __init__(self, actions, idle):
        self.actions, self.idle = actions, idle
        self.keys = []  # pressed during the last frame; `play_episodes` keeps it up to date

    def __call__(self, observation):
        """The action for the keys pressed since the last frame; the observation is on the screen."""
        return next((self.actions[key] for key in reversed(self.keys) if key in self.actions), self.idle)


def play_episodes(env, policy, screen, *, episodes, seed, view, status, verdict):
    """Play games frame by frame on a `shared.terminal.Screen` that is already entered.

    Args:
        env: a Gymnasium environment; it is reset with `seed` once, later games go on from there.
        policy: observation -> action. While a `Keyboard` plays, the game waits if the window is too small to see it.
        screen: where to show it; `q` ends the playing there.
        episodes: how many games.
        seed: of the environment.
        view: env -> (lines, picture), what `Screen.show` draws.
        status: (number of the game, score so far) -> the line under the frame.
        verdict: `Episode` -> the line shown when a game is over.

    Returns:
        a list of `Episode`s, one for each game that was played to its end.
    """
    played = []
    person = isinstance(policy, Keyboard)
    observation, _ = env.reset(seed=seed)
    for number in range(1, episodes + 1):
        score, steps, over = 0.0, 0, False
        while not over:
            visible = screen.show(*view(env), caption=[status(number, score)])
            keys = screen.wait()
            if any(key in QUIT_KEYS for key in keys):
                return played
            if person:
                policy.keys = keys
                if not visible:
                    continue
            observation, reward, terminated, truncated, _ = env.step(policy(observation))
            score, steps, over = score + float(reward), steps + 1, terminated or truncated
        played.append(Episode(score, steps))
        screen.show(*view(env), caption=[status(number, score), verdict(played[-1])])
        # A pause of whole frames, so that a person's screen keeps listening to keys.
        for _ in range(round(HOLD_SECONDS / screen.period) if screen.on_terminal else 1):
            if any(key in QUIT_KEYS for key in screen.wait()):
                return played
        if number < episodes:
            observation, _ = env.reset()
    return played


def record(path, env, policy, *, episodes, fps, seed):
    """Record games as an animation, `.gif` or `.mp4` by the name's end; written whole or not at all.

    Args:
        path: the file to write.
        env: a Gymnasium environment with `render_mode="rgb_array"`, reset with `seed` once.
        policy: observation -> action.
        episodes: how many games; the last frame of each stands still for a moment.
        fps: frames per second. A GIF counts its frame times in hundredths of a second, so it comes as near as that
            allows, to 50 at most.
        seed: of the environment.

    Returns:
        a list of `Episode`s.

    Raises:
        UserError: for another ending of the name, or a file that cannot be written.
    """
    check_format(path)
    hold = max(1, round(HOLD_SECONDS * fps))
    played, frames = [], _frames(env, policy, episodes, seed)

    def watched():
        for pixels, episode in frames:
            yield pixels, hold if episode else 1
            if episode:
                played.append(episode)

    encode = _gif if Path(path).suffix.lower() == ".gif" else _mp4
    data = encode(watched(), fps)
    files.write_bytes(path, data)
    return played


def check_format(path):
    """Raise `UserError` unless the name ends in something that `record` can write."""
    if Path(path).suffix.lower() not in FORMATS:
        raise UserError(f"{path}: unknown kind of animation; give a name that ends in {' or '.join(FORMATS)}")


def _frames(env, policy, episodes, seed):
    """(picture uint8 [H, W, 3], the `Episode` when this was its last picture or None) of every frame, as it is played."""
    for number in range(episodes):
        observation, _ = env.reset(seed=seed if number == 0 else None)
        score, steps, over = 0.0, 0, False
        while not over:
            yield env.render(), None
            observation, reward, terminated, truncated, _ = env.step(policy(observation))
            score, steps, over = score + float(reward), steps + 1, terminated or truncated
        yield env.render(), Episode(score, steps)


def _gif(frames, fps):
    """The frames, each with how many frame times it lasts, as the bytes of a GIF that repeats for ever."""
    from PIL import Image

    ticks = max(GIF_SHORTEST, round(1 / fps / GIF_TICK))

    def images():
        for pixels, count in frames:
            image = Image.fromarray(pixels)
            image.info["duration"] = round(1000 * GIF_TICK * ticks * count)  # ms
            yield image

    # Frame by frame: Pillow turns each picture into 256 colours or fewer as it comes, and stores what differs.
    rest, data = images(), io.BytesIO()
    next(rest).save(data, format="GIF", save_all=True, append_images=rest, loop=0)
    return data.getvalue()


def _mp4(frames, fps):
    """The frames as the bytes of an H.264 video that every browser plays: even sides, 4:2:0 colours."""
    import imageio

    options = {
        "codec": "libx264",
        "pixelformat": "yuv420p",
        "macro_block_size": 2,
        "output_params": ["-movflags", "+faststart"],
        "ffmpeg_log_level": "error",
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"  # its writer goes back and forth in the file, so not in memory
        with imageio.get_writer(path, format="FFMPEG", fps=fps, **options) as video:
            for pixels, count in frames:
                for _ in range(count):
                    video.append_data(_even(pixels))
        return path.read_bytes()


def _even(pixels):
    """The picture with its last row and column doubled where their number is odd."""
    rows, columns = pixels.shape[:2]
    return np.pad(pixels, ((0, rows % 2), (0, columns % 2), (0, 0)), mode="edge")
