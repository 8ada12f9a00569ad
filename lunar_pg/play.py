"""Watch a trained policy in a window, or record it: `python -m lunar_pg.play`."""

import gymnasium
import numpy as np

from lunar_pg.experiment import EXPERIMENTS
from shared.cli import Parser, command, settings_from
from shared.errors import UserError
from shared.playback import GIF, Episode, PlayConfig, add_recording_arguments, record, recordings
from shared.plotting import Window
from shared.trained import add_weights_arguments, load_trained

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

    env = trained.experiment.env(trained.settings, render_mode="rgb_array")
    fps = config.fps or env.metadata["render_fps"]
    options = {"episodes": config.episodes, "fps": fps, "seed": config.seed}
    for path in paths:
        shown = Small(env) if path.suffix.lower() == GIF else env
        played = record(path, shown, one_at_a_time(trained.model, arguments.sampled, config.seed), **options)
        print(f"recorded: {path}")
    if not paths:
        played = watch(env, one_at_a_time(trained.model, arguments.sampled, config.seed), **options)
    scores = [episode.score for episode in played]
    print(f"returns: {', '.join(f'{score:.1f}' for score in scores)}; mean {np.mean(scores):.1f}")
    return 0


def one_at_a_time(model, sampled, seed):
    """A policy for a single environment: observation float32 [D] -> action."""
    from lunar_pg.policies import NumpyPolicy

    policy, rng = NumpyPolicy(model), np.random.default_rng(seed)
    choose = policy.sample if sampled else policy.greedy
    return lambda observation: int(choose(np.asarray(observation, np.float32)[None], rng.random(1))[0])


def watch(env, policy, *, episodes, fps, seed):
    """Play in a window; closing it, like Ctrl-C, ends the program. Returns a list of `Episode`s."""
    # A window of Gymnasium's own brings down the whole process where it finds no display.
    try:
        window = Window(env.spec.id, fps / EVERY)
    except UserError as error:
        cause = str(error).partition(";")[0]
        raise UserError(f"{cause}; record the games with --gif FILE or --mp4 FILE") from error
    played = []
    for number in range(episodes):
        observation, _ = env.reset(seed=seed if number == 0 else None)
        score, steps, over = 0.0, 0, False
        while not over:
            if steps % EVERY == 0:
                window.show(env.render())
            observation, reward, terminated, truncated, _ = env.step(policy(observation))
            score, steps, over = score + float(reward), steps + 1, terminated or truncated
        played.append(Episode(score, steps))
    window.close()
    return played


class Small(gymnasium.Wrapper):
    """Renders every second picture at half its size; in between the last one stands."""

    def __init__(self, env):
        super().__init__(env)
        self._pictures, self._picture = 0, None

    def render(self):
        """uint8 [H / 2, W / 2, 3]."""
        if self._pictures % EVERY == 0:
            self._picture = self.env.render()[::EVERY, ::EVERY]
        self._pictures += 1
        return self._picture


if __name__ == "__main__":
    command(main)
