"""`export --web`: one page with the rules, the network and its weights inside, for any browser and any static host."""

import importlib.resources
from pathlib import Path

from shared import files
from shared.commands.exports import Target
from shared.commands.trained import Trained
from shared.errors import UserError
from shared.late import late

network, web = late("shared.display.web.network"), late("shared.display.web")

BEFORE, AFTER = ("draws.js", "network.js"), ("local.js", "page.js")  # the rules
FOOTER = (
    "Rules and network are in this page: nothing is loaded, nothing is sent. A seed gives the same game as in Python."
)


def write(trained: Trained, path: Path) -> None:
    """Write the page.

    Raises:
        UserError: if the game has no rules in JavaScript, the page cannot compute the network, or the file cannot be
            written.
    """
    experiment, settings = trained.experiment, trained.settings
    rules = experiment.browser_rules(settings)
    if rules is None:
        raise UserError(f"--web {path}: {experiment.name} has no rules in JavaScript; use play --web, or another game")
    package = type(experiment).__module__.partition(".")[0]
    script = (importlib.resources.files(package) / rules.script).read_text(encoding="utf-8")
    spaces, env = experiment.spaces(settings), experiment.env(settings)
    data = web.page_data(experiment.stage(), spaces.num_actions, web.VALUES) | {
        "network": network.network_data(trained.model, path),
        "timeLimit": env.spec.max_episode_steps,
        "hold": getattr(settings, "hold", 1),
    }
    start = f"new Page(new LocalTable(DATA, new {rules.name}({web.as_script(rules.options)})));"
    page = web.page(
        title=experiment.title,
        about=trained.about,
        footer=FOOTER,
        data=data,
        scripts=[*map(web.part, BEFORE), script, *map(web.part, AFTER), start],
    )
    files.write_bytes(path, page.encode())


TARGET = Target("--web", ".html", "a page that plays by itself in any browser, with rules and network inside", write)
