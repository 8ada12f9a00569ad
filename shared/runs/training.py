"""From a trainer to a finished run folder: reports, checkpoints, signals. Every experiment trains through here.

A trainer is whatever keeps the contract of `shared.runs.trainer.Trainer`.
"""

import dataclasses
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from shared import signals
from shared.errors import TERMINATED, UserError, warn
from shared.nn.backend import execution_facts, keep_compiled
from shared.options import LARGEST, check_limits, from_json, option
from shared.rollouts.trace import Trace
from shared.runs import checkpoint
from shared.runs.experiment import MEAN_SCORE, AnySettings, Figure
from shared.runs.folder import EPISODES, METRICS, Run
from shared.runs.progress import Silence, TrainingProgress
from shared.runs.trainer import Record, Trainer

CHECKPOINT_SECONDS = 10.0  # between checkpoints, at least
SAVING_SHARE = 0.02  # of the time goes into checkpoints, at most: a large replay memory takes seconds to write
PIECES = 8  # rows of metrics.csv for one call of a compiled loop, at most
ROWS = 2000  # of metrics.csv, about: a long training writes fewer for each call
WINDOW = 100  # episodes that a trailing figure looks back on
FAR = 10  # values this many times larger than any return can be are a sign of divergence


class Outcome(NamedTuple):
    """What training came to."""

    scores: np.ndarray  # float32 [episodes]
    steps: int  # environment steps
    seconds: float  # spent in training, over all sittings


class Stopped(Exception):
    """Training was interrupted by a signal and has been saved.

    `status` is the exit status that says so, `outcome` what training had come to.
    """

    def __init__(self, status: int, outcome: Outcome) -> None:
        super().__init__(status)
        self.status, self.outcome = status, outcome


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
    """What the manifest of a checkpoint says of the training, beside its arrays."""

    size: int = option(0, "bytes of the arrays", low=0, high=2**63)
    sha256: str = ""
    seconds: float = option(0.0, "spent in training", low=0.0)
    metrics_size: int = option(0, "bytes of metrics.csv", low=0, high=2**63)
    episodes_size: int = option(0, "bytes of episodes.csv", low=0, high=2**63)
    execution: dict = dataclasses.field(default_factory=dict)  # of `shared.nn.backend.execution_facts`

    def __post_init__(self) -> None:
        check_limits(self)


