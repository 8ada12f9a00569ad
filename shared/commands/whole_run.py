"""One run, from what is to be trained to its finished folder: what `train` does once, and a study many times."""

import dataclasses
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from shared.commands import affordable
from shared.commands.evaluate import EVALUATION_SEED_OFFSET, FINAL_EPISODES
from shared.late import late
from shared.options import flag
from shared.runs.experiment import with_model
from shared.runs.folder import ARCHITECTURE, CURVE, WHOLE_MODEL, Run
from shared.runs.suite import Choice, RunConfig, Suite
from shared.runs.trainer import Trainer

storage, charts, training = late("shared.storage"), late("shared.display.charts"), late("shared.runs.training")
playback, views = late("shared.display.playback"), late("shared.display.views")

SHOWN_GAMES = 3  # of the evaluation, in a log


def config_of(suite: Suite, choice: Choice, argv: Sequence[str]) -> dict[str, Any]:
    """What the `config.json` of a run is going to say.

    Args:
        suite: of the package.
        choice: what is trained.
        argv: the arguments of the `train` command that trains it.
    """
    return dataclasses.asdict(
        RunConfig(
            experiment=suite.package,
            game=choice.experiment.name,
            preset=choice.preset,
            engine=choice.engine,
            settings=dataclasses.asdict(choice.settings),
            versions={
                "python": sys.version.split()[0],
                # Not by the distribution's name, which may be tensorflow-cpu as well.
                **{name: import_module(name).__version__ for name in ("tensorflow", "keras", "numpy", "gymnasium")},
            },
            command=(*suite.command("train").split(), *argv),
            began=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        )
    )


def differences(then: Choice, now: Choice, suite: Suite) -> list[tuple[str, Any, Any]]:
    """In what two choices differ: a list of flags, each with what it is there and here."""

    def flags(choice):
        chosen = {suite.flag: choice.experiment.name, "--preset": choice.preset, "--engine": choice.engine}
        return chosen | {flag(name): value for name, value in dataclasses.asdict(choice.settings).items()}

    before = flags(then)
    return [(name, before[name], value) for name, value in flags(now).items() if before[name] != value]


def trainer_for(choice: Choice, place: Path, start: Path | None = None, warm: Trainer | None = None) -> Trainer:
    """What trains a choice.

    Args:
        choice: what to train.
        place: the folder of the run, for complaints.
        start: the file of the weights to begin with; None: random ones.
        warm: what has trained the same with another seed: it begins again, and nothing is compiled.

    Raises:
        UserError: where the training cannot be paid for, or what it learns not be saved.
    """
    experiment, settings = choice.experiment, choice.settings
    affordable.refuse_settings(settings)
    if start is not None:
        model = experiment.model(settings)
        storage.load_weights(model, start)
        experiment = with_model(experiment, model)
    if warm is not None:
        return experiment.again(warm, settings, choice.engine)
    trainer = experiment.trainer(settings, choice.engine)
    model, rows = trainer.export(), getattr(settings, "batch_size", 0) + settings.num_envs
    remedy = "give a smaller --batch-size, fewer --num-envs or smaller --hidden layers"
    affordable.refuse_learning(model, rows, remedy)
    storage.check_architecture(model, place / ARCHITECTURE)
    return trainer


class Result(NamedTuple):
    """What a run came to."""

    outcome: Any  # `shared.runs.training.Outcome`
    told: tuple[str, ...]  # of `finish`


def carry_out(
    run: Run,
    choice: Choice,
    trainer: Trainer,
    *,
    resume: bool = False,
    keras: bool = False,
    show: bool = True,
    stop: Callable[[], bool] = lambda: False,
) -> Result:
    """Train in a run that was begun, to its end, evaluate what was learned, and leave all of it in the run's folder.

    Args:
        run: begun, or opened again.
        choice: what is trained.
        trainer: of `trainer_for`.
        resume: go on from the newest checkpoint.
        keras: also write the whole network as Keras does.
        show: how far training is.
        stop: as of `shared.runs.training.train`.

    Raises:
        shared.runs.training.Stopped: after a signal or when told to `stop`, once a checkpoint is written, and weights
            that show what was learned so far.
        UserError: if the loss is no longer finite; the last checkpoint is kept.
    """
    experiment = choice.experiment
    try:
        outcome = training.train(
            trainer,
            run,
            choice.settings,
            unit=experiment.unit,
            figure=experiment.figure,
            largest_reward=experiment.largest_reward,
            resume=resume,
            show=show,
            stop=stop,
        )
    except training.Stopped:
        _save_weights(run, experiment, trainer.export())
        raise
    if keras:
        storage.save_model(trainer.export(), run.path / WHOLE_MODEL)
    return Result(outcome, finish(run, choice, trainer, outcome))


def finish(run: Run, choice: Choice, trainer: Trainer, outcome: Any) -> tuple[str, ...]:
    """Leave in a run's folder what training came to; returns lines for people: how good it was, and is."""
    experiment, settings, model = choice.experiment, choice.settings, trainer.export()
    _save_weights(run, experiment, model)
    axis = ("steps", "environment steps") if trainer.goal.by_steps else ("episodes", experiment.unit)
    charts.learning_curve(run.path / CURVE, run.read_metrics(), experiment.panels, *axis)
    result = experiment.evaluate(model, settings, FINAL_EPISODES, settings.seed + EVALUATION_SEED_OFFSET)
    figure, recent, last = experiment.figure, outcome.scores[-training.WINDOW :], None
    told = f"no {experiment.unit.removesuffix('s')} ended in training"
    if len(recent):
        last = float(figure.of(recent))
        score = figure.format.format(last)
        told = f"{figure.name} over the last {training.WINDOW} {experiment.unit} of training: {score}"
    run.finish({**result, "final_training_score": last, "steps": outcome.steps, "seconds": outcome.seconds})
    run.logs.finish(outcome.steps, result, lambda: _games(experiment, settings, model))
    return told, experiment.describe(result)


def _save_weights(run, experiment, model):
    storage.save_weights(model, run.path / experiment.weights_name)
    storage.save_architecture(model, run.path / ARCHITECTURE)


def _games(experiment, settings, model):
    """Games of the evaluation, as an animated GIF."""
    env, stage = experiment.env(settings, render_mode="rgb_array"), experiment.stage() or views.any_stage()
    seed = settings.seed + EVALUATION_SEED_OFFSET
    policy = experiment.policy(model, False, seed)
    return playback.animation(playback.Small(env, stage.every), policy, episodes=SHOWN_GAMES, fps=stage.fps, seed=seed)
