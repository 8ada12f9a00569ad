"""What an agent thinks, beside the picture of its game: its action values as bars, and what a better player would do.

As lines of text for a terminal (`Mind.lines`) and as a picture for everything else (`Mind.panel`).
"""

from collections.abc import Sequence

import gymnasium
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from shared.rollouts.action_values import ActionValues, Advice, Adviser, Outlook

WIDTH = 14  # characters of a bar; with the names of its actions and all, CAVE fills 80 columns
BINS = 32  # of a histogram in a picture; in a terminal it has one for each character
BLOCKS, ASCII_BLOCKS = " ▁▂▃▄▅▆▇█", " .:-=+*#@"  # from 0 to the largest chance
FULL, ASCII_FULL = "█", "#"
PANEL = 0.75  # of the picture's height: the width of the panel beside it
LINES = 16  # of text in the panel's height
PAPER, GROOVE, INK = (40, 43, 52), (54, 58, 70), (220, 222, 228)
BAR, CHOSEN, BEST = (77, 144, 212), (255, 196, 61), (60, 200, 80)


class Mind:
    """What an agent thinks of its actions while it plays.

    Args:
        outlook: what its network says of an observation.
        names: of the actions; an action without one is called by its number.
        adviser: who knows better, or None.
    """

    def __init__(self, outlook: Outlook, names: Sequence[str] = (), adviser: Adviser | None = None) -> None:
        self._outlook, self._adviser, self._names = outlook, adviser, names
        self._low, self._high = np.inf, -np.inf  # of all that bars have shown: their scale changes as little as can be
        self._values: ActionValues | None = None  # of the last decision
        self._advice: Advice | None = None
        self._action = 0

    def think(self, env: gymnasium.Env, observation: np.ndarray, action: int) -> None:
        """Look at a state, before the agent takes an action in it; what is drawn is of this state."""
        self._values = said = self._outlook(observation)
        self._advice = None if self._adviser is None else self._adviser(env)
        self._action = action
        if said.are_chances:
            self._low, self._high = 0.0, 1.0
        else:
            shown = said.values if said.returns is None else said.returns[np.asarray(said.chances) > 1e-3]
            self._low = float(min(self._low, np.min(shown), np.min(said.values)))
            self._high = float(max(self._high, np.max(shown), np.max(said.values)))

    def lines(self, glyphs: bool = True) -> list[str]:
        """The last decision as text: a line for each action, the chosen one marked, and one or two for the adviser.

        Args:
            glyphs: whether the terminal has more than ASCII.
        """
        said = self._values
        if said is None:
            return []
        marks = ("◀", FULL, BLOCKS) if glyphs else ("<", ASCII_FULL, ASCII_BLOCKS)
        longest = max(len(self._name(action)) for action in range(len(said.values)))
        rows = []
        for action, value in enumerate(said.values):
            if said.returns is None:
                bar = (marks[1] * round(WIDTH * self._share(value))).ljust(WIDTH)
            else:
                heights = self._histogram(said, action, WIDTH)
                bar = "".join(marks[2][i] for i in np.ceil(heights * (len(BLOCKS) - 1)).astype(int))
            chosen = marks[0] if action == self._action else " "
            rows.append(f"{self._name(action):{longest}} {bar} {_number(said, value)} {chosen}".rstrip())
        return rows + self._told()

    def panel(self, height: int) -> np.ndarray:
        """The same as a picture of a height in pixels: uint8 [height, W, 3]."""
        width = round(PANEL * height)
        image = Image.new("RGB", (width, height), PAPER)
        said = self._values
        if said is None:
            return np.asarray(image)
        draw, line = ImageDraw.Draw(image), height / LINES
        font, margin = ImageFont.load_default(max(6.0, 0.72 * line)), 0.05 * width
        actions = len(said.values)
        told = self._told()
        each = min(2.6 * line, (height - (len(told) + 1) * line) / actions)  # from one action to the next
        for action, value in enumerate(said.values):
            top, chosen = 0.5 * line + action * each, action == self._action
            ink = CHOSEN if chosen else INK
            draw.text((margin, top), self._name(action), ink, font)
            draw.text((width - margin, top), _number(said, value), ink, font, anchor="ra")
            inside = (margin, top + min(line, 0.5 * each), width - margin, top + 0.92 * each)
            self._draw_bar(draw, inside, said, action, CHOSEN if chosen else BAR)
        for row, text in enumerate(told):
            right = self._advice is not None and self._advice.costs[self._action] == 0
            place = (margin, height - (len(told) - row + 0.4) * line)
            draw.text(place, text, BEST if right else CHOSEN, font)
        return np.asarray(image)

    def beside(self, picture: np.ndarray) -> np.ndarray:
        """A picture, uint8 [H, W, 3], with the panel to the right of it."""
        return np.concatenate([picture, self.panel(len(picture))], axis=1)

    def _draw_bar(self, draw, inside, said, action, colour):
        left, top, right, bottom = inside
        draw.rectangle(inside, GROOVE)
        if said.returns is None:
            end = left + (right - left) * self._share(said.values[action])
            draw.rectangle((left, top, max(left, end), bottom), colour)
            return
        step = (right - left) / BINS
        for i, share in enumerate(self._histogram(said, action, BINS)):
            if share > 0:
                x = left + i * step
                draw.rectangle((x, bottom - share * (bottom - top), max(x, x + step - 1), bottom), colour)

    def _histogram(self, said, action, bins):
        """How likely a return in each part of the scale is, [bins], as a share of the most likely one of any action."""
        edges = np.linspace(self._low, max(self._high, self._low + 1e-6), bins + 1)
        counts = [
            np.histogram(returns, edges, weights=chances)[0]
            for returns, chances in zip(said.returns.T, said.chances.T, strict=True)
        ]
        return counts[action] / max(np.max(counts), 1e-6)

    def _share(self, value):
        """Where a value lies between the least and the greatest so far."""
        return (value - self._low) / (self._high - self._low) if self._high > self._low else 1.0

    def _name(self, action):
        return self._names[action] if action < len(self._names) else str(action)

    def _told(self):
        """What the adviser says, as lines of text."""
        if self._advice is None:
            return []
        cost, unit = self._advice.costs[self._action], self._advice.unit
        verdict = f"agent's choice: costs {cost:g} {unit}" if cost else "agent's choice: as good"
        return [f"{self._advice.player}: {self._name(self._advice.action)}", verdict]


def _number(said, value):
    return f"{value:6.1%}" if said.are_chances else f"{value:7.2f}"
