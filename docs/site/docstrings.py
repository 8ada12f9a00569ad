"""Our docstrings, which are Markdown with Google's sections, as the reStructuredText that Sphinx reads."""

import re

CODE = re.compile(r"`([^`]+)`(?=(\w?))")
SPECIAL = re.compile(r"([*|\\]|(?<=\w)_(?!\w))")
IS_TABLE = re.compile(r" *\|.*\n *\|(?: *:?-+:? *\|)+(?:\n|$)")


def as_rst(docstring: str) -> str:
    """A docstring with its code, tables and characters of formulas as reStructuredText writes them.

    Sections such as `Args:` stay for Napoleon, and so do blocks of code after a line that ends in two colons.
    """
    parts, code_below = [], None  # the indentation of a line that announced code
    for part in re.split(r"\n\s*\n", docstring):
        indentation = len(part) - len(part.lstrip(" "))
        if code_below is None or indentation <= code_below:
            code_below = indentation if part.endswith("::") else None
            part = _table(part) if IS_TABLE.match(part) else _inline(part)
        parts.append(part)
    return "\n\n".join(parts)


def _inline(text):
    """Text in which only code is marked up."""
    pieces, end = [], 0
    for code in CODE.finditer(text):
        pieces += [SPECIAL.sub(r"\\\1", text[end : code.start()]), f"``{code[1]}``", "\\ " if code[2] else ""]
        end = code.end()
    return "".join([*pieces, SPECIAL.sub(r"\\\1", text[end:])])


def _table(text):
    """A table of Markdown; one whose first row is empty has no header."""
    first, _, *rest = text.splitlines()
    space = first[: first.index("|")]
    rows = [[_inline(cell.strip()) for cell in line.strip().strip("|").split("|")] for line in (first, *rest)]
    header = any(rows[0])
    lines = [".. list-table::", *(["   :header-rows: 1"] if header else []), ""]
    for row in rows if header else rows[1:]:
        lines += [f"   {'  ' if number else '* '}- {cell}" for number, cell in enumerate(row)]
    return "\n".join(space + line for line in lines)
