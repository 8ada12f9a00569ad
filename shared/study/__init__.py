"""The same training over seeds and settings, side by side: `from shared.study import study` (docs/study.md)."""

from shared.late import offer

__getattr__, __dir__ = offer("shared.study", {"study": "shared.study.running:study"})
