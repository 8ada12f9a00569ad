"""The command `evaluate` that every experiment offers."""

import dataclasses

from shared import files
from shared.commands import affordable
from shared.commands.parser import Parser, settings_from
from shared.commands.trained import add_weights_arguments, load_trained
from shared.errors import say
from shared.options import LARGEST, check_limits, option
from shared.runs.suite import Suite

EVALUATION_SEED_OFFSET = 10_000_019  # the games of the evaluation are not those of the training
FINAL_EPISODES = 100  # random games in the evaluation that ends a training


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateSettings:
    """How many games an agent is scored by, and which."""

    episodes: int = option(FINAL_EPISODES, "random games, played side by side", low=1, high=10_000)
    seed: int = option(EVALUATION_SEED_OFFSET, "every random number of these games comes from it", low=0, high=LARGEST)

    def __post_init__(self) -> None:
        check_limits(self)


def evaluate(argv: list[str], suite: Suite) -> int:
    """`python -m <package>.evaluate`; arguments as for `shared.commands.train.train`."""
    parser = Parser(
        suite.command("evaluate"), "Let a trained agent play, and score it; ± is the 95 % interval of a mean."
    )
    add_weights_arguments(parser, suite)
    parser.add_settings(EvaluateSettings())
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_compile_cache()
    arguments = parser.parse_args(argv)
    settings = settings_from(arguments, EvaluateSettings)
    trained = load_trained(arguments, suite)
    network = trained.network(settings.episodes)
    if network is not trained.in_numpy:
        affordable.refuse_scoring(network, settings.episodes, "--episodes")
    result = trained.experiment.evaluate(network, trained.settings, settings.episodes, settings.seed)
    if arguments.json:
        print(files.json_text(result))
    else:
        say(trained.weights)
        print(trained.experiment.describe(result))
    return 0
