"""Policy gradients: `python -m benchmarks lunar` measures, `python -m benchmarks.lunar` trains and draws.

The first measures a step of LunarLander in training, against the same environments driven by random actions and
nothing else.

The second trains every variant with every seed (`shared.study`; those that `--runs` already holds are not trained
again), prints a table and draws the learning curves.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.measuring import Measuring, Part, Row, Seeds, Timer, step_of
from lunar_pg.experiment import EXPERIMENTS
from shared import files
from shared.commands.parser import Parser, command, path_name, settings_from
from shared.display.charts import Curve, Panel, bands
from shared.rollouts.intervals import mean_and_ci95, plus_minus
from shared.study.running import compared

LUNAR = EXPERIMENTS["lunar"]
SCORES = ("mean_score", "sampled_mean_score", "final_training_score")  # greedy, with drawn actions, in training
TUNED = ["--preset", "tuned"]
VARIANTS = {  # what it is: flags
    "CartPole, `tutorial`": ["--env", "cartpole"],
    "CartPole, `tuned`": ["--env", "cartpole", *TUNED],
    "LunarLander, `tutorial`": ["--env", "lunar"],
    "LunarLander, `tuned`": ["--env", "lunar", *TUNED],
    "without a baseline": ["--env", "lunar", *TUNED, "--no-baseline", "--gae-lambda", "1", "--horizon", "0"],
    "whole returns (λ = 1)": ["--env", "lunar", *TUNED, "--gae-lambda", "1"],
    "without the entropy bonus": ["--env", "lunar", *TUNED, "--entropy", "0"],
    "one pass over a batch": ["--env", "lunar", *TUNED, "--epochs", "1"],
    "probabilities may move freely": ["--env", "lunar", *TUNED, "--clip-ratio", "0"],
    "gradients of any length": ["--env", "lunar", *TUNED, "--clip-gradient", "0"],
    "episodes of 1000 steps": ["--env", "lunar", *TUNED, "--horizon", "0"],
}
CURVES = {  # picture: (variants and what they are called there, the published return)
    "lunar_curves.png": ({"LunarLander, `tuned`": "tuned", "LunarLander, `tutorial`": "tutorial"}, 167.1),
    "lunar_cartpole_curves.png": ({"CartPole, `tuned`": "tuned", "CartPole, `tutorial`": "tutorial"}, 190.3),
}


def random_play(preset: str, steps: int) -> Callable[[], float]:
    """A timer: seconds a step of a preset's environments under random actions."""
    settings = LUNAR.presets[preset]
    envs, rng = [LUNAR.training_env(settings) for _ in range(settings.num_envs)], np.random.default_rng(0)

    def seconds() -> float:
        for i, env in enumerate(envs):
            env.reset(seed=i)
        began = time.perf_counter()
        for _ in range(steps // len(envs)):
            actions = rng.integers(envs[0].action_space.n, size=len(envs)).tolist()
            for env, action in zip(envs, actions, strict=True):
                _, _, terminated, truncated, _ = env.step(action)
                if terminated or truncated:
                    env.reset()
        return (time.perf_counter() - began) / (steps // len(envs) * len(envs))

    return seconds


def training(preset: str, steps: int) -> Callable[[], float]:
    """A timer: seconds a step of a preset's training."""
    return step_of(LUNAR.engine(LUNAR.presets[preset]), steps)


def rows(config: Measuring) -> list[Row]:
    """What is compared."""
    steps = 400 if config.quick else 20_000
    return [
        Row(
            f"a step of LunarLander in training, {preset}",
            Timer("ours", "benchmarks.lunar:training", (preset, steps)),
            "random actions, no learning",
            Timer("Gymnasium", "benchmarks.lunar:random_play", (preset, steps)),
        )
        for preset in LUNAR.presets
    ]


PART = Part("LunarLander in training, against its environments alone", rows)


def row(what: str, runs: Sequence[Mapping[str, float]]) -> str:
    """One line of the table: means over seeds of each run's 100 fresh episodes."""
    means = {name: plus_minus(*mean_and_ci95([run[name] for run in runs]), ".1f") for name in SCORES}
    worst = min(run["mean_score"] for run in runs)
    steps = np.mean([run["steps"] for run in runs]) / 1000
    greedy, sampled, last = (means[name] for name in SCORES)
    return f"| {what} | {len(runs)} | {greedy} | {worst:.1f} | {sampled} | {last} | {steps:,.0f} |"


def drawing(label: str, runs: Sequence[Sequence[Mapping[str, float]]]) -> Curve:
    """Mean return against environment steps, as far as the shortest run goes."""
    x = np.linspace(0, min(rows[-1]["steps"] for rows in runs), 200)
    lines = [np.interp(x, [row["steps"] for row in rows], [row["score"] for row in rows]) for rows in runs]
    return Curve(label, x, np.array(lines))


def main(argv: list[str]) -> None:
    """Run the command with a list of arguments."""
    parser = Parser("benchmarks.lunar", __doc__)
    parser.add_settings(Seeds())
    parser.add_argument("--runs", type=path_name, default=Path("runs/lunar_pg"), help="where the runs are kept")
    parser.add_argument("--pictures", type=path_name, default=Path("docs/images"), help="where the curves go")
    parser.add_argument("--overwrite", action="store_true", help="replace the curves that are there")
    arguments = parser.parse_args(argv)
    count = settings_from(arguments, Seeds).seeds
    for name in CURVES:
        if not arguments.overwrite:
            files.refuse_existing(arguments.pictures / name, "give --overwrite to replace it, or another --pictures")
    found = compared("lunar_pg", VARIANTS, count, arguments.runs)
    print("| | seeds | greedy, mean ± 95 % | worst seed | sampled | end of training | env steps, thousands |")
    print("|---|---|---|---|---|---|---|")
    for what in VARIANTS:
        print(row(what, [run for run in found.rows if run["setting"] == what]))
    arguments.pictures.mkdir(parents=True, exist_ok=True)
    for name, (labels, published) in CURVES.items():
        drawn = [drawing(label, list(found.curves[what].values())) for what, label in labels.items()]
        panel = Panel("score", "mean return, last 100 episodes", published=published)
        bands(arguments.pictures / name, drawn, "environment steps", panel)


if __name__ == "__main__":
    command(main)
