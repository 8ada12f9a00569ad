"""The site, from README.md, docs/, notebooks/ and the docstrings: `python -m docs.build`.

It leaves `build/site/index.html`, and fails on any warning of Sphinx and on a link to what is not there.
"""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from shared.commands.parser import Parser, command
from shared.errors import UserError, say
from shared.late import is_installed, late

sphinx = late("sphinx.cmd.build")

ROOT = Path(__file__).parent.parent
BUILT = ROOT / "build"
SITE = BUILT / "site"


class Page(HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, path: Path):
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of one element."""
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value and not (tag == "link" and dict(attrs).get("rel") == "canonical"):
                self.targets.append(value)


def dead_links(folder: Path) -> list[str]:
    """A line for each link in a folder of pages to a file or an anchor that is not there; `https:` is not tried."""
    pages = {path.resolve(): Page(path) for path in folder.rglob("*.html")}
    found = []
    for path, page in pages.items():
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            place = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            there = place.exists()
            if there and parts.fragment and place in pages:
                there = unquote(parts.fragment) in pages[place].anchors
            if not there:
                found.append(f"{path.relative_to(folder.resolve())}: {target}")
    return sorted(set(found))


def main(argv: list[str]) -> int:
    """Build the site and check its links; returns the exit status."""
    Parser("docs.build", "Build the site into build/site, and check its links.").parse_args(argv)
    if missing := [name for name in ("sphinx", "myst_nb", "furo", "sphinx_design") if not is_installed(name)]:
        raise UserError(f'{", ".join(missing)}: not installed; run pip install ".[docs]"')
    strict = ["--fresh-env", "--write-all", "--fail-on-warning", "--keep-going", "--nitpicky", "--quiet"]
    where = ["-c", str(ROOT / "docs/site"), "-d", str(BUILT / "doctrees"), str(ROOT), str(SITE)]
    if status := sphinx.main([*strict, *where]):
        return status
    if dead := dead_links(SITE):
        raise UserError("the site has links to what is not there:\n" + "\n".join(dead))
    say(f"built: {SITE / 'index.html'}")
    return 0


if __name__ == "__main__":
    command(main)
