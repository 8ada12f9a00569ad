"""The notebooks with their outputs: `python -m notebooks.build` runs them in full.

It leaves `notebooks/t1_catch.ipynb` beside `notebooks/t1_catch.py`, from which it is made, and so
on. `python -m notebooks.build t1_catch` makes one of them.
"""

import base64
import io
import os
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from PIL import Image

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
    here = str(FOLDER.parent)
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]  # imports from this checkout
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    environment.pop("PYTEST_CURRENT_TEST", None)  # a kernel would hide what native code writes
    resources = {"metadata": {"path": str(FOLDER)}}  # where its relative paths start
    options = {"timeout": None, "record_timing": False, "coalesce_streams": True}
    NotebookClient(notebook, resources=resources, **options).execute(env=environment)
    return notebook


def slim(notebook: nbformat.NotebookNode) -> None:
    """Make the pictures of a notebook small, and its animations visible wherever it is shown.

    GitHub and HTML leave out `image/gif`. Browsers look at the bytes, so a GIF passes for a PNG.
    """
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "image/png" in data:
                data["image/png"] = _in_few_colours(data["image/png"])
            elif "image/gif" in data:
                data["image/png"] = data.pop("image/gif")


def _in_few_colours(png):
    """A PNG picture, base64 before and after: with a palette it is a third as large."""
    picture, small = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"), io.BytesIO()
    picture.quantize(64, dither=Image.Dither.NONE).save(small, format="PNG", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def main(argv: list[str]) -> None:
    """Run the notebooks that are named, or all, and write them with their outputs."""
    parser = Parser(
        "notebooks.build",
        "Run notebooks in full and keep them with their outputs, as .ipynb files.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(NAMES)}"
    )
    names = parser.parse_args(argv).names or NAMES
    for name in names:
        if name not in NAMES:
            raise UserError(f"{name}: no notebook; give one of {', '.join(NAMES)}")
    for name in names:
        path, notebook = FOLDER / f"{name}.ipynb", run(read(name))
        slim(notebook)
        files.write_bytes(path, nbformat.writes(notebook).encode())
        print(
            f"{path.relative_to(FOLDER.parent)}: {path.stat().st_size / 1000:.0f} kB", flush=True
        )


if __name__ == "__main__":
    command(main)
