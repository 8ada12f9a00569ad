"""`play --web`: games on a page in a browser, with the real rules and the real network."""

from typing import Any

import numpy as np

from shared.commands.parser import Parser, whole_number
from shared.commands.trained import Trained
from shared.display.views import any_stage
from shared.errors import UserError, say
from shared.late import is_installed, late

match, server, web = late("shared.display.web.match"), late("shared.display.web.server"), late("shared.display.web")

PORT = 8765  # the same each time, for who leads it through SSH
FOOTER = (
    "Rules and network run in Python, in the program that you started; Ctrl-C there ends it. A seed gives the same "
    "game as in the terminal."
)
ELSEWHERE = ("human", "window", "gif", "mp4")  # flags that say where else games are shown


def add_page_arguments(parser: Parser) -> None:
    """Add the flags of a page; parsed, they are `web` and `port`."""
    parser.add_argument("--web", action="store_true", help="play on a page in a browser on this machine, you too")
    parser.add_argument(
        "--port", type=whole_number, metavar="INT", help=f"of the page's address (default: {PORT}; 0: any that is free)"
    )


def listener_for(arguments: Any, episodes_given: bool) -> Any:
    """What the flags of `add_page_arguments` ask for: a socket that listens, or None without --web.

    Raises:
        UserError: if flags contradict each other, a library is missing or the port is taken.
    """
    if not arguments.web:
        if arguments.port is not None:
            raise UserError(f"--port {arguments.port}: is of the page that --web makes; add --web")
        return None
    for name in ELSEWHERE:
        if getattr(arguments, name):
            raise UserError(f"--{name}: games are shown on the page; leave out --web or this")
    if episodes_given:
        raise UserError(f"--episodes {arguments.episodes}: a page goes on for as long as you like; leave it out")
    port = PORT if arguments.port is None else arguments.port
    if not 0 <= port < 1 << 16:
        raise UserError(f"--port {port}: give a number from 0 to 65535")
    missing = [name for name in ("starlette", "uvicorn") if not is_installed(name)]
    if missing:
        raise UserError(f'--web: {" and ".join(missing)} not installed; pip install ".[web]"')
    return server.listen(port)


def serve(trained: Trained, settings: Any, sampled: bool, listener: Any) -> None:
    """Serve the page of an agent until the process is interrupted, which raises `KeyboardInterrupt`.

    Args:
        trained: the agent.
        settings: of `play` (`shared.commands.play.PlaySettings`): pace, time limit and seed.
        sampled: draw its actions by their chances.
        listener: of `listener_for`.
    """
    experiment = trained.experiment

    def make_env():
        return experiment.env(trained.settings, **settings.env_options)

    env = make_env()
    actions = int(env.action_space.n)
    stage = experiment.stage() or any_stage(actions)
    network = trained.network()
    outlook, policy = experiment.outlook(network), experiment.policy(network, sampled, settings.seed)
    said = outlook(
        np.zeros(env.observation_space.shape, env.observation_space.dtype)
    )  # compiles before the first frame
    meaning = web.PROBABILITIES if said.are_chances else web.VALUES
    data = web.page_data(stage, actions, meaning) | {"seed": settings.seed}
    if sampled:
        data["chooses"] = "draws its actions by these chances"
    if settings.fps is not None:
        data |= {"fps": settings.fps, "humanFps": settings.fps}
    page = web.page(
        title=experiment.title,
        about=trained.about,
        footer=FOOTER,
        data=data,
        scripts=server.scripts(),
        connects=True,
    )
    served = server.Server(
        page, match.Table(make_env, policy, outlook, experiment.adviser(trained.settings), stage), actions, listener
    )
    say(f"open {served.address} in a browser; Ctrl-C ends it")
    served.run()
