"""The whole programme of the tutorials, their figures beside ours: `python -m shared.study published`.

`published.toml` says what was published, which training or program makes it here, and by which rule it reproduces. The
trainings are the jobs of one study: they run side by side, and those that are finished are used again.
"""

import collections
import csv
import dataclasses
import math
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from shared import files
from shared.commands import output
from shared.commands.parser import Parser, command_line, path_name, settings_from
from shared.errors import UserError, say, warn
from shared.options import check_limits, option
from shared.rollouts.intervals import bracketed, iqm_and_ci95
from shared.runs.folder import EPISODES, Run
from shared.study.job import Job
from shared.study.plan import ROOT, Plan, Setting, planned
from shared.study.pool import LocalPool
from shared.study.running import carry_out

PROGRAMME = Path(__file__).with_name("published.toml")
PAGE, README = Path("docs/published.md"), Path("README.md")
BEGIN, END = "<!-- python -m shared.study published --write-docs: begin -->", "<!-- end -->"
TABLE = "published.md"  # in the folder of the study
RULES = ("about", "at least", "at most", "one run")
FEWEST = 3  # of our runs that tell whether a published one is among them


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Entry:
    """A published figure. What the fields mean stands at the head of `published.toml`."""

    tutorial: str
    group: str
    what: str
    published: str
    program: str = ""
    says: Sequence[str] = ()
    experiment: str = ""
    flags: Sequence[str] = ()
    figure: str = ""
    episode: int = 0
    window: int = 0
    scale: float = 1.0
    less: float = 0.0
    rule: str = ""
    value: float = 0.0
    tolerance: float = 0.0


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of an entry here."""

    entry: Entry
    ours: str
    seeds: str
    steps: str
    seconds: str
    verdict: str  # "yes", "no" with the reason, or why that is open


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedSettings:
    """How much of it."""

    seeds: int = option(10, "trainings of each kind, with the seeds 0, 1, 2 and so on", low=1, high=1000)
    jobs: int | None = option(None, "trainings at a time (default: as many as pay on this machine)", low=1, high=1024)

    def __post_init__(self) -> None:
        check_limits(self)


def entries(path: Path = PROGRAMME) -> list[Entry]:
    """The published figures."""
    return [Entry(**values) for values in tomllib.loads(path.read_text(encoding="utf-8"))["entry"]]


def programme(chosen: Sequence[Entry], seeds: int, out: Path) -> tuple[Plan, dict[Entry, str]]:
    """The trainings of some entries as one plan. Those that several entries look at are made once.

    Args:
        chosen: the entries, of which one has a training at least.
        seeds: of each training.
        out: the folder of them all.

    Returns the plan, and for each entry that has a training the label of its setting there.
    """
    labels = {entry: command_line(entry.experiment, *entry.flags) for entry in chosen if entry.experiment}
    plans = []
    for label, entry in {label: entry for entry, label in labels.items()}.items():
        setting = Setting(label, {}, tuple(entry.flags))
        folder = out / "-".join(word.strip("-") for word in (entry.experiment, *entry.flags))
        plans.append(planned(entry.experiment, [setting], seeds, folder))
    settings = tuple(setting for plan in plans for setting in plan.settings)
    return Plan(out, settings, tuple(job for plan in plans for job in plan.jobs), plans[0].suite), labels


def figure(entry: Entry, run: Run) -> float:
    """What an entry compares, of one of our runs.

    Raises:
        UserError: if the run has not got it.
    """
    if entry.figure in EPISODE_FIGURES:
        value = EPISODE_FIGURES[entry.figure](entry, _episodes(run))
    else:
        value = run.read_summary(entry.figure)[entry.figure]
    return entry.scale * value - entry.less


def _episodes(run):
    """Columns of `episodes.csv`, float64 [E] each."""
    path = run.path / EPISODES
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return {name: np.array([float(row[name]) for row in rows]) for name in ("return", "length")}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); remove the run to make it again") from None


EPISODE_FIGURES: dict[str, Callable[[Entry, Mapping[str, np.ndarray]], float]] = {
    "longest": lambda entry, episodes: float(episodes["length"].max()),
    "length": lambda entry, episodes: float(_window(entry, episodes["length"]).mean()),
    "won": lambda entry, episodes: 100 * float((_window(entry, episodes["return"]) > 0).mean()),
}


def _window(entry, column):
    return column[max(0, entry.episode - entry.window) : entry.episode]


def verdict(entry: Entry, values: Sequence[float]) -> str:
    """Whether a figure reproduces, by the entry's rule.

    Args:
        entry: the figure; its rule is one of `RULES`.
        values: ours, one for each run.
    """
    middle, low, high = iqm_and_ci95(values)[0], min(values), max(values)
    if entry.rule == "one run":
        if low <= entry.value <= high:
            return "yes" if len(values) >= FEWEST else "open, too few seeds"
        return f"no, ours {low:.1f} to {high:.1f}" if len(values) >= FEWEST else "open, too few seeds"
    holds = {
        "about": abs(middle - entry.value) <= entry.tolerance,
        "at least": middle >= entry.value,
        "at most": middle <= entry.value,
    }
    return "yes" if holds[entry.rule] else "no"


def trained(entry: Entry, jobs: Sequence[Job]) -> Outcome:
    """What the trainings of an entry came to; one that failed counts for none."""
    runs = [Run(job.folder) for job in jobs if Run(job.folder).finished]
    if not runs:
        return Outcome(entry, "every run failed", "0", "", "", "no")
    values = [figure(entry, run) for run in runs]
    summaries = [run.read_summary("steps", "seconds") for run in runs]
    steps, seconds = (float(np.median([summary[name] for summary in summaries])) for name in ("steps", "seconds"))
    seeds = str(len(runs)) + (f" of {len(jobs)}" if len(runs) < len(jobs) else "")
    ours = bracketed(*iqm_and_ci95(values), ".1f")
    return Outcome(entry, ours, seeds, f"{steps:,.0f}", f"{seconds:.1f}", verdict(entry, values))


def told(entry: Entry) -> Outcome:
    """What a program without chance prints: the published digits, or not."""
    began = time.perf_counter()
    path = os.pathsep.join(os.path.abspath(place) for place in sys.path if os.path.isdir(place or "."))
    with tempfile.TemporaryDirectory() as folder:  # some of them draw a picture into the folder where they run
        done = subprocess.run(
            [sys.executable, "-m", entry.program, *entry.flags],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
    said = " ".join(done.stdout.split())
    same = done.returncode == 0 and all(text in said for text in entry.says)
    seconds = f"{time.perf_counter() - began:.1f}"
    return Outcome(entry, "the same digits" if same else "others", "none", "", seconds, "yes" if same else "no")


def table(outcomes: Sequence[Outcome]) -> str:
    """Published and ours side by side, in Markdown."""
    lines = [
        "| | | Published | Ours | Seeds | Env steps | Seconds | Reproduces? |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in outcomes:
        cells = (one.entry.tutorial, one.entry.what, one.entry.published, one.ours, one.seeds, one.steps, one.seconds)
        lines.append(f"| {' | '.join(cells)} | {one.verdict} |")
    return "\n".join(lines)


def in_short(outcomes: Sequence[Outcome]) -> str:
    """A line for each tutorial, in Markdown."""
    lines = ["| Tutorial | Figures that reproduce | Those that do not |", "|---|---|---|"]
    for tutorial in dict.fromkeys(one.entry.tutorial for one in outcomes):
        its = [one for one in outcomes if one.entry.tutorial == tutorial]
        failed = [f"{one.entry.what}: {one.entry.published}, here {one.ours}" for one in its if one.verdict != "yes"]
        lines.append(f"| {tutorial} | {len(its) - len(failed)} of {len(its)} | {'; '.join(failed)} |")
    return "\n".join(lines)


def put(path: Path, text: str) -> None:
    """Replace what stands between the two marks in a page.

    Raises:
        UserError: if there is no such page, or it has not the marks.
    """
    page = files.read_bytes(path, files.JSON_LIMIT).decode("utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError(f"{path}: has no lines {BEGIN} and {END}; put them where the table belongs")
    files.write_bytes(path, f"{before}{BEGIN}\n\n{text}\n\n{END}{after}".encode())


def main(argv: Sequence[str]) -> int:
    """Run the command with a list of arguments; returns its exit status."""
    known = entries()
    groups = tuple(dict.fromkeys(entry.group for entry in known))
    parser = Parser(
        "shared.study published", "Make every published figure again, and show it beside the published one."
    )
    parser.add_settings(PublishedSettings())
    parser.add_argument(
        "--without", nargs="+", choices=groups, default=[], metavar="GROUP", help=f"leave out: {', '.join(groups)}"
    )
    parser.add_argument("--out", type=path_name, default=ROOT / "published", metavar="FOLDER", help="where the runs go")
    parser.add_argument(
        "--write-docs", action="store_true", help=f"put the table into {PAGE} and, in short, into {README}"
    )
    arguments = parser.parse_args(argv)
    settings = settings_from(arguments, PublishedSettings)
    if arguments.write_docs:
        for page in (PAGE, README):
            if not page.is_file():
                raise UserError(f"--write-docs: there is no {page} here; run this in the root of the project")
    chosen = [entry for entry in known if entry.group not in arguments.without]
    if not chosen:
        raise UserError("--without leaves out everything; leave out fewer groups")
    began, failed = time.monotonic(), 0
    jobs: dict[str, list[Job]] = collections.defaultdict(list)
    with output.patience():
        if any(entry.experiment for entry in chosen):
            plan, labels = programme(chosen, settings.seeds, arguments.out)
            found = carry_out(plan, LocalPool(settings.jobs), leave=lambda *_: None)
            if len(found.rows) < len(plan.jobs):
                finished = f"{len(found.rows)} of {len(plan.jobs)} runs are finished"
                say(f"stopped and saved; {finished}; the same command goes on")
                return found.status
            failed = sum(not math.isfinite(row["mean_score"]) for row in found.rows)
            for job in plan.jobs:
                jobs[job.setting].append(job)
        outcomes = [trained(entry, jobs[labels[entry]]) if entry.experiment else told(entry) for entry in chosen]
        text = table(outcomes)
        arguments.out.mkdir(parents=True, exist_ok=True)
        files.write_bytes(arguments.out / TABLE, f"{text}\n".encode())
        for line in text.splitlines():
            say(line)
        say(f"{time.monotonic() - began:.0f} s; the table is in {arguments.out / TABLE}")
        if arguments.write_docs:
            put(PAGE, text)
            put(README, in_short(outcomes))
        if failed:
            warn(f"{failed} trainings failed; the same command tries them again")
    return 1 if failed else 0
