"""Training from Python, in a few lines: a game, an environment or its id::

    from shared.learn import DQN

    agent = DQN("Acrobot-v1", steps=100_000)
    history = agent.fit()
    history.plot()
    print(history.scores[-100:].mean(), agent.evaluate(episodes=100))
    agent.play()
    agent.save("acrobot.h5")

or an experiment of this project, by the words of its command line::

    from shared.learn import experiment

    agent = experiment("catch_dqn", "ball8", preset="tuned", steps=50_000)
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium
import keras
import numpy as np

from shared import storage
from shared.commands.play import mind_of
from shared.commands.program import SMALL_GAME, suite_of
from shared.display import charts, notebook, playback, views
from shared.display.terminal import Screen
from shared.dqn.settings import Settings, what_stays
from shared.errors import UserError, warn
from shared.machine import in_notebook
from shared.options import refuse_unknown
from shared.runs import preset_file, training
from shared.runs.experiment import Experiment, with_model
from shared.runs.notes import Notes
from shared.runs.own import ANY_ENV, EnvExperiment, GameExperiment, any_env

EVALUATION_SEED = 10_000_019


@dataclasses.dataclass(frozen=True)
class History:
    """How a training went, and what came of it."""

    model: keras.Model  # trained
    scores: np.ndarray  # float32 [episodes], the return of every episode
    lengths: np.ndarray  # int [episodes], the steps of every episode
    ends: np.ndarray  # int [episodes], environment steps that had been taken when it ended
    rows: list[dict[str, float]]  # what was reported on the way: steps, episodes, score, loss, epsilon, seconds
    steps: int  # environment steps
    seconds: float
    axis: tuple[str, str] = ("steps", "environment steps")  # the column that `plot` draws over, and what it is called
    panels: Sequence[charts.Panel] | None = None  # what it draws, one above the other; None: the score and the loss

    def __getitem__(self, name: str) -> np.ndarray:
        """One column of the rows, as `history["loss"]`."""
        return np.array([row[name] for row in self.rows])

    def plot(self, path: str | Path | None = None) -> Any:
        """Draw the learning curves: in a notebook below the cell that this call ends, or as a PNG file.

        Raises:
            UserError: if there is neither a notebook nor a path, or the file cannot be written.
        """
        if path is None and not in_notebook():
            raise UserError("path: curves are shown in a notebook only; name a PNG file")
        data = charts.learning_curve(path, self.rows, self.panels, *self.axis)
        return notebook.shown_png(data) if path is None else None


class Agent:
    """An agent that learns one experiment.

    Args:
        experiment: what is learned.
        settings: an instance of its settings class.
        engine: the name of its loop.
        model: a Keras model from float32 [B, *observation shape] to action values [B, A], or, for a policy gradient,
            to their probabilities; default: the experiment's own. It is trained in place.
        largest_reward: of one step, up or down: values far beyond what it can add up to are warned of.

    Raises:
        UserError: for settings that do not go together, and a model that gives another number of values.
    """

    def __init__(
        self,
        experiment: Experiment,
        settings: Any,
        engine: str,
        model: keras.Model | None = None,
        largest_reward: float = np.inf,
    ) -> None:
        self.experiment, self.settings, self.engine = experiment, settings, engine
        self.largest_reward = largest_reward
        self.model = experiment.model(settings) if model is None else self._headed(model)
        self._trainer()  # refuses what cannot be trained

    def _headed(self, model):
        """The caller's network as the experiment's model."""
        actions = self.experiment.spaces(self.settings).num_actions
        learner = self.experiment.learner(self.settings) if isinstance(self.settings, Settings) else None
        outputs = learner.outputs(actions) if learner else actions
        if model.output_shape[-1] != outputs:
            raise UserError(f"model: gives {model.output_shape[-1]} numbers, {outputs} are needed; change it")
        return learner.head(model, actions) if learner else model

    def _trainer(self):
        return with_model(self.experiment, self.model).trainer(self.settings, self.engine)

    def fit(self, verbose: bool = True) -> History:
        """Train to the end of the settings, with a progress bar unless `verbose` is off; Ctrl-C ends it early.

        A second call, or one after `load`, trains anew from the weights that there are.
        """
        trainer, notes = self._trainer(), Notes()
        try:
            outcome = training.train(
                trainer,
                notes,
                self.settings,
                self.experiment.unit,
                figure=self.experiment.figure,
                largest_reward=self.largest_reward,
                show=verbose,
            )
        except training.Stopped as stopped:
            outcome = stopped.outcome
        self.model = trainer.export()
        ends, lengths = np.concatenate(notes.episodes, axis=1)
        axis = ("steps", "environment steps") if trainer.goal.by_steps else ("episodes", self.experiment.unit)
        known = (notes.rows, outcome.steps, outcome.seconds, axis, self.experiment.panels)
        return History(self.model, outcome.scores, lengths, ends, *known)

    def evaluate(self, episodes: int = 100, seed: int = EVALUATION_SEED) -> dict[str, Any]:
        """Play greedily.

        Returns a dict with `mean_score`, `ci95` (half its 95 % interval), `episodes`, and what else the experiment's
        `evaluate` counts.
        """
        return self.experiment.evaluate(self.model, self.settings, episodes, seed)

    def play(self, episodes: int = 1, seed: int = 0, gif: str | Path | None = None, values: bool = False) -> Any:
        """Show greedy games: in a notebook as an animation, in a terminal there, or as a GIF file.

        With `values`, what the network says of each action stands beside the picture (`shared.display.values`).

        Returns the list of `Episode`s; in a notebook the animation.
        """
        env = self.experiment.env(self.settings, render_mode="rgb_array")
        stage = self.experiment.stage() or views.any_stage()
        policy = self.experiment.policy(self.model, False, seed)
        mind = mind_of(self.experiment, self.settings, self.model, stage) if values else None
        options: dict[str, Any] = {"episodes": episodes, "seed": seed, "mind": mind}
        if gif is not None:
            return playback.record(gif, playback.Small(env, stage.every), policy, fps=stage.fps, **options)
        if in_notebook():
            return notebook.animated(env, policy, fps=stage.fps, every=stage.every, **options)
        with Screen(stage.fps, stage.half_blocks) as screen:
            return playback.play_episodes(env, policy, screen, stage, **options)

    def save(self, path: str | Path) -> None:
        """Write the network's weights as an `.h5` file that plain Keras reads."""
        storage.save_weights(self.model, path)

    def load(self, path: str | Path) -> None:
        """Read the network's weights, as written here or by any Keras."""
        storage.load_weights(self.model, path)


