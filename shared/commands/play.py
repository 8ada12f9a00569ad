"""The command `play` that every experiment offers."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from shared.commands import on_page
from shared.commands.parser import Parser, path_name, settings_from
from shared.commands.trained import add_weights_arguments, load_trained
from shared.display.playback import GIF, MP4, Small, Stage, check_recording, play_episodes, record, watch
from shared.display.terminal import Screen
from shared.display.values import Mind
from shared.display.views import any_stage
from shared.errors import UserError, say
from shared.options import check_limits, option
from shared.runs.experiment import Experiment
from shared.runs.suite import Suite


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlaySettings:
    """How many games `play` plays, which, and how fast."""

    episodes: int = option(10, "games to play", low=1)
    fps: float | None = option(None, "frames per second (default: the game's own pace)", low=0.1, high=1000.0)
    time_limit: int | None = option(
        None, "environment steps after which a game is cut (default: the game's own limit)", low=1
    )
    seed: int = option(0, "every random number of the games comes from it", low=0, high=2**31 - 1)

    def __post_init__(self) -> None:
        check_limits(self)

    @property
    def env_options(self) -> dict[str, Any]:
        """The options of `Experiment.env` for games that are shown."""
        limit = {} if self.time_limit is None else {"max_episode_steps": self.time_limit}
        return {"render_mode": "rgb_array", **limit}


def play(argv: list[str], suite: Suite) -> int:
    """`python -m <package>.play`.

    Args:
        argv: the arguments.
        suite: what can be played.

    Returns the exit status.
    """
    parser = Parser(
        suite.command("play"), "Watch a trained agent play in the terminal, record it, or play yourself. q quits."
    )
    add_weights_arguments(parser, suite)
    parser.add_settings(PlaySettings())
    parser.add_argument("--human", action="store_true", help="play yourself, in the terminal")
    parser.add_argument("--window", action="store_true", help="show the games in a window")
    if any(experiment.draws_actions for experiment in suite.experiments.values()):
        parser.add_argument(
            "--sampled",
            action="store_true",
            help="draw actions by their probability, as in training, instead of the likeliest one",
        )
    parser.add_argument(
        "--values",
        action="store_true",
        help="show beside the picture what the agent thinks of each action, and what a better player would do",
    )
    add_recording_arguments(parser)
    on_page.add_page_arguments(parser)
    parser.add_compile_cache()
    arguments = parser.parse_args(argv)
    settings, paths = settings_from(arguments, PlaySettings), recordings(arguments)
    listener = on_page.listener_for(arguments, settings.episodes != PlaySettings().episodes)
    options: dict[str, Any] = {"episodes": settings.episodes, "seed": settings.seed}
    if arguments.human:
        if arguments.window:
            raise UserError("--window: a person plays in the terminal; leave out --human or this")
        if arguments.weights is not None:
            raise UserError(f"--weights {arguments.weights}: an agent cannot help a person; leave out --human or this")
        if arguments.values:
            raise UserError("--values: shows what an agent thinks, and a person plays; leave out --human or this")
        experiment = suite.find(arguments.experiment)
        env = experiment.env(experiment.first_settings, **settings.env_options)
        stage = experiment.stage() or any_stage(int(env.action_space.n))
        played = _on_screen(env, stage.keyboard(), stage, settings.fps or stage.human_fps, person=True, **options)
        print(stage.tally(played) if played else "no game was finished")
        return 0

    trained = load_trained(arguments, suite)
    experiment = trained.experiment
    say(f"agent: {trained.weights}")
    if listener is not None:
        on_page.serve(trained, settings, getattr(arguments, "sampled", False), listener)
        return 0
    stage, env = experiment.stage() or any_stage(), experiment.env(trained.settings, **settings.env_options)
    sampled = getattr(arguments, "sampled", False)
    fps = settings.fps or stage.fps
    if arguments.values:
        options["mind"] = mind_of(experiment, trained.settings, trained.network(), stage)

    def policy():
        chosen = experiment.policy(trained.network(), sampled, settings.seed)
        chosen(np.zeros(env.observation_space.shape, env.observation_space.dtype))  # compiles before the first frame
        return chosen

    for path in paths:
        shown = Small(env, stage.every) if path.suffix.lower() == GIF and stage.every > 1 else env
        say(f"recording {path}")
        played = record(path, shown, policy(), fps=fps, **options)
        say(f"recorded: {path}")
    if arguments.window and not paths:
        played = watch(env, policy(), experiment.title, every=stage.every, fps=fps, **options)
    elif not paths:
        played = _on_screen(env, policy(), stage, fps, **options)
    print(stage.tally(played) if played else "no game was finished")
    return 0


def mind_of(experiment: Experiment, settings: Any, network: Any, stage: Stage) -> Mind:
    """What an agent thinks while it plays: to be shown beside its games."""
    return Mind(experiment.outlook(network), stage.actions, experiment.adviser(settings))


def _on_screen(env, policy, stage, fps, *, episodes, seed, person=False, mind=None):
    """Play in the terminal."""
    screen = Screen(fps, stage.half_blocks)
    if person and not screen.interactive:
        raise UserError("--human: needs a terminal to draw on and to type in; start it in one, with TERM set")
    help_line = [f"{stage.keys}, q quits" if person else "q quits"] if screen.interactive else []
    with screen:
        options = {"episodes": episodes, "seed": seed, "help_line": help_line, "mind": mind}
        return play_episodes(env, policy, screen, stage, **options)


def add_recording_arguments(parser: Parser) -> None:
    """Add the flags that record games to files."""
    for name, kind in ((GIF, "an animation"), (MP4, "a video")):
        parser.add_argument(
            f"--{name[1:]}", type=path_name, metavar="FILE", help=f"record {kind} instead of showing the games"
        )


def recordings(arguments: argparse.Namespace) -> list[Path]:
    """The files that the flags of `add_recording_arguments` ask for."""
    asked = {suffix: getattr(arguments, suffix[1:]) for suffix in (GIF, MP4)}
    for suffix, path in asked.items():
        if path is not None and path.suffix.lower() != suffix:
            raise UserError(f"--{suffix[1:]} {path}: give a name that ends in {suffix}")
        if path is not None and getattr(arguments, "human", False):
            raise UserError(f"--{suffix[1:]} {path}: only an agent's games are recorded; leave out --human")
    paths = [path for path in asked.values() if path is not None]
    for path in paths:
        check_recording(path)
    return paths
