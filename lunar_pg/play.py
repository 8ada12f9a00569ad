"""Watch a trained policy in a window, or record it: `python -m lunar_pg.play`."""

import numpy as np

from lunar_pg.experiment import EXPERIMENTS, NO_PROBABILITIES
from shared.commands.parser import Parser, command, settings_from
from shared.commands.play import PlayConfig, add_recording_arguments, recordings
from shared.commands.trained import add_weights_arguments, load_trained
from shared.display.playback import GIF, Small, record, watch
from shared.errors import UserError

EVERY = 2  # a window and a GIF show every second picture; a GIF also every second pixel, to be small


def main(argv):
    """Run the command with a list of arguments; returns its exit status."""
    parser = Parser("lunar_pg.play", "Watch a trained policy in a window, or record it.")
    add_weights_arguments(parser, "lunar_pg", EXPERIMENTS)
    parser.add_settings(PlayConfig())
    parser.add_argument(
        "--sampled", action="store_true", help="draw actions by their probability, as in training, not the likeliest"
    )
    add_recording_arguments(parser)
    arguments = parser.parse_args(argv)
    config, paths = settings_from(arguments, PlayConfig), recordings(arguments)
    trained = load_trained(arguments, "lunar_pg", EXPERIMENTS)
    print(f"policy: {trained.weights}", flush=True)

    env = trained.experiment.env(trained.settings, **config.env_options)
    fps = config.fps or env.metadata["render_fps"]
    options = {"episodes": config.episodes, "fps": fps, "seed": config.seed}
    for path in paths:
        shown = Small(env, EVERY) if path.suffix.lower() == GIF else env
        played = record(path, shown, one_at_a_time(trained.model, arguments.sampled, config.seed), **options)
        print(f"recorded: {path}")
    if not paths:
        policy = one_at_a_time(trained.model, arguments.sampled, config.seed)
        played = watch(env, policy, env.spec.id, every=EVERY, **options)
    scores = [episode.score for episode in played]
    print(f"returns: {', '.join(f'{score:.1f}' for score in scores)}; mean {np.mean(scores):.1f}")
    return 0


def one_at_a_time(model, sampled, seed):
    """A policy for a single environment: observation float32 [D] -> action."""
    from lunar_pg.policies import NumpyPolicy

    policy, rng = NumpyPolicy(model), np.random.default_rng(seed)
    if sampled and not policy.has_probabilities:
        raise UserError(f"--sampled: {NO_PROBABILITIES}; leave it out")
    choose = policy.sample if sampled else policy.greedy
    return lambda observation: int(choose(np.asarray(observation, np.float32)[None], rng.random(1))[0])


if __name__ == "__main__":
    command(main)
