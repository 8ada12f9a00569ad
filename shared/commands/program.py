"""A game of one's own as a program: `python ring.py train`, `play`, `evaluate`, with all that the games here have.

The file ends with `program(Ring(), steps=30_000)`; docs/own_game.md walks through it.
"""

import importlib
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.commands.evaluate import evaluate
from shared.commands.parser import Parser, command
from shared.commands.play import play
from shared.commands.train import train
from shared.dqn.settings import Settings
from shared.errors import UserError
from shared.games.contract import Game
from shared.options import refuse_unknown
from shared.runs.own import GameExperiment
from shared.runs.suite import Suite

VERBS = {"train": train, "play": play, "evaluate": evaluate}


def program(
    game: Game,
    *,
    network: Callable[..., Any] | None = None,
    presets: dict[str, dict[str, Any]] | None = None,
    **settings: Any,
) -> None:
    """Run the file that calls this as a program that trains, plays and evaluates a game. Does not return.

    Args:
        game: the rules (`shared.games.contract.Game`).
        network: (observation shape, outputs, hidden, seed) -> a Keras model from float32 [B, *shape] to [B, outputs];
            default: dense layers, and convolutions before them for pictures.
        presets: more settings by name, each a dict of what it changes in `settings`, for `--preset NAME`.
        settings: of `shared.dqn.settings.Settings`, by name; what is not given has a default that suits small games.
    """
    if _asking:
        raise _Found(_own_suite(game, network, presets, settings))
    command(
        lambda argv: run_suite(argv, _own_suite(game, network, presets, settings)),
        f"python {sys.argv[0]}",
    )


def _own_suite(game, network, presets, settings):
    """What the file that is run as a program trains, plays and evaluates."""
    first = SMALL_GAME | settings
    named = {"tuned": first} | {name: first | changes for name, changes in (presets or {}).items()}
    for values in named.values():
        refuse_unknown(values, Settings)
    kind = type(game).__name__.lower()
    experiment = GameExperiment(
        name=kind,
        title=type(game).__name__,
        presets={name: Settings(**values) for name, values in named.items()},
        rules=game,
        make_network=network,
    )
    return Suite(Path(sys.argv[0]).stem, {kind: experiment}, program=f"python {sys.argv[0]}")


_asking = False  # whether a file is run for what its `program` is given, and not as a program


class _Found(BaseException):
    """Ends such a file where it calls `program`."""

    def __init__(self, suite):
        super().__init__()
        self.suite = suite


def suite_of(name: str) -> Suite:
    """What can be trained, by the word that a person has for it. It is code that runs: never take it from a file.

    Args:
        name: a package such as `catch_dqn`, `shared.dqn` for any Gymnasium environment, or the path of a file that ends
            with `program(...)`.

    Raises:
        UserError: if there is no such thing.
    """
    if name.endswith(".py"):
        return _suite_in(name)
    module = "shared.dqn.__main__" if name == "shared.dqn" else f"{name}.experiment"
    try:
        return importlib.import_module(module).SUITE
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise UserError(
            f"{name}: no package of experiments ({error}); give one such as catch_dqn, or the path of a file such as "
            "ring.py"
        ) from error


def _suite_in(path):
    """The suite of a file with a game of one's own, which is run as far as its call of `program`."""
    global _asking
    if not Path(path).is_file():
        raise UserError(f"{path}: there is no such file; give the path of one that ends with program(...)")
    argv, sys.argv, _asking = sys.argv, [path], True
    sys.path.insert(0, str(Path(path).parent.resolve()))  # as Python does for a file that it runs
    try:
        runpy.run_path(path, run_name="__main__")
    except _Found as found:
        return found.suite
    finally:
        sys.argv, _asking = argv, False
    raise UserError(f"{path}: never calls program(...); let the file end with that (docs/own_game.md)")


SMALL_GAME: dict[str, Any] = {
    "episodes": None,
    "steps": 100_000,
    "num_envs": 8,
    "hidden": (64, 64),
    "learning_rate": 1e-3,
    "loss": "mse-taken",
    "discount": 0.99,
    "epsilon": 1.0,
    "epsilon_end": 0.02,
    "epsilon_decay": 10_000,
    "replay_capacity": 20_000,
    "batch_size": 64,
    "learning_starts": 1_000,
    "train_every": 8,
    "target_sync": 1_000,
    "double": True,
    "time_limit": 1_000,
}


def run_suite(argv: list[str], suite: Suite, default: str | None = None) -> int:
    """Run `train`, `play` or `evaluate` of a suite, as the first argument says; returns the exit status.

    `default`: what is meant where no verb stands first.
    """
    if argv and argv[0] in VERBS:
        return VERBS[argv[0]](argv[1:], suite)
    if default and argv[:1] not in (["-h"], ["--help"]):
        return VERBS[default](argv, suite)
    called = suite.program or suite.package
    parser = Parser(called, f"Train an agent, watch it or score it: {called} VERB --help says more.")
    parser.add_argument("verb", choices=VERBS, help="what to do")
    parser.parse_args(argv[:1])
    return 0
