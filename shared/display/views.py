"""How an environment that nobody has dressed up is shown: its own picture as cells, and its actions as keys."""

import shutil
from collections.abc import Sequence

import gymnasium
import numpy as np

from shared.display.playback import Keyboard, Stage
from shared.rollouts.trace import Episode

COLUMNS, ROWS = 78, 40  # coloured cells at most; two rows of them stand in one line of text
BRIGHTNESS = np.array(list(" .:-=+*#%@"))
KEYS = "0123456789"


def any_stage(actions: int = len(KEYS)) -> Stage:
    """A `Stage` for an environment with `render_mode="rgb_array"` and so many actions, of which ten have keys."""
    keys = KEYS[:actions]
    return Stage(
        view=view,
        verdict=lambda episode: f"return {episode.score:g} in {episode.length} steps",
        tally=tally,
        keyboard=lambda: Keyboard({key: int(key) for key in keys}, idle=0, waits=True),
        keys=f"0 to {keys[-1]} start and choose the action",
        fps=30.0,
        half_blocks=True,
        counter="return",
        every=2,
    )


def tally(played: Sequence[Episode]) -> str:
    """The returns of some `Episode`s, and their mean, as one line."""
    scores = [episode.score for episode in played]
    return f"returns: {', '.join(f'{score:.1f}' for score in scores)}; mean {np.mean(scores):.1f}"


def view(env: gymnasium.Env) -> tuple[list[str], np.ndarray]:
    """The environment's picture as text and as coloured cells, as large as the window lets it be."""
    window = shutil.get_terminal_size((COLUMNS + 2, ROWS // 2 + 4))
    cells = shrunk(env.render(), min(2 * (window.lines - 4), 2 * ROWS), min(window.columns - 2, 2 * COLUMNS))
    grey = cells[::2].mean(axis=-1) / 256
    return ["".join(line) for line in BRIGHTNESS[(grey * len(BRIGHTNESS)).astype(int)]], cells


def shrunk(picture: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """A picture of at most so many cells, each the mean of what it covers: uint8 [H, W, 3], in the same proportions."""
    height, width = picture.shape[:2]
    scale = max(1.0, height / max(1, rows), width / max(1, columns))
    edges = [np.linspace(0, size, max(1, round(size / scale)) + 1).astype(int) for size in (height, width)]
    sums = np.add.reduceat(np.add.reduceat(picture.astype(np.float64), edges[0][:-1], 0), edges[1][:-1], 1)
    counts = np.diff(edges[0])[:, None, None] * np.diff(edges[1])[None, :, None]
    return (sums / counts).astype(np.uint8)
