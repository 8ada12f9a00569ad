"""The command `evaluate` that every experiment offers."""

import json

from shared.commands.parser import Parser, whole_number
from shared.commands.trained import add_weights_arguments, load_trained
from shared.errors import UserError

EVALUATION_SEED_OFFSET = 10_000_019  # the games of the evaluation are not those of the training
FINAL_EPISODES = 100  # random games in the evaluation that ends a training


def evaluate(argv, package, experiments):
    """`python -m <package>.evaluate`; arguments as for `shared.commands.train.train`."""
    parser = Parser(f"{package}.evaluate", "Play and score a trained agent.")
    add_weights_arguments(parser, package, experiments)
    parser.add_argument(
        "--episodes", type=whole_number, default=FINAL_EPISODES, help="random games (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=whole_number, default=EVALUATION_SEED_OFFSET, help="of these games (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args(argv)
    if arguments.episodes < 1:
        raise UserError(f"--episodes {arguments.episodes}: out of range; give a value of at least 1")
    if not 0 <= arguments.seed < 2**31:
        raise UserError(f"--seed {arguments.seed}: out of range; give a value from 0 to {2**31 - 1}")
    trained = load_trained(arguments, package, experiments)
    result = trained.experiment.evaluate(trained.model, trained.settings, arguments.episodes, arguments.seed)
    print(json.dumps(result) if arguments.json else f"{trained.weights}\n{trained.experiment.describe(result)}")
    return 0
