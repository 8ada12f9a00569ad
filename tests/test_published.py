"""The tutorials' published figures beside ours: which training makes them, and when they reproduce."""

import json
from pathlib import Path

import pytest

from shared.commands.program import suite_of
from shared.commands.train import requested
from shared.errors import UserError
from shared.runs.folder import Run
from shared.study import published
from shared.study.pool import Event
from shared.study.published import Entry

ENTRIES = published.entries()
TRAINED = [entry for entry in ENTRIES if entry.experiment]


def entry(**values):
    """An entry with some fields that do not matter here."""
    return Entry(**{"tutorial": "T0", "group": "toys", "what": "a toy", "published": "7"} | values)


@pytest.mark.parametrize("one", TRAINED, ids=lambda one: f"{one.tutorial} {one.what}")
def test_a_training_is_of_the_published_settings_and_has_the_figure(one):
    choice = requested(tuple(one.flags), suite_of(one.experiment)).choice
    assert choice.settings == choice.experiment.presets["tutorial"]
    assert one.rule in published.RULES
    assert one.figure in {"mean_score", "mean_score_200", "final_training_score", *published.EPISODE_FIGURES}
    assert bool(one.window) == (one.figure in ("length", "won"))


@pytest.mark.parametrize("one", [entry for entry in ENTRIES if entry.program], ids=lambda one: one.program)
def test_programs_without_chance_print_the_published_digits(one):
    outcome = published.told(one)
    assert (outcome.ours, outcome.verdict) == ("the same digits", "yes")


def test_a_program_that_prints_something_else_does_not_reproduce():
    assert published.told(entry(program="tabular_rl.corridor", says=["0.811"])).verdict == "no"
    assert published.told(entry(program="tabular_rl.corridor", flags=["--no-such-flag"])).verdict == "no"


def test_all_five_tutorials_are_there_and_each_training_is_made_once(tmp_path):
    assert {one.tutorial for one in ENTRIES} == {"T1", "T2", "T3", "T4", "T5"}
    plan, labels = published.programme(ENTRIES, 2, tmp_path)
    kinds = {(one.experiment, *one.flags) for one in TRAINED}
    assert len(plan.settings) == len(kinds)
    assert len(plan.jobs) == len({job.folder for job in plan.jobs}) == 2 * len(kinds)
    flags = {setting.label: setting.argv for setting in plan.settings}
    assert all(flags[labels[one]] == tuple(one.flags) for one in TRAINED)


@pytest.mark.parametrize(
    ("rule", "values", "expected"),
    [
        ("about", [6, 8, 9, 9], "yes"),  # interquartile mean 8.5, of the middle two
        ("about", [6, 9, 10, 10], "no"),
        ("at least", [7, 7, 7], "yes"),
        ("at least", [6, 6, 6], "no"),
        ("at most", [6, 6, 6], "yes"),
        ("at most", [8, 8, 8], "no"),
        ("one run", [1, 2, 7], "yes"),
        ("one run", [1, 2, 6.5], "no, ours 1.0 to 6.5"),
        ("one run", [7, 7], "open, too few seeds"),
    ],
)
def test_when_a_figure_reproduces(rule, values, expected):
    assert published.verdict(entry(rule=rule, value=7, tolerance=2), values) == expected


@pytest.fixture
def run(tmp_path):
    """The folder of a finished run of four episodes."""
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "summary.json").write_text(json.dumps({"mean_score": 5.0, "steps": 100, "seconds": 3.0}))
    (tmp_path / "episodes.csv").write_text("episode,steps,return,length\n1,9,1,9\n2,20,-1,11\n3,22,1,2\n4,30,1,8\n")
    return Run(tmp_path)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"figure": "mean_score", "scale": 100, "less": 1}, 499),
        ({"figure": "longest"}, 11),
        ({"figure": "length", "episode": 3, "window": 2}, 6.5),  # of episodes 2 and 3
        ({"figure": "won", "episode": 4, "window": 4}, 75),
    ],
)
def test_the_figure_of_a_run(run, values, expected):
    assert published.figure(entry(**values), run) == expected


def test_a_run_without_episodes_is_named(run):
    (run.path / "episodes.csv").write_text("episode,length\n1,x\n")
    with pytest.raises(UserError, match=r"episodes.csv: cannot be read .*; remove the run to make it again$"):
        published.figure(entry(figure="longest"), run)


def test_the_tables_go_between_their_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"# Before\n\n{published.BEGIN}\nold\n{published.END}\n\nafter\n")
    outcomes = [
        published.Outcome(entry(), "6.0 [5.0, 8.0]", "10", "1,000", "2.0", "yes"),
        published.Outcome(entry(what="another"), "1.0", "10", "1,000", "2.0", "no, ours 1.0 to 2.0"),
    ]
    for _ in range(2):
        published.put(page, published.table(outcomes))
    text = page.read_text()
    assert text.startswith(f"# Before\n\n{published.BEGIN}\n\n| | | Published |")
    assert text.endswith(f"| no, ours 1.0 to 2.0 |\n\n{published.END}\n\nafter\n")
    assert "| T0 | a toy | 7 | 6.0 [5.0, 8.0] | 10 | 1,000 | 2.0 | yes |" in text
    assert "old" not in text
    assert published.in_short(outcomes).splitlines()[2] == "| T0 | 1 of 2 | another: 7, here 1.0 |"
    page.write_text("no marks")
    with pytest.raises(UserError, match="has no lines"):
        published.put(page, "")


class QuickPool:
    """Leaves finished runs as a training would."""

    made: list[str] = []

    def __init__(self, workers):
        pass

    def perform(self, jobs):
        for job in jobs:
            self.made.append(job.folder)
            path = Path(job.folder)
            path.mkdir(parents=True)
            (path / "summary.json").write_text(json.dumps({"mean_score": 1.0, "steps": 270, "seconds": 3.0}))
            (path / "episodes.csv").write_text("episode,steps,return,length\n1,9,1,9\n")
            yield Event("ended", job)


def test_the_whole_command(monkeypatch, tmp_path, capsys):
    """A training and a program; a second time nothing is trained again."""
    chosen = [
        entry(experiment="catch_dqn", flags=["--episodes", "30"], figure="longest", rule="about", value=9.0),
        entry(group="tables", program="tabular_rl.corridor", says=["0.810"]),
    ]
    monkeypatch.setattr(published, "entries", lambda: chosen)
    monkeypatch.setattr(published, "LocalPool", QuickPool)
    for _ in range(2):
        assert published.main(["--seeds", "3", "--out", str(tmp_path / "out")]) == 0
        told = capsys.readouterr().out
        assert "| T0 | a toy | 7 | 9.0 [9.0, 9.0] | 3 | 270 | 3.0 | yes |" in told
    assert len(QuickPool.made) == 3
    assert (tmp_path / "out" / "published.md").read_text().count("\n") == 4


def test_beginners_mistakes_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^--write-docs: there is no docs.published.md here; run this in the root"):
        published.main(["--write-docs"])
    with pytest.raises(UserError, match=r"^--without leaves out everything"):
        published.main(["--without", "catch", "cartpole", "lunar", "cave", "tables"])
    with pytest.raises(UserError, match="cav"):
        published.main(["--without", "cav"])
