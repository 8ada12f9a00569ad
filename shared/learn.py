"""A DQN in ten lines of Python, for a game, an environment or its id:

from shared.learn import DQN

agent = DQN("Acrobot-v1", steps=100_000)
history = agent.fit()
print(history.scores[-100:].mean(), agent.evaluate(episodes=100))
agent.play(gif="acrobot.gif")
agent.save("acrobot.h5")
"""

import dataclasses
from pathlib import Path
from typing import Any

import gymnasium
import keras
import numpy as np

from shared import storage
from shared.commands.program import SMALL_GAME
from shared.display import playback, views
from shared.display.notebook import animated, in_notebook
from shared.display.terminal import Screen
from shared.dqn.settings import Settings
from shared.errors import UserError
from shared.options import refuse_unknown
from shared.runs import training
from shared.runs.notes import History, Notes
from shared.runs.own import ANY_ENV, EnvExperiment, GameExperiment, any_env

EVALUATION_SEED = 10_000_019


class DQN:
    """An agent that learns one game or environment.

    Args:
        env: a game (`shared.games.contract.Game`), which is trained compiled; a Gymnasium environment or its id, of
            which several are played side by side.
        model: a Keras model from float32 [B, *observation shape] to action values [B, A]; default: dense layers, and
            convolutions before them for pictures. It is trained in place.
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
        self.experiment: EnvExperiment | GameExperiment
        if isinstance(env, str):
            self.experiment, first, engine = any_env(env), settings or ANY_ENV, "vector"
        else:
            self.experiment = GameExperiment(type(env).__name__.lower(), type(env).__name__, {}, rules=env)
            first, engine = settings or Settings(**SMALL_GAME), "compiled"
        refuse_unknown(changes, type(first))
        self.settings = dataclasses.replace(first, **changes)
        self._given = model
        self._trainer = self._build().trainer(self.settings, engine)
        self.model = self._trainer.export()

    def _build(self) -> Any:
        """The experiment, with the model that was given."""
        if self._given is None:
            return self.experiment
        given, kind = self._given, type(self.experiment)

        class WithModel(kind):  # type: ignore[valid-type, misc]
            """The same with a network of the caller's."""

            def network(self, settings: Settings, outputs: int) -> keras.Model:
                if given.output_shape[-1] != outputs:
                    raise UserError(f"model: gives {given.output_shape[-1]} numbers, {outputs} are needed; change it")
                return given

        return WithModel(**{field.name: getattr(self.experiment, field.name) for field in dataclasses.fields(kind)})

    def fit(self, verbose: bool = True) -> History:
        """Train to the end of the settings, with a progress bar unless `verbose` is off; Ctrl-C ends it early.

        A second call trains anew from the weights that there are.
        """
        notes = Notes()
        try:
            outcome = training.train(
                self._trainer, notes, self.settings, self.experiment.unit, largest_reward=np.inf, show=verbose
            )
        except training.Stopped as stopped:
            outcome = stopped.outcome
        self.model = self._trainer.export()
        return History(outcome.scores, notes.rows, outcome.steps, outcome.seconds)

    def evaluate(self, episodes: int = 100, seed: int = EVALUATION_SEED) -> dict[str, Any]:
        """Play greedily: a dict of `mean_score`, `ci95` (half its 95 % interval), `episodes` and `mean_length`."""
        return self.experiment.evaluate(self.model, self.settings, episodes, seed)

    def play(self, episodes: int = 1, seed: int = 0, gif: str | Path | None = None) -> Any:
        """Show greedy games: in a notebook as an animation, in a terminal there, or as a GIF file.

        Returns the list of `Episode`s; in a notebook the animation.
        """
        env, stage = self.experiment.env(self.settings, render_mode="rgb_array"), views.any_stage()
        policy = self.experiment.policy(self.model, False, seed)
        options: dict[str, Any] = {"episodes": episodes, "seed": seed}
        if gif is not None:
            return playback.record(gif, playback.Small(env, stage.every), policy, fps=stage.fps, **options)
        if in_notebook():
            return animated(env, policy, fps=stage.fps, every=stage.every, **options)
        with Screen(stage.fps, stage.half_blocks) as screen:
            return playback.play_episodes(env, policy, screen, stage, **options)

    def save(self, path: str | Path) -> None:
        """Write the network's weights as an `.h5` file that plain Keras reads."""
        storage.save_weights(self.model, path)

    def load(self, path: str | Path) -> None:
        """Read the network's weights, as written here or by any Keras."""
        storage.load_weights(self.model, path)
