"""Whole games for a person to watch or to play: on a screen, as text, or as a GIF or MP4 file.

A policy is `policy(observation) -> int`: a trained agent, a script, or a person at the keyboard (`Keyboard`). A
`Stage` says how a game looks and is played.
"""

import dataclasses
import io
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from PIL import Image

from shared import files
from shared.display.terminal import Screen, can_show
from shared.display.values import FULL, Mind
from shared.errors import UserError
from shared.games.window import Window
from shared.late import late
from shared.rollouts.trace import Episode

imageio = late("imageio")

Policy = Callable[[np.ndarray], int]  # observation -> action
View = Callable[[gymnasium.Env], tuple[list[str], np.ndarray]]  # env -> its lines of text, its picture in cells
# Pictures of Gymnasium's own games come from SDL, which would look for a display and complain where there is none.
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
HOLD_SECONDS = 1.0  # how long the last frame of a game stands still
QUIT_KEYS = {"q", "Q"}
GIF, MP4 = ".gif", ".mp4"
GIF_TICK = 0.01  # seconds; a GIF counts its frame times in these
GIF_SHORTEST = 2  # ticks; browsers slow down anything shorter


class Keyboard:
    """A person as a policy: the last key of a frame that means something is the action, or `idle`.

    Args:
        actions: dict from key (`"KEY_LEFT"`, `"h"`, `" "`) to action.
        idle: the action when no such key was pressed.
        waits: every game stands still until its first such key.
        keeps: the last action goes on until there is another; `idle` is the first one.
    """

    def __init__(self, actions: Mapping[str, int], idle: int, waits: bool = False, keeps: bool = False) -> None:
        self.actions, self.idle, self.waits, self.keeps = actions, idle, waits, keeps
        self.keys: Sequence[str] = []  # pressed during the last frame; `play_episodes` sets both
        self.visible = True  # whether that frame could be seen
        self._begun = not waits

    def begin(self) -> None:
        """A new game starts: forget what was pressed in the last one."""
        self.keys, self._begun = [], not self.waits

    def ready(self) -> bool:
        """Whether the game goes on with the keys pressed since the last frame."""
        if not self.visible:
            return False
        self._begun = self._begun or any(key in self.actions for key in self.keys)
        return self._begun

    def __call__(self, observation: np.ndarray) -> int:
        """The action for the keys pressed since the last frame; what to observe is on the screen."""
        action = next((self.actions[key] for key in reversed(self.keys) if key in self.actions), self.idle)
        if self.keeps:
            self.idle = action
        return action


@dataclasses.dataclass(frozen=True)
class Stage:
    """How one game is shown and played."""

    view: View  # what `Screen.show` draws
    verdict: Callable[[Episode], str]  # one line, when a game is over
    tally: Callable[[Sequence[Episode]], str]  # one line, at the end
    keyboard: Callable[[], Keyboard]  # makes the person's policy
    keys: str  # one line that says which keys those are
    fps: float = 10.0  # frames per second when an agent plays
    human_fps: float = 10.0  # and when a person does
    half_blocks: bool = False  # as of `Screen`
    counter: str = ""  # what the score so far is called, if a person should see it while a game goes on
    counts: str = "score"  # what that is, of a `Moment`: the sum of rewards, or the length
    actions: Sequence[str] = ()  # what they are called; without names they go by their numbers
    every: int = 1  # a window shows every so manieth picture, and so does a GIF, at as small a part of its size


class Moment(NamedTuple):
    """A game as it stands before an action, or at its end."""

    game: int  # its number, from 1 on
    score: float  # so far
    length: int  # steps so far
    over: bool = False


