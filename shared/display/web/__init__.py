"""A page that shows games, lets a person play them, and shows what an agent thinks of them (docs/web.md).

`page.html`, `style.css` and the scripts beside this file are its parts; `page` puts them together to one text without a
link to anything.
"""

import base64
import hashlib
import html
import json
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.display.playback import Stage

FOLDER = Path(__file__).parent
KEY_NAMES = {"KEY_LEFT": "ArrowLeft", "KEY_RIGHT": "ArrowRight", "KEY_UP": "ArrowUp", "KEY_DOWN": "ArrowDown"}


def part(name: str) -> str:
    """The text of a file of the page."""
    return (FOLDER / name).read_text(encoding="utf-8")


def page(
    *, title: str, about: str, footer: str, data: Mapping[str, Any], scripts: Sequence[str], connects: bool = False
) -> str:
    """The HTML of a page.

    Args:
        title, about, footer: what stands above the games, below that, and at the end.
        data: of `page_data` and what else the scripts want; they find it as `DATA`.
        scripts: texts of JavaScript; the last one starts the page.
        connects: whether scripts may ask the server that the page came from. Nothing else can be reached from it.
    """
    style, shown = (
        part("style.css"),
        ["const DATA = JSON.parse(document.getElementById('data').textContent);", *scripts],
    )
    rules = {
        "default-src": "'none'",
        "script-src": " ".join(map(_source, shown)),
        "style-src": _source(style),
        "img-src": "data:",
        "connect-src": "'self'" if connects else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return string.Template(part("page.html")).substitute(
        policy="; ".join(f"{name} {value}" for name, value in rules.items()),
        title=html.escape(title),
        about=html.escape(about),
        footer=html.escape(footer),
        style=style,
        data=as_script(data),
        scripts="\n".join(f"<script>{script}</script>" for script in shown),
    )


VALUES, PROBABILITIES = "values", "probabilities"  # what an agent's numbers are
CHOOSES = {VALUES: "takes the action of the largest value", PROBABILITIES: "takes the likeliest action"}


def page_data(stage: Stage, actions: int, meaning: str) -> dict[str, Any]:
    """What the page has to know of a game: the names of its actions, its keys, its pace.

    Args:
        stage: how the game is shown and played.
        actions: how many there are.
        meaning: what an agent's numbers are, `VALUES` or `PROBABILITIES`.
    """
    keyboard = stage.keyboard()
    return {
        "actions": list(stage.actions) or [str(action) for action in range(actions)],
        "keys": {KEY_NAMES.get(key, key): action for key, action in keyboard.actions.items()},
        "idle": keyboard.idle,
        "keeps": keyboard.keeps,
        "keysHelp": stage.keys,
        "fps": stage.fps,
        "humanFps": stage.human_fps,
        "counter": stage.counter,
        "counts": stage.counts,
        "meaning": meaning,
        "chooses": CHOOSES[meaning],
    }


def as_script(value: Any) -> str:
    """A value as JSON that can stand inside a script: no text in it can end that."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")


def _source(text):
    """How a Content-Security-Policy names a script or a style by its content."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
