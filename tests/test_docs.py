"""The pages: what they link to, name and cite is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from benchmarks import docs

ROOT = Path(__file__).parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *DOCS]
OURS = "breakout_dqn|catch_dqn|cave_game|cartpole_dqn|lunar_pg|tabular_rl|shared|benchmarks|tests"
LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def text_of(page):
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def links(page):
    """Text, file and heading of each link to another place in the repository, or in the page."""
    for text, target in LINK.findall(text_of(page)):
        if not target.startswith(("https://", "http://")):
            path, _, heading = target.partition("#")
            yield text, (page.parent / path).resolve() if path else page, heading


def headings(page):
    """What a link's `#...` can name in a page, as GitHub makes it of the headings."""
    titles = re.findall(r"^#+ (.*)", text_of(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_list_of_pages_leads_to_each_and_each_leads_there():
    (listing,) = (page for page in DOCS if page.name == "README.md")
    others = {page for page in DOCS if page != listing}
    assert {ROOT / "README.md", *others} <= {path for _, path, _ in links(listing)}
    for page in others:
        assert {ROOT / "README.md", listing} <= {path for _, path, _ in links(page)}, page.name


@cache
def names_in(path):
    """What a file defines or imports: `name`, and for classes `Class.name`."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        found |= set(names_of(node))
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{name}" for inner in node.body for name in names_of(inner)}
    return found


def names_of(node):
    """The names that a statement binds."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [(alias.asname or alias.name).split(".")[0] for alias in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [leaf.id for target in targets if target for leaf in ast.walk(target) if isinstance(leaf, ast.Name)]


def has(dotted):
    """Whether `package.module` or `package.module.name` is there."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        place, rest = ROOT.joinpath(*parts[:count]), ".".join(parts[count:])
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.is_file():
                return not rest or rest in names_in(path)
    return False


@pages
def test_links_lead_somewhere(page):
    for text, path, heading in links(page):
        assert path.exists(), f"[{text}]: there is no {path}"
        assert not heading or heading in headings(path), f"[{text}]: {path.name} has no heading #{heading}"


@pages
def test_a_name_leads_to_the_file_that_defines_it(page):
    for text, path, _ in links(page):
        name = re.fullmatch(r"`([^`]+)`", text)
        if name and path.suffix == ".py":
            named = name[1]
            at_home = str(path).endswith(named) if named.endswith(".py") else named in names_in(path)
            assert at_home, f"`{named}` is not in {path.relative_to(ROOT)}"


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS], ids=lambda page: page.name)
def test_files_and_names_in_the_text_are_there(page):
    for span in re.findall(r"`([^`]+)`", text_of(page)):
        if path := re.fullmatch(rf"(?:{OURS})/[\w/]+(?:\.\w+|/)", span):
            assert (ROOT / path[0]).exists(), f"there is no {span}"
        elif name := re.match(rf"(?:{OURS})(?:\.\w+)+", span):
            assert has(name[0]), f"there is no {name[0]}"


def test_the_tables_of_the_tutorials_name_what_is_there():
    tables = [line for line in text_of(ROOT / "docs/tutorials.md").splitlines() if "](../" in line]
    assert len(tables) > 50
    assert has("shared.dqn.agent.Agent.replay")
    assert not has("shared.dqn.agent.Agent.reply")
    assert not has("shared.dqn.agents")


@pytest.mark.parametrize("page", [ROOT / "README.md", *DOCS], ids=lambda page: page.name)
def test_every_measured_figure_has_a_command_that_can_be_run(page):
    assert not list(docs.lacking(page))


NO_COMMAND = "no command in this section makes it"
TRAIN = "`python -m catch_dqn.train`"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# A\nIt wins 9 of 10 games.", f"2: 9 of 10: {NO_COMMAND}"),
        (f"# A\n{TRAIN}\n\nmean of seeds\n# B\n\n3 ms", f"7: 3 ms: {NO_COMMAND}"),
        ("`python -m pytest` takes 5 minutes, the median", f"1: 5 minutes: {NO_COMMAND}"),
        (f"{TRAIN} takes 16 s.", "1: 16 s: of what is it? mean, median, seeds"),
        (f"{TRAIN}, mean of 5 seeds: 3.1 ± 0.2.", None),
        ("<!-- published -->\nabout 90 %", None),
        ("<!-- published -->\nabout 90 %\n\nhere 80 %", f"4: 80 %: {NO_COMMAND}"),
        ("It has 48 rows in 2 rooms, with 95 % intervals.", None),
        ("```\n3 ms\n```", None),
        ("```\npython -m catch_dqn.train \\\n  --seed 1\n```\n\nmean of 5 seeds: 9 ms", None),
    ],
)
def test_a_figure_needs_a_command_and_a_statistic(tmp_path, text, expected):
    (tmp_path / "page.md").write_text(text)
    found = [line.removeprefix(f"{tmp_path}/page.md:") for line in docs.lacking(tmp_path / "page.md")]
    assert found == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("catch_dqn.train --preset tuned", None),
        ("catch_dqn.train --help", None),
        ("shared.study catch_dqn --seeds 3 --grid optimizer=sgd,adam -- --preset tuned", None),
        ("catch_dqn.train --sed 3", "--sed: unknown argument; did you mean --seed? (see --help)"),
        ("catch_dqn.train --learning-rate x", "--learning-rate: 'x' is not a number (see --help)"),
        ("catch_dqn.no_such", "is not there (No module named 'catch_dqn.no_such')"),
        ("shared.study catch_dqn -- --sed 3", "--sed: unknown argument; did you mean --seed? (see --help)"),
    ],
)
def test_a_command_is_tried_on_its_own_parser(words, reason):
    module, *rest = words.split()
    assert docs.complaint(module, rest) == reason


def test_papers_that_are_cited_are_listed():
    cited = re.compile(r"((?:van )?[A-Z]\w+(?:,? (?:[A-Z]\w+|and|et al\.))*) \(?((?:19|20)\d\d)\b")
    code = [path for package in OURS.split("|") if package != "tests" for path in (ROOT / package).rglob("*.py")]
    listed = text_of(ROOT / "docs/tutorials.md").partition("## Papers")[2]
    papers = set()
    for path in {*code, *DOCS} - {ROOT / "docs/tutorials.md"}:
        papers |= set(cited.findall(" ".join(text_of(path).split())))
    assert len(papers) > 20
    for names, year in sorted(papers):
        assert f"| {names} {year} |" in listed, f"{names} {year} is not among the papers of docs/tutorials.md"