class DQN(Agent):
    """An agent that learns a game or an environment of the caller's.

    Args:
        env: a game (`shared.games.contract.Game`), which is trained compiled; a Gymnasium environment or its id, of
            which several are played side by side.
        model: as of `Agent`; default: dense layers, and convolutions before them for pictures.
        settings: a `shared.dqn.settings.Settings`; default: one that suits small games.
        changes: settings by name, such as `steps=50_000` or `learner="quantile"`, over those of `settings`.

    Raises:
        UserError: for an environment without something to observe and actions 0, 1, 2, ..., and for settings that do
            not go together.
    """

    def __init__(
        self,
        env: Any,
        model: keras.Model | None = None,
        settings: Settings | None = None,
        **changes: Any,
    ) -> None:
        if isinstance(env, gymnasium.Env):
            if env.spec is None:
                raise UserError("env: made without gymnasium.make; register it, and give its id")
            env = env.spec.id
        learned: EnvExperiment | GameExperiment
        if isinstance(env, str):
            learned, first, engine = any_env(env), settings or ANY_ENV, "vector"
        else:
            learned = GameExperiment(type(env).__name__.lower(), type(env).__name__, {}, rules=env)
            first, engine = settings or Settings(**SMALL_GAME), "compiled"
        super().__init__(learned, _changed(first, changes), engine, model)


def experiment(
    package: str,
    name: str | None = None,
    preset: str | None = None,
    engine: str | None = None,
    model: keras.Model | None = None,
    **changes: Any,
) -> Agent:
    """The agent that `python -m <package>.train` trains.

    Args:
        package: `"catch_dqn"`, `"cave_game"`, `"cartpole_dqn"`, `"lunar_pg"` or `"breakout_dqn"`, or the path of a file
            with a game of one's own that ends with `program(...)`.
        name: which of its experiments, as after `--game`, `--variant` or `--env`; default: its first.
        preset: as after `--preset`, also a file; default: the experiment's first, which is the tutorial's.
        engine: as after `--engine`.
        model: as of `Agent`.
        changes: settings by name, as the flags are called: `batch_size=64` for `--batch-size 64`.

    Raises:
        UserError: for a name that there is not, and for settings that do not go together.
    """
    suite = suite_of(package)
    if name is not None and name not in suite.experiments and suite.make is None:
        raise UserError(f"{name}: no experiment of {package}; there are {', '.join(suite.experiments)}")
    file = preset_file.read(Path(preset), suite, name) if preset and preset_file.is_file(preset) else None
    learned, named = (file.experiment, file.preset) if file else (suite.find(name), preset)
    for given, there in ((named, learned.presets), (engine, learned.engines)):
        if given is not None and given not in there:
            raise UserError(f"{given}: {learned.name} has only {', '.join(there)}; give one of these")
    settings = learned.presets[named] if named else learned.first_settings
    settings = file.over(settings) if file else settings
    chosen = _changed(settings, changes)
    if told := what_stays(settings, chosen):
        warn(told)
    return Agent(learned, chosen, engine or learned.engines[0], model, learned.largest_reward)


def _changed(settings, changes):
    """Settings with some of them changed, by name."""
    refuse_unknown(changes, type(settings))
    return dataclasses.replace(settings, **changes)