def moments(
    env: gymnasium.Env,
    policy: Policy,
    *,
    episodes: int,
    seed: int,
    played: list[Episode],
    mind: Mind | None = None,
) -> Iterator[Moment]:
    """Play games, one after the other: yields before each action and at each end. All that is shown goes through here.

    A game that a `Keyboard` plays stands still, the same moment coming again, until the person is ready.

    Args:
        env: a Gymnasium environment; it is reset with `seed` once, later games go on from there.
        policy: observation -> action.
        episodes: how many games.
        seed: of the environment.
        played: each game that came to its end is added here.
        mind: is told of each action before it is taken, where an agent plays.
    """
    person = policy if isinstance(policy, Keyboard) else None
    for game in range(1, episodes + 1):
        observation, _ = env.reset(seed=seed if game == 1 else None)
        if person is not None:
            person.begin()
        score, length, over = 0.0, 0, False
        while not over:
            if mind is not None:
                action = policy(observation)
                mind.think(env, observation, action)
            yield Moment(game, score, length)
            if person is not None and not person.ready():
                continue
            if mind is None:
                action = policy(observation)
            observation, reward, terminated, truncated, _ = env.step(action)
            score, length, over = score + float(reward), length + 1, terminated or truncated
        played.append(Episode(score, length))
        yield Moment(game, score, length, over=True)


def play_episodes(
    env: gymnasium.Env,
    policy: Policy,
    screen: Screen,
    stage: Stage,
    *,
    episodes: int,
    seed: int,
    help_line: Sequence[str] = (),
    mind: Mind | None = None,
) -> list[Episode]:
    """Play games frame by frame on a `Screen` that is already entered; `q` ends it early.

    While a `Keyboard` plays, the game waits for as long as the window is too small to show it.

    Args:
        env: a Gymnasium environment; it is reset with `seed` once, later games go on from there.
        policy: observation -> action.
        screen: where to show it.
        stage: how to show it.
        episodes: how many games.
        seed: of the environment.
        help_line: lines that stand under every frame.
        mind: what the agent thinks, to be shown beside it.

    Returns a list of `Episode`s, one for each game that came to its end.
    """
    played: list[Episode] = []
    glyphs = can_show(FULL)
    for moment in moments(env, policy, episodes=episodes, seed=seed, played=played, mind=mind):
        so_far = f"{stage.counter} {getattr(moment, stage.counts):g}" if stage.counter else ""
        line = stage.verdict(played[-1]) if moment.over else so_far
        caption, beside = [f"game {moment.game} of {episodes}", line, *help_line], mind.lines(glyphs) if mind else ()
        visible = screen.show(*stage.view(env), caption=caption, beside=beside)
        # The end stands for whole frames, so that the screen keeps listening to keys.
        for _ in range(max(1, round(HOLD_SECONDS / screen.pace.period)) if moment.over else 1):
            keys = screen.wait()
            if QUIT_KEYS.intersection(keys):
                return played
        if isinstance(policy, Keyboard):
            policy.keys, policy.visible = keys, visible
    return played


def watch(
    env: gymnasium.Env,
    policy: Policy,
    title: str,
    *,
    episodes: int,
    fps: float,
    seed: int,
    every: int = 1,
    mind: Mind | None = None,
) -> list[Episode]:
    """Play in a window; closing it, like Ctrl-C, ends the program.

    Args:
        env: a Gymnasium environment with `render_mode="rgb_array"`, reset with `seed` once.
        policy: observation -> action.
        title: of the window.
        episodes: how many games.
        fps: steps per second.
        seed: of the environment.
        every: show the picture after every so many steps.
        mind: what the agent thinks, to be shown beside it.

    Returns a list of `Episode`s. Raises `UserError` where no window can be opened.
    """
    # A window of Gymnasium's own brings down the whole process where it finds no display.
    try:
        window = Window(title, fps / every)
    except UserError as error:
        cause = str(error).partition(";")[0].replace('render_mode="human"', "no window")
        raise UserError(f"{cause}; record the games with --gif FILE or --mp4 FILE") from error
    played: list[Episode] = []
    for moment in moments(env, policy, episodes=episodes, seed=seed, played=played, mind=mind):
        if not moment.over and moment.length % every == 0:
            picture: Any = env.render()
            window.show(mind.beside(picture) if mind else picture)
    window.close()
    return played


class Small(gymnasium.Wrapper):
    """Renders one picture of `every`, at that part of its size; in between the last one stands."""

    def __init__(self, env: gymnasium.Env, every: int) -> None:
        super().__init__(env)
        self._every, self._pictures = every, 0
        self._picture: Any = None  # none yet

    def render(self) -> np.ndarray:
        """uint8 [H / every, W / every, 3]."""
        if self._pictures % self._every == 0:
            self._picture = self.env.render()[:: self._every, :: self._every]
        self._pictures += 1
        return self._picture


