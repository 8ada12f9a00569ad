"""The notebooks run, in short form, and each of their cells shows what it should."""

import ast
import re

import nbformat
import pytest

from notebooks.build import FOLDER, NAMES, PARAMETERS, read, run

# For the cell of a notebook that says how long it takes: the same numbers, small.
SHORT = {
    "t1_catch": {"GAMES": 20, "COMPILED_GAMES": 60, "GAMES_AFTER": 10},
    "t2_why_it_fails": {"NAIVE_EPISODES": 11, "EPISODES": 5},
    "t3_keras_tips": {"EPOCHS": 60, "MEMORY": 100, "CAVE_STEPS": 20, "LSTM_STEPS": 1000},
    "t4_chapter_18": {
        "HAND_EPISODES": 5,
        "READ_ITERATIONS": 1,
        "ITERATIONS": 2,
        "DQN_EPISODES": 60,
        "LUNAR_ITERATIONS": 1,
        "BREAKOUT_STEPS": 20,
    },
    "t5_cartpole": {"TABLE_EPISODES": 40, "OWN_EPISODES": 20, "NETWORK_EPISODES": 20, "ABLATION_EPISODES": 40},
}
# What the program says of a training that is shorter than its settings are meant for.
SHORTER = "warning: --episodes"


def shorten(notebook, numbers):
    """Put small numbers into the cell that says how long a notebook takes."""
    (cell,) = [cell for cell in notebook.cells if PARAMETERS in cell.metadata.get("tags", ())]
    names = [statement.targets[0].id for statement in ast.parse(cell.source).body]
    assert names == list(numbers), "SHORT has the numbers of this cell"
    cell.source = "\n".join(f"{name} = {number}" for name, number in numbers.items())


def shows_something(source):
    """Whether a cell should: one that ends with an import, a definition or an assignment need not."""
    last = ast.parse(source).body[-1]
    silent = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AugAssign)
    return not isinstance(last, silent)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_and_each_of_its_cells_shows_what_it_should(name):
    notebook = read(name)
    shorten(notebook, SHORT[name])
    run(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert any(shows_something(cell.source) for cell in code)
    for cell in code:
        assert cell.outputs or not shows_something(cell.source), cell.source
        for output in cell.outputs:
            if output.get("name") == "stderr":
                assert all(SHORTER in line for line in output.text.splitlines()), output.text
            assert output.get("text", output.get("data")), cell.source


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_says_how_to_run_it_and_leads_on(name):
    first = read(name).cells[0].source
    for words in (
        f"follows {name[:2].upper()}",
        '`pip install ".[notebooks]"`',
        f"`jupytext --to notebook --output mine.ipynb {name}.py`",
    ):
        assert words in " ".join(first.split()), words
    assert "](../docs/tutorials.md)" in first
    links = re.findall(
        r"\]\(([^)]+)\)", "".join(cell.source for cell in read(name).cells if cell.cell_type == "markdown")
    )
    assert [link for link in links if not (FOLDER / link).exists()] == []


@pytest.mark.parametrize("name", NAMES)
def test_what_is_shown_with_outputs_is_the_notebook(name):
    shown = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    assert [cell.source for cell in shown.cells] == [cell.source for cell in read(name).cells], (
        f"{name}.ipynb is of another {name}.py; run python -m notebooks.build {name}"
    )
    assert (FOLDER / f"{name}.ipynb").stat().st_size < 500_000