def train(
    trainer: Trainer,
    run: Record,
    settings: AnySettings,
    unit: str = "games",
    figure: Figure = MEAN_SCORE,
    largest_reward: float = 1.0,
    resume: bool = False,
    show: bool = True,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Train to the end of `settings`, reporting and saving on the way.

    Args:
        trainer: what trains.
        run: an open `shared.runs.folder.Run`, or `shared.runs.notes.Notes`.
        settings: of the experiment.
        unit: what an episode is called.
        figure: what a person watches.
        largest_reward: largest |reward| of one step, to notice values that have run away.
        resume: go on from the newest checkpoint of a `Run`.
        show: how far training is.
        stop: is asked after every report whether to save and stop, as after a SIGTERM.

    Returns an `Outcome`. The trained model is `trainer.export()`.

    Raises:
        Stopped: after a signal or when told to `stop`, once a checkpoint is written.
        UserError: if the loss is no longer finite; the last checkpoint is kept.
    """
    state, scores, spent = trainer.start(), np.zeros(0, np.float32), 0.0
    if resume:
        assert isinstance(run, Run)
        state, scores, facts = _go_on(trainer, run, state)
        spent = facts.seconds
    began = time.monotonic() - spent

    def save():
        arrays = trainer.snapshot(state) | {"history/scores": scores}
        facts = {
            "seconds": time.monotonic() - began,
            "metrics_size": run.sync(METRICS),
            "episodes_size": run.sync(EPISODES),
            "execution": execution_facts(),
        }
        run.save(int(state.steps), arrays, facts)

    if not resume:
        save()
    saved, saving, warned = time.monotonic(), 0.0, False
    progress = _progress(trainer.goal, unit, state) if show else Silence()
    with signals.Stopping(progress.say, run.path) as asked, progress:
        while not trainer.finished(state):
            before = state
            state, trace = trainer.run(state)
            keep_compiled()
            _refuse_infinite(trace, int(before.steps), settings, run)
            ended = trace.episodes(int(before.steps), int(state.steps) - int(before.steps))
            run.add_episodes(len(scores) + 1, *ended)
            for then, piece in _pieces(before, state, trace, trainer.goal):
                scores = np.concatenate([scores, getattr(piece, figure.counts)[piece.ended].astype(np.float32)])
                learned = piece.loss[piece.loss != 0]
                loss = float(learned.mean()) if len(learned) else 0.0
                others = trainer.figures(then, piece)
                recent = scores[-WINDOW:]
                watched = float(figure.of(recent)) if len(recent) else float("nan")
                run.add_metrics(
                    {
                        "steps": int(then.steps),
                        "episodes": len(scores),
                        "score": round(float(np.mean(recent)), 6) if len(recent) else "nan",
                        figure.name.replace(" ", "_"): round(watched, 6),
                        "loss": f"{loss:.6g}",
                        **{name: round(value, 6) for name, value in others.items()},
                        "seconds": round(time.monotonic() - began, 3),
                    }
                )
            progress.update(
                int(state.steps if trainer.goal.by_steps else state.episodes),
                {
                    "loss": f"{loss:.4f}",
                    **{name: f"{value:.2f}" for name, value in others.items()},
                    figure.name: figure.format.format(watched) if len(recent) else "-",
                },
            )
            limit = largest_reward / (1 - settings.discount) if settings.discount < 1 else np.inf
            if not warned and trace.largest_target is not None and trace.largest_target.max() > FAR * limit:
                warned = True
                warn(
                    f"values of {trace.largest_target.max():.3g} where no return can exceed {limit:.3g}: "
                    f"training diverges; try a smaller --learning-rate{_steadier_target(settings)}"
                )
            status = TERMINATED if asked.status is None and stop() else asked.status
            if status is not None:
                save()
                raise Stopped(status, Outcome(scores, int(state.steps), time.monotonic() - began))
            if time.monotonic() - saved > max(CHECKPOINT_SECONDS, saving / SAVING_SHARE):
                due = time.monotonic()
                save()
                saved = time.monotonic()
                saving = saved - due
    return Outcome(scores, int(state.steps), time.monotonic() - began)


def _progress(goal, unit, state):
    """A bar that counts what ends the training."""
    if goal.by_steps:
        return TrainingProgress(goal.total, "steps", int(state.steps))
    return TrainingProgress(goal.total, unit, int(state.episodes))


def _pieces(before, state, trace, goal):
    """What one call of `run` brought, in pieces small enough for a smooth curve: pairs of state and trace.

    Of the states only the counters are right.
    """
    rows = len(trace.loss)
    first, taken = int(before.steps), int(state.steps) - int(before.steps)
    count = min(PIECES, max(1, taken * ROWS // goal.total)) if goal.by_steps else PIECES
    if rows < count or rows != len(trace.ended):
        return [(state, trace)]
    pieces = []
    for i in range(count):
        here = slice(rows * i // count, rows * (i + 1) // count)
        to_come = int(trace.ended[here.stop :].sum())
        then = state._replace(steps=first + taken * here.stop // rows, episodes=max(0, int(state.episodes) - to_come))
        pieces.append((then, Trace(*(None if column is None else column[here] for column in trace))))
    return pieces


def _steadier_target(settings):
    """What else would keep values from running away, as the end of a warning."""
    if not getattr(settings, "target_sync", 1):
        return " or a target network (--target-sync)"
    return " or --first-target copied" if getattr(settings, "first_target", "") == "shared" else ""


def _refuse_infinite(trace, steps_before, settings, run):
    bad = np.flatnonzero(~np.isfinite(trace.loss))
    if len(bad):
        step = steps_before + int((bad[0] + 1) * settings.num_envs)
        raise UserError(
            f"--learning-rate {settings.learning_rate}: the loss was {trace.loss[bad[0]]} at step {step}; give a "
            f"smaller one. The last checkpoint before it is kept in {run.path}"
        )


def _go_on(trainer, run, start):
    """Go back to the newest good checkpoint: the trainer's state, the scores until then, and the `Facts`."""

    def restore(arrays, manifest):
        facts, scores = from_json(Facts, manifest, checkpoint.MANIFEST), arrays["history/scores"]
        if scores.ndim != 1 or scores.dtype != np.float32:
            raise ValueError("the scores are no list of numbers")
        state = trainer.restore(arrays)
        if not 0 <= int(state.steps) <= LARGEST:
            raise ValueError(f"{int(state.steps)} steps")
        return state, scores, facts

    state, scores, facts = checkpoint.load(run.path, trainer.snapshot(start), restore)
    _warn_of_other_bits(facts.execution)
    run.cut(METRICS, facts.metrics_size)
    run.cut(EPISODES, facts.episodes_size)
    return state, scores, facts


def _warn_of_other_bits(then):
    for name, value in execution_facts().items():
        if name in then and then[name] != value:
            warn(
                f"the checkpoint was made with {name} {then[name]!s:.60}, this is {value}: the run goes on, but its "
                "last bits may differ from an unbroken one"
            )
