"""What a training leaves in memory, where nothing is to be kept on disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


class Notes:
    """Stands in for a `shared.runs.folder.Run`: the rows of metrics stay in memory, and there are no checkpoints."""

    path: Path | None = None

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.episodes: list[np.ndarray] = [np.zeros((2, 0), int)]  # each [2, E]: steps taken at their ends, lengths

    def add_metrics(self, row: Mapping[str, Any]) -> None:
        """Keep one row."""
        self.rows.append({name: float(value) for name, value in row.items()})

    def add_episodes(self, first: int, steps: np.ndarray, scores: np.ndarray, lengths: np.ndarray) -> None:
        """Keep them."""
        self.episodes.append(np.array([steps, lengths]))

    def sync(self, name: str) -> int:
        """Nothing is on disk."""
        return 0

    def save(self, number: int, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
        """Nothing is kept."""
