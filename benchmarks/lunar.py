"""Policy gradients: `python -m benchmarks lunar` measures, `python -m benchmarks.lunar` trains and draws.

The first measures a step of LunarLander in training, against the same environments driven by random actions and
nothing else.

The second trains every variant with every seed (those that `--runs` already holds are not trained again), prints a
table and draws the learning curves.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.measuring import Measuring, Part, Row, Timer
from lunar_pg.experiment import EXPERIMENTS
from shared import files
from shared.commands.parser import Parser, command, path_name

LUNAR = EXPERIMENTS["lunar"]
TUNED = ["--preset", "tuned"]
VARIANTS = {  # name: (what it is, flags, seeds)
    "cartpole": ("CartPole, `tutorial`", ["--env", "cartpole"], 5),
    "cartpole-tuned": ("CartPole, `tuned`", ["--env", "cartpole", *TUNED], 5),
    "tutorial": ("LunarLander, `tutorial`", [], 5),
    "tuned": ("LunarLander, `tuned`", TUNED, 5),
    "nobaseline": ("without a baseline", [*TUNED, "--no-baseline", "--gae-lambda", "1", "--horizon", "0"], 3),
    "lambda1": ("whole returns (λ = 1)", [*TUNED, "--gae-lambda", "1"], 3),
    "noentropy": ("without the entropy bonus", [*TUNED, "--entropy", "0"], 3),
    "oneepoch": ("one pass over a batch", [*TUNED, "--epochs", "1"], 3),
    "noratio": ("probabilities may move freely", [*TUNED, "--clip-ratio", "0"], 3),
    "nogradclip": ("gradients of any length", [*TUNED, "--clip-gradient", "0"], 3),
    "nohorizon": ("episodes of 1000 steps", [*TUNED, "--horizon", "0"], 3),
}
CURVES = {  # picture: (variants and what they are called there, the published return)
    "lunar_curves.png": ({"tuned": "tuned", "tutorial": "tutorial"}, 167.1),
    "lunar_cartpole_curves.png": ({"cartpole-tuned": "tuned", "cartpole": "tutorial"}, 190.3),
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
    trainer = LUNAR.engine(LUNAR.presets[preset])
    state, _ = trainer.run(trainer.start())  # compiles

    def seconds() -> float:
        nonlocal state
        began, before = time.perf_counter(), state.steps
        while state.steps < before + steps:
            state, _ = trainer.run(state)
        return (time.perf_counter() - began) / (state.steps - before)

    return seconds


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


def seeds(runs, pictures):
    """Train what is missing, print the table, draw the curves."""
    from lunar_pg.train import main

    for name, (_, flags, count) in VARIANTS.items():
        for seed in range(count):
            if not (runs / f"{name}-{seed}" / "summary.json").exists():
                main([*flags, "--seed", str(seed), "--out", str(runs / f"{name}-{seed}"), "--overwrite"])
    print("| | seeds | greedy, mean ± 95 % | worst seed | sampled | end of training | env steps, thousands |")
    print("|---|---|---|---|---|---|---|")
    for name, (what, _, count) in VARIANTS.items():
        print(row(what, [runs / f"{name}-{seed}" for seed in range(count)]))
    pictures.mkdir(parents=True, exist_ok=True)
    for name, (labels, published) in CURVES.items():
        curves(pictures / name, runs, labels, published)


def row(what, folders):
    """One line of the table: means over seeds of each run's 100 fresh episodes."""
    from shared.rollouts.intervals import mean_and_ci95, plus_minus
    from shared.runs.folder import Run

    summaries = [Run(folder).read_summary("sampled_mean_score", "final_training_score") for folder in folders]

    def over_seeds(values):
        return plus_minus(*mean_and_ci95(values), ".1f")

    greedy = [summary["mean_score"] for summary in summaries]
    sampled = [summary["sampled_mean_score"] for summary in summaries]
    last = [summary["final_training_score"] for summary in summaries]
    steps = np.mean([summary["steps"] for summary in summaries]) / 1000
    return (
        f"| {what} | {len(folders)} | {over_seeds(greedy)} | {min(greedy):.1f} | {over_seeds(sampled)} | "
        f"{over_seeds(last)} | {steps:,.0f} |"
    )


def curves(path, runs, labels, published):
    """Mean return against environment steps: a line and a band over seeds for each variant."""
    from shared.display.charts import Curve, Panel, bands
    from shared.runs.folder import Run

    drawn = []
    for name, label in labels.items():
        rows = [Run(runs / f"{name}-{seed}").read_metrics() for seed in range(VARIANTS[name][2])]
        shortest = min(run[-1]["steps"] for run in rows)
        x = np.linspace(0, shortest, 200)
        y = [np.interp(x, [r["steps"] for r in run], [r["score"] for r in run]) for run in rows]
        drawn.append(Curve(label, x, np.array(y)))
    bands(path, drawn, "environment steps", Panel("score", "mean return, last 100 episodes", published=published))


def main(argv: list[str]) -> None:
    """Run the command with a list of arguments."""
    parser = Parser("benchmarks.lunar", __doc__)
    parser.add_argument("--runs", type=path_name, default=Path("runs/lunar_pg"), help="where the runs are kept")
    parser.add_argument("--pictures", type=path_name, default=Path("docs/images"), help="where the curves go")
    parser.add_argument("--overwrite", action="store_true", help="replace the curves that are there")
    arguments = parser.parse_args(argv)
    for name in CURVES:
        if not arguments.overwrite:
            files.refuse_existing(arguments.pictures / name, "give --overwrite to replace it, or another --pictures")
    seeds(arguments.runs, arguments.pictures)


if __name__ == "__main__":
    command(main)
