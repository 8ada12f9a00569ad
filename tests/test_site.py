"""The site: what looks for dead links finds them, and docstrings come out as they were meant."""

import pytest

from docs import build
from docs.site.docstrings import as_rst


def test_dead_links_are_found(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below/b.html").write_text('<h1 id="top">b</h1><a href="../a.html#here">a</a>')
    (tmp_path / "a.html").write_text(
        '<p id="here"></p><a href="#here"></a><a href="below/b.html#top"></a><a href="https://example.org/x"></a>'
        '<a href="#gone"></a><a href="below/b.html#gone"></a><img src="gone.png"><a href="c.html"></a>'
    )
    assert build.dead_links(tmp_path) == [
        "a.html: #gone",
        "a.html: below/b.html#gone",
        "a.html: c.html",
        "a.html: gone.png",
    ]


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("`r_t` * 2 |x| of `Episode`s, q_", r"``r_t`` \* 2 \|x\| of ``Episode``\ s, q\_"),
        ("Sum of `a *\nb`.", "Sum of ``a *\nb``."),
        ("Write::\n\n    x = a * b\n\n    y = `x`\n\nthen *", "Write::\n\n    x = a * b\n\n    y = `x`\n\nthen \\*"),
        (
            "| Name | What |\n|---|---|\n| `mse` | a * b |",
            ".. list-table::\n   :header-rows: 1\n\n   * - Name\n     - What\n   * - ``mse``\n     - a \\* b",
        ),
        ("| | |\n|---|---|\n| Grid | 10 |", ".. list-table::\n\n   * - Grid\n     - 10"),
    ],
)
def test_a_docstring_in_the_words_of_sphinx(docstring, expected):
    assert as_rst(docstring) == expected