def cells(size: int) -> View:
    """A `Stage.view` for a `shared.games.env.GameEnv` whose pictures have square cells, `size` pixels wide."""

    def view(env):
        game = env.unwrapped
        return game.render_text(game.state).splitlines(), env.render()[size // 2 :: size, size // 2 :: size]

    return view


def record(
    path: str | Path,
    env: gymnasium.Env,
    policy: Policy,
    *,
    episodes: int,
    fps: float,
    seed: int,
    mind: Mind | None = None,
) -> list[Episode]:
    """Record games as an animation, `.gif` or `.mp4` by the name's end; written whole or not at all.

    Args:
        path: the file to write.
        env: a Gymnasium environment with `render_mode="rgb_array"`, reset with `seed` once.
        policy: observation -> action.
        episodes: how many games; the last frame of each stands still for a moment.
        fps: frames per second. A GIF comes as near to it as it can: it counts frame times in hundredths of a second,
            and browsers show 50 a second at most.
        seed: of the environment.
        mind: what the agent thinks, to be shown beside it.

    Returns a list of `Episode`s.

    Raises `UserError` for another ending of the name, or when the file cannot be written.
    """
    check_recording(path)
    played: list[Episode] = []
    data = ENCODERS[Path(path).suffix.lower()](_frames(env, policy, episodes, seed, played, mind), fps)
    files.write_bytes(path, data)
    return played


def animation(
    env: gymnasium.Env, policy: Policy, *, episodes: int, fps: float, seed: int, mind: Mind | None = None
) -> bytes:
    """The bytes of the GIF that `record` would write."""
    return _gif(_frames(env, policy, episodes, seed, [], mind), fps)


def check_recording(path: str | Path) -> None:
    """Raise the `UserError` of `record`, as far as it can be known before a game is played."""
    if Path(path).suffix.lower() not in ENCODERS:
        raise UserError(f"{path}: unknown kind of animation; give a name that ends in {GIF} or {MP4}")
    files.check_place(path)


def _frames(env, policy, episodes, seed, played, mind):
    """Play; yield each picture (uint8 [H, W, 3]) and whether a game ends with it. Adds to `played` on the way."""
    last = shown = None
    for moment in moments(env, policy, episodes=episodes, seed=seed, played=played, mind=mind):
        picture = env.render()
        if picture is not last:  # `Small` lets one stand; what is beside it stands as long
            last, shown = picture, mind.beside(picture) if mind else picture
        yield shown, moment.over


def _gif(frames, fps):
    """The bytes of a GIF that repeats for ever. A picture equal to the one before only makes that one last longer."""
    ticks = max(GIF_SHORTEST, round(1 / fps / GIF_TICK))
    last = max(ticks, round(HOLD_SECONDS / GIF_TICK))

    def images():
        for pixels, over in frames:
            image = Image.fromarray(pixels)
            image.info["duration"] = round(1000 * GIF_TICK * (last if over else ticks))  # ms
            yield image

    # Pillow takes the pictures one by one, finds up to 256 colours for each, and stores only what changed.
    rest, data = images(), io.BytesIO()
    next(rest).save(data, format="GIF", save_all=True, append_images=rest, loop=0)
    return data.getvalue()


def _mp4(frames, fps):
    """The bytes of an H.264 video that browsers play: even sides, 4:2:0 colours, its index in front."""
    options = {
        "codec": "libx264",
        "pixelformat": "yuv420p",
        "macro_block_size": 2,
        "output_params": ["-movflags", "+faststart"],
        "ffmpeg_log_level": "error",
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"video{MP4}"  # its writer goes back and forth in the file, so not in memory
        with imageio.get_writer(path, format="FFMPEG", fps=fps, **options) as video:
            for pixels, over in frames:
                for _ in range(max(1, round(HOLD_SECONDS * fps)) if over else 1):
                    video.append_data(_even(pixels))
        return path.read_bytes()


def _even(pixels):
    """The picture with its last row and column doubled where their number is odd."""
    rows, columns = pixels.shape[:2]
    return np.pad(pixels, ((0, rows % 2), (0, columns % 2), (0, 0)), mode="edge")


ENCODERS = {GIF: _gif, MP4: _mp4}
