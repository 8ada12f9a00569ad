"""Whether a training grows: the memory of a real command, looked at over half an hour."""

import dataclasses
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
EARLY = 5.0  # minutes: by then all is compiled, and replay memory is full
GROWTH = 0.03  # that is allowed after it
EVERY = 1.0  # seconds from one look to the next
COMMANDS = {
    "catch_dqn.train": ("--preset", "tuned", "--steps", "2000000000"),
    "cave_game.train": ("--preset", "tuned", "--steps", "2000000000"),
    "shared.dqn": ("--env", "CartPole-v1", "--steps", "2000000000"),
}


@dataclasses.dataclass
class Report:
    """Medians of the memory over the last tenth of the time that had passed, in MiB."""

    module: str
    minutes: float
    early: float
    late: float

    @property
    def growth(self) -> float:
        """How much larger it was in the end."""
        return self.late / self.early - 1

    @property
    def faults(self) -> list[str]:
        """What should not have happened."""
        return [f"{self.module}: grew by {self.growth:.1%}"] if self.growth > GROWTH else []

    def __str__(self) -> str:
        early = min(EARLY, self.minutes / 2)
        return (
            f"{self.module}: {self.early:.0f} MiB after {early:g} minutes, {self.late:.0f} MiB after "
            f"{self.minutes:g}: {self.growth:+.1%}"
        )


def memory(minutes: float, module: str) -> Report:
    """Let a command of `COMMANDS` train for some minutes. Linux only: it reads /proc."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", module, *COMMANDS[module], "--out", f"{folder}/run"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as training:
            seen, began = [], time.monotonic()
            while (passed := time.monotonic() - began) < 60 * minutes:
                if training.poll() is not None:
                    raise RuntimeError(f"{module} ended: {training.stderr.read().decode()[-300:]}")
                seen.append((passed / 60, resident(training.pid)))
                time.sleep(EVERY)
            training.kill()
    return Report(module, minutes, _median(seen, min(EARLY, minutes / 2)), _median(seen, minutes))


def resident(pid: int) -> float:
    """The memory of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0.0)


def _median(seen, until):
    """Of what was seen in the last tenth of the minutes until then."""
    sizes = sorted(size for minute, size in seen if 0.9 * until <= minute <= until)
    return sizes[len(sizes) // 2]
