"""The notebooks with their outputs: `python -m notebooks.build` runs all of them in full, `... t1_catch` one.

It leaves `notebooks/t1_catch.ipynb` beside `notebooks/t1_catch.py`, from which it is made.
"""

import os
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

from shared import files
from shared.commands.parser import Parser, command
from shared.errors import UserError

FOLDER = Path(__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("t*.py"))
PARAMETERS = "parameters"  # the tag of the cell that says how long a notebook takes


def read(name: str) -> nbformat.NotebookNode:
    """A notebook without outputs, by its name."""
    notebook = jupytext.read(FOLDER / f"{name}.py")
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"  # the same at every build
    return notebook


def run(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Execute all cells, in place; returns the notebook with its outputs.

    Raises `nbclient.exceptions.CellExecutionError` at the first cell that fails.
    """
    here = str(FOLDER.parent)  # the kernel works in the notebook's folder and imports from this checkout
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    client = NotebookClient(
        notebook,
        timeout=None,
        resources={"metadata": {"path": str(FOLDER)}},
        record_timing=False,
        coalesce_streams=True,
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    environment.pop("PYTEST_CURRENT_TEST", None)  # with it a kernel would not show what native code writes
    client.execute(env=environment)
    return notebook


def show_everywhere(notebook: nbformat.NotebookNode) -> None:
    """Let animations be seen on GitHub and in HTML, too, where `image/gif` is left out: browsers look at the bytes."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if "image/gif" in output.get("data", ()):
                output.data["image/png"] = output.data.pop("image/gif")


def main(argv: list[str]) -> None:
    """Run the notebooks that are named, or all, and write them with their outputs."""
    parser = Parser("notebooks.build", "Run notebooks in full and keep them with their outputs, as .ipynb files.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(NAMES)}")
    names = parser.parse_args(argv).names or NAMES
    for name in names:
        if name not in NAMES:
            raise UserError(f"{name}: no notebook; give one of {', '.join(NAMES)}")
    for name in names:
        path, notebook = FOLDER / f"{name}.ipynb", run(read(name))
        show_everywhere(notebook)
        files.write_bytes(path, nbformat.writes(notebook).encode())
        print(f"{path.relative_to(FOLDER.parent)}: {path.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    command(main)
