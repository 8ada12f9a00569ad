"""What the benchmarks can be told."""

import dataclasses

from shared.options import check_limits, option


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measuring:
    """How often a benchmark measures."""

    repeats: int = option(7, "measurements of each; medians are printed", low=1, high=1000)

    def __post_init__(self):
        check_limits(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class WithPeer(Measuring):
    """The same, and what to measure against."""

    peer_python: str | None = option(None, "the Python that has Stable-Baselines3 (default: this one)")
    peer_threads: int | None = option(None, "threads of PyTorch (default: as it likes)", low=1, high=1024)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seeds:
    """How many trainings of a kind."""

    seeds: int = option(5, "trainings of each kind, with the seeds 0, 1, 2 and so on", low=1, high=1000)

    def __post_init__(self):
        check_limits(self)
