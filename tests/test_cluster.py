"""A study on a Ray cluster, whose machines come and go."""

import importlib.util
import os
from pathlib import Path

import pytest

from shared.errors import UserError
from shared.runs import checkpoint, training
from shared.runs.folder import Run
from shared.study import __main__ as command
from shared.study import running
from shared.study.cluster import RayPool, pack, unpack
from shared.study.job import Warm
from shared.study.plan import plan

ROOT = Path(__file__).parent.parent
# A game that is compiled quickly, and saved often.
RING = """
from rules import Ring

from shared.commands.program import program
from shared.runs import training

training.CHECKPOINT_SECONDS = 0.1
program(Ring(), steps=40_000, hidden=(8,), num_envs=1, train_every=1, batch_size=8)
"""
needs_ray = pytest.mark.skipif(not importlib.util.find_spec("ray"), reason='Ray is an extra: pip install ".[cluster]"')


@pytest.fixture
def ring(tmp_path, monkeypatch):
    """The path of a file with a game."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", training.CHECKPOINT_SECONDS)  # put back afterwards
    rules = (ROOT / "docs" / "own_game.md").read_text().split("```python\n")[1].split("```")[0]
    Path("rules.py").write_text(rules.split("if __name__")[0])
    Path("ring.py").write_text(RING)
    monkeypatch.syspath_prepend(tmp_path)
    return str(tmp_path / "ring.py")


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    """Two nodes with a processor each, of which one may vanish; that is noticed in a second, not in ten."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(tmp_path)]))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    for name, value in (("initial_delay_ms", 500), ("period_ms", 500), ("timeout_ms", 1000), ("failure_threshold", 2)):
        monkeypatch.setenv(f"RAY_health_check_{name}", str(value))
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


def rows(folder):
    """What a run has reported, without the times."""
    return [{name: value for name, value in row.items() if name != "seconds"} for row in Run(folder).read_metrics()]


@needs_ray
def test_a_machine_that_vanishes_costs_what_came_after_the_last_checkpoint(cluster, ring):
    planned, seen, gone = plan(ring, (), 2, {}, {}, Path("study")), [], None
    for event in RayPool(cluster.address).perform(planned.jobs):
        seen.append(event)
        if gone is None and event.kind == "row":
            newest = max(map(int, checkpoint.numbers(Path(event.job.folder))), default=0)
            if newest:
                (node,) = cluster.worker_nodes
                cluster.remove_node(node, allow_graceful=False)
                gone = {
                    job.seed: max(map(int, checkpoint.numbers(Path(job.folder))), default=0) for job in planned.jobs
                }
        if event.kind == "lost":
            lost = event.job
    assert [event.kind for event in seen].count("lost") == 1
    assert [event.kind for event in seen].count("ended") == 2
    after = seen[next(i for i, event in enumerate(seen) if event.kind == "lost") :]
    again = [event.row["steps"] for event in after if event.kind == "row" and event.job == lost]
    assert again[0] > gone[lost.seed]
    for job in planned.jobs:
        run = Run(job.folder)
        assert run.finished
        assert checkpoint.numbers(run.path) == []
        assert (run.path / "game_weights.h5").is_file()
        Warm().perform(job._replace(folder=f"here{job.seed}"))
        assert rows(job.folder) == rows(f"here{job.seed}")
        assert run.read_config()["command"][-1] == job.folder

    there = plan(ring, ("--steps", "500"), 1, {}, {}, Path("there"))
    assert [event.kind for event in RayPool(cluster.address, shared_storage=True).perform(there.jobs)][-1] == "ended"
    assert Run(there.jobs[0].folder).finished


def test_what_comes_back_replaces_what_was_there_and_nothing_else(tmp_path):
    def folder(name, number, text):
        place = tmp_path / name / "checkpoints" / f"{number:012d}"
        place.mkdir(parents=True)
        (tmp_path / name / "metrics.csv").write_text(text)
        (place / "arrays.npz").write_text(text)
        (place / "manifest.json").write_text("{}")
        return tmp_path / name

    there, here = folder("there", 20, "new"), folder("here", 10, "old")
    (there / ".lock").touch()
    (here / "notes.txt").write_text("mine")
    left = pack(there)
    assert list(left)[-1] == f"checkpoints/{20:012d}/manifest.json"
    unpack(here, left)
    assert pack(here) == left | {"notes.txt": b"mine"}


def test_without_ray_one_line_says_so(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ray" else real(name))
    with pytest.raises(UserError, match=r'^--cluster: ray is not installed; run pip install "\.\[cluster\]"'):
        command.main(["catch_dqn", "--cluster", "auto"])
    with pytest.raises(UserError, match=r"^--shared-storage: is about a cluster; give --cluster as well"):
        command.main(["catch_dqn", "--shared-storage"])


@needs_ray
def test_where_there_is_no_cluster_one_line_says_so(ring, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(UserError, match=r"^--cluster auto: .*; start one with ray start --head$"):
        running.carry_out(plan(ring, (), 1, {}, {}, Path("study")), RayPool("auto"))
