"""Atari games as experiments: which networks learn them, and how they are judged. Any `ALE/...-v5` can be one."""

import dataclasses
from typing import Any, ClassVar

import gymnasium
import numpy as np

from breakout_dqn import atari, presets
from shared.dqn.pqn_settings import PQNSettings
from shared.errors import UserError
from shared.late import late
from shared.rollouts.intervals import mean_and_ci95, plus_minus
from shared.runs.experiment import AnySettings
from shared.runs.own import EnvExperiment, EnvSettings
from shared.runs.suite import Suite

greedy, networks, stage = late("shared.rollouts.greedy"), late("breakout_dqn.networks"), late("breakout_dqn.stage")

JUDGED_BY = 0.001  # chance of a random action in the games that judge an agent
SIDE_BY_SIDE = 25  # of these games, at most
HUMAN, RANDOM = 30.5, 1.7  # scores at Breakout (Mnih et al. 2015, extended data table 2)


@dataclasses.dataclass(frozen=True)
class AtariExperiment(EnvExperiment):
    """A game of ale-py's."""

    engines: ClassVar[tuple[str, ...]] = ("vector",)  # the loop to read knows no lost lives

    rom: str = ""
    picture: atari.Picture = atari.WHOLE

    def env(self, settings: EnvSettings | PQNSettings, **options: Any) -> gymnasium.Env:
        """Whole games, unclipped, cut after half an hour unless `max_episode_steps` says otherwise."""
        limit = options.pop("max_episode_steps", settings.time_limit) or -1
        env = atari.AtariEnv(self.rom, self.picture, **options)
        return gymnasium.wrappers.TimeLimit(env, atari.LONGEST if limit == -1 else limit)

    def network(self, settings: EnvSettings | PQNSettings, outputs: int) -> Any:
        """Convolutions and dueling heads."""
        return networks.atari_network(
            self.picture.shape, outputs, settings.hidden, settings.seed, layer_norm=settings.layer_norm
        )

    def stage(self) -> Any:
        """The screen, and for Breakout arrow keys."""
        if self.rom == "breakout":
            return stage.breakout_stage()
        return stage.atari_stage(self.spaces(self.first_settings).num_actions)

    def evaluate(self, model: Any, settings: EnvSettings | PQNSettings, episodes: int, seed: int) -> dict[str, Any]:
        """Whole games, nearly greedy: `mean_score`, `ci95`, `median_score`, `best_score`, `episodes`, `mean_length`."""
        scores, lengths = self._games(model, settings, episodes, seed).T
        mean, ci95 = mean_and_ci95(scores)
        return {
            "mean_score": mean,
            "ci95": ci95,
            "median_score": float(np.median(scores)),
            "best_score": float(scores.max()),
            "episodes": episodes,
            "mean_length": float(lengths.mean()),
        }

    def describe(self, result: dict[str, Any]) -> str:
        """The result of `evaluate` as text."""
        mean, count = plus_minus(result["mean_score"], result["ci95"], ".1f"), result["episodes"]
        told = (
            f"mean score {mean} over {count} whole game{'s' * (count > 1)}, median {result['median_score']:g}, best "
            f"{result['best_score']:g}"
        )
        return f"{told} (a person: {HUMAN}, random actions: {RANDOM})" if self.rom == "breakout" else told

    def _games(self, model, settings, episodes, seed):
        """The scores and lengths of so many games: [episodes, 2]."""
        envs = [self.env(settings) for _ in range(min(episodes, SIDE_BY_SIDE))]
        choose, rng, count = greedy.greedy_choice(model, len(envs)), np.random.default_rng(seed), len(envs)
        seen = np.stack([env.reset(seed=seed + i)[0] for i, env in enumerate(envs)])
        number, played = np.arange(count), np.zeros((episodes, 2))  # which game each of them is at, and how it went
        while (playing := np.flatnonzero(number < episodes)).size:
            explore, choice = rng.random((2, count))[:, playing]
            best = choose(seen[playing], explore)
            actions = np.where(explore < JUDGED_BY, choice * envs[0].action_space.n, best).astype(int)
            for i, action in zip(playing.tolist(), actions.tolist(), strict=True):
                seen[i], reward, terminated, truncated, _ = envs[i].step(action)
                played[number[i]] += reward, 1
                if terminated or truncated:
                    number[i] += count
                    seen[i], _ = envs[i].reset(seed=seed + int(number[i]))
        for env in envs:
            env.close()
        return played


def any_game(env_id: str) -> AtariExperiment:
    """The experiment of an id such as "ALE/Pong-v5".

    Raises:
        UserError: if there is no such game, or no ale-py.
    """
    if env_id == BREAKOUT_ID:
        return EXPERIMENTS["breakout"]
    rom = atari.rom_of(env_id)
    if rom is None:
        raise UserError(
            f"--env {env_id}: no game of ale-py; give breakout or an id such as ALE/Pong-v5 (other environments: "
            "python -m shared.dqn)"
        )
    return AtariExperiment(name=env_id, title=env_id, presets=PRESETS, unit="games", rom=rom)


PRESETS: dict[str, AnySettings] = {"exercise": presets.EXERCISE, "tuned": presets.TUNED}
BREAKOUT_ID = "ALE/Breakout-v5"
EXPERIMENTS = {
    "breakout": AtariExperiment(
        name="breakout",
        title=f"Atari Breakout (T4's exercise), {BREAKOUT_ID}",
        presets=PRESETS,
        unit="games",
        rom="breakout",
        picture=atari.BREAKOUT,
    )
}
SUITE = Suite("breakout_dqn", EXPERIMENTS, flag="--env", make=any_game, known=atari.is_id)
