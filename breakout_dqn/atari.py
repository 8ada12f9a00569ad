"""Atari games as Gymnasium environments whose picture two cores can afford; ale-py has the emulator and the games.

The rules are those of `ALE/Breakout-v5` and its kin (Machado et al. 2018): an action is held for four frames, in every
frame it is not heard with chance 0.25, and the one before stands ("sticky actions"); an episode is the whole game, with
all its lives, cut after half an hour of play.
"""

import atexit
import dataclasses
import weakref
from typing import Any

import gymnasium
import numpy as np

from shared.errors import UserError
from shared.late import is_installed, late

ale_py = late("ale_py")

HELD, STICKY = 4, 0.25  # frames that an action is held; chance of a frame that does not hear it
LONGEST = 27_000  # actions in an episode: half an hour at 60 frames a second
INSTALL = 'Atari games need ale-py: run pip install ".[atari]" in the project\'s folder'


@dataclasses.dataclass(frozen=True)
class Picture:
    """What of the screen is seen: grey, cropped, halved twice.

    The first halving takes the mean of 2 x 2 pixels, the second the maximum: the mean alone would lose Breakout's ball.
    """

    rows: tuple[int, int] = (0, 208)  # from the first to before the second, of the screen's 210
    columns: tuple[int, int] = (0, 160)
    frames: int = 3  # an observation is the last so many pictures

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of an observation."""
        return (self.rows[1] - self.rows[0]) // 4, (self.columns[1] - self.columns[0]) // 4, self.frames

    def of(self, screens: np.ndarray) -> np.ndarray:
        """One picture, uint8 [rows / 4, columns / 4], of the last two screens, uint8 [2, 210, 160].

        Of each pixel the brighter one counts: some games draw their figures in every other frame only.
        """
        screen = np.maximum(*screens[:, slice(*self.rows), slice(*self.columns)])
        sums = screen[0::2].astype(np.uint16) + screen[1::2]
        half = (sums[:, 0::2] + sums[:, 1::2]) >> 2
        upper = np.maximum(half[0::2], half[1::2])
        return np.maximum(upper[:, 0::2], upper[:, 1::2]).astype(np.uint8)


WHOLE = Picture()
BREAKOUT = Picture(rows=(36, 196), columns=(8, 152))  # without the score, the walls and what lies below


class AtariEnv(gymnasium.Env):
    """An Atari game.

    | | |
    |---|---|
    | observation | uint8 [rows, columns, frames], grey, the latest picture last |
    | actions | 0, 1, 2, ...: those that mean something in the game, in the order of ale-py |
    | reward | what the action adds to the game's score |
    | start | a new game; FIRE is pressed, where the game has it: in Breakout there is no ball without |
    | end | all lives are lost, or the game is won |
    | `info` | `lives`; `life_lost`: whether this step lost one that was not the last. FIRE is pressed then, too |

    Args:
        game: its name in ale-py, such as "breakout" or "ms_pacman".
        picture: what is seen of the screen.
        render_mode: `"rgb_array"` or None.

    Raises:
        UserError: without ale-py.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 60 // HELD}
    state_is_all = True  # of `shared.rollouts.env_state`

    def __init__(self, game: str, picture: Picture, render_mode: str | None = None) -> None:
        require_ale()
        self.render_mode, self.picture, self.frames = render_mode, picture, picture.frames
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        self._ale = ale_py.ALEInterface()
        self._ale.setFloat("repeat_action_probability", 0.0)  # the draws are ours: all chance comes from the seed
        self._ale.loadROM(ale_py.roms.get_rom_path(game))
        self._begin = self._ale.cloneState()  # every game begins alike
        self._actions = self._ale.getMinimalActionSet()
        self._fire = next((action for action in self._actions if action == ale_py.Action.FIRE), None)
        self.action_space = gymnasium.spaces.Discrete(len(self._actions))
        self.observation_space = gymnasium.spaces.Box(0, 255, picture.shape, np.uint8)
        _open.add(self)
        self._screens = np.zeros((2, *self._ale.getScreenDims()), np.uint8)  # the last two

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        """A new game; `seed` is that of the frames that do not hear."""
        super().reset(seed=seed)
        self._ale.restoreState(self._begin)
        self._last = self._actions[0]  # what a frame does that does not hear
        self._lives = self._ale.lives()
        self._begin_play()
        self._seen = np.repeat(self.picture.of(self._screens)[..., None], self.frames, axis=-1)
        return self._seen, {"lives": self._lives}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        """Hold an action for four frames."""
        reward = self._hold(self._actions[action], self.np_random.random(HELD) >= STICKY)
        lives, over = self._ale.lives(), self._ale.game_over(with_truncation=False)
        lost = lives < self._lives and not over
        if lost:
            reward += self._begin_play()
        self._lives = lives
        self._seen = np.concatenate([self._seen[..., 1:], self.picture.of(self._screens)[..., None]], axis=-1)
        return self._seen, float(reward), over, False, {"lives": lives, "life_lost": lost}

    def render(self) -> np.ndarray:
        """The screen in colours, uint8 [210, 160, 3]."""
        return self._ale.getScreenRGB()

    def close(self) -> None:
        """Let go of the emulator, and of everything else of ale-py's."""
        self.__dict__.clear()

    @property
    def state(self) -> np.ndarray:
        """Where the game stands but for `np_random`, as bytes: uint8 [n]."""
        kept = bytes([self._lives, self._actions.index(self._last)]) + self._seen.tobytes()
        return np.frombuffer(kept + self._ale.cloneState(include_rng=True).serialize(), np.uint8)

    @state.setter
    def state(self, state: np.ndarray) -> None:
        end = 2 + self._seen.size
        self._lives, self._last = int(state[0]), self._actions[int(state[1])]
        self._seen = state[2:end].reshape(self._seen.shape).copy()
        self._ale.restoreState(ale_py.ALEState(state[end:].tobytes()))

    def _begin_play(self):
        """Press FIRE, where the game has it, for four frames that all hear it."""
        return self._hold(self._actions[0] if self._fire is None else self._fire, np.ones(HELD, bool))

    def _hold(self, action, heard):
        """Four frames of an action, of which some do not hear it. Returns what they add to the score."""
        reward = 0
        for frame, hears in enumerate(heard.tolist()):
            if hears:
                self._last = action
            reward += self._ale.act(self._last)
            if frame >= HELD - 2:
                self._ale.getScreenGrayscale(self._screens[frame - HELD + 2])
        return reward


_open: weakref.WeakSet[AtariEnv] = weakref.WeakSet()


@atexit.register
def _close_all():
    """Close what nobody has closed: ale-py would complain on stderr of each emulator that outlives the program."""
    for env in list(_open):
        env.close()


def require_ale() -> None:
    """Raise `UserError` without ale-py."""
    if not is_installed("ale_py"):
        raise UserError(INSTALL)


def rom_of(env_id: str) -> str | None:
    """The name in ale-py of the game behind an id such as "ALE/MsPacman-v5"; None: there is no such game.

    Raises:
        UserError: without ale-py.
    """
    require_ale()
    names = {ale_py.registration.rom_id_to_name(rom): rom for rom in ale_py.roms.get_all_rom_ids()}
    return names.get(env_id.removeprefix("ALE/").removesuffix("-v5")) if is_id(env_id) else None


def is_id(name: str) -> bool:
    """Whether this has the form of an Atari game's id."""
    return name.startswith("ALE/") and name.endswith("-v5")
