"""The site: what Sphinx makes of README.md, docs/, notebooks/ and the docstrings. `python -m docs.build` runs it."""

import importlib
import inspect
import os
import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import shared  # noqa: E402
from docs.site.docstrings import as_rst  # noqa: E402

# Where files of the repository can be read: on GitHub where its Actions build the site, else in the working tree.
REPOSITORY = (
    "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/blob/{GITHUB_SHA}".format_map(os.environ) + "/"
    if ("GITHUB_REPOSITORY" in os.environ)
    else None
)

project = "Deep reinforcement learning, to read and to run"
author = "the project's authors"
version = release = shared.__version__
html_title = "DQN tutorials"

extensions = ["myst_nb", "sphinx_design", "sphinx.ext.autodoc", "sphinx.ext.linkcode", "sphinx.ext.napoleon"]
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md", "docs/site/**", "notebooks/*.ipynb"]
root_doc = "docs/site/index"
templates_path = ["templates"]
nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]  # types of other projects, and of modules that have no page
highlight_language = "text"
smartquotes = False

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # the notebooks have their outputs

add_module_names = False
toc_object_entries_show_parents = "hide"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_additional_pages = {"index": "to_first_page.html"}
html_theme_options = {"navigation_with_keys": True}

FOOTER = re.compile(r"\n---\n\n\[README\][^\n]*\s*\Z")  # the links at a page's end; the site has them at its side
PLAYED = ROOT / "docs/play"  # pages that are shown as they are
html_extra_path = [str(PLAYED)]


def linkcode_resolve(domain: str, info: dict[str, str]) -> str | None:
    """Where the source of something from the API pages can be read."""
    if REPOSITORY is None or domain != "py":
        return None
    thing: Any = importlib.import_module(info["module"])
    try:
        for name in info["fullname"].split("."):
            thing = getattr(thing, name)
        path, (_, line) = inspect.getsourcefile(inspect.unwrap(thing)), inspect.getsourcelines(inspect.unwrap(thing))
    except (AttributeError, TypeError, OSError):  # a constant, a field
        return None
    if path is None or not Path(path).is_relative_to(ROOT):
        return None
    return f"{REPOSITORY}{Path(path).relative_to(ROOT).as_posix()}#L{line}"


def is_link(node: nodes.Node) -> bool:
    """Whether a node is a link of a page to what may be a file or a folder."""
    return isinstance(node, addnodes.download_reference) or (
        isinstance(node, addnodes.pending_xref) and node.get("reftype") == "myst" and node.get("refdomain") is None
    )


class LinksToFiles(SphinxTransform):
    """A link to a file that is no page, or to a folder, leads to it in the repository."""

    default_priority = 500

    def apply(self, **kwargs: Any) -> None:
        """Replace the links of one page."""
        for link in list(self.document.findall(is_link)):
            path = Path(self.env.relfn2path(link["reftarget"], self.env.docname)[1])
            if isinstance(link, addnodes.download_reference) or path.is_dir():
                link.replace_self(nodes.reference("", "", *link.children, refuri=self.address(path), internal=False))

    def address(self, path: Path) -> str:
        """The address of a file, as this page names it."""
        page = Path(self.app.outdir, self.env.docname).parent
        if path.is_relative_to(PLAYED):
            return Path(os.path.relpath(Path(self.app.outdir, path.relative_to(PLAYED)), page)).as_posix()
        if REPOSITORY is not None:
            return REPOSITORY + path.relative_to(ROOT).as_posix()
        return Path(os.path.relpath(path, page)).as_posix()


def without_footer(app: Sphinx, docname: str, source: list[str]) -> None:
    """Leave out the links at a page's end."""
    source[0] = FOOTER.sub("\n", source[0])


def docstring_as_rst(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Translate a docstring in place."""
    lines[:] = as_rst("\n".join(lines)).split("\n")


def leave_out(app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Leave out the fields of a `NamedTuple`: Python gives them docstrings that say nothing."""
    return True if (getattr(thing, "__doc__", None) or "").startswith("Alias for field number") else None


def setup(app: Sphinx) -> None:
    """Tell Sphinx of what is above."""
    app.add_transform(LinksToFiles)
    app.connect("source-read", without_footer)
    app.connect("autodoc-process-docstring", docstring_as_rst, priority=400)  # before Napoleon, 500
    app.connect("autodoc-skip-member", leave_out)
