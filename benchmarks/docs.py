"""Finds measured figures in the pages that no command makes: `python -m benchmarks.docs`.

A block (a paragraph, a list or a table of README.md and docs/*.md, outside of code) holds a *measured figure* where it
has

- an interval: 12.3 ± 0.4, or 12.3 [11.9, 12.8];
- a time or a size in memory: 15 s, 206 µs, 11 minutes, 130 MB; a rate: 476,000 steps a second;
- a ratio: 14.4 times as fast; a share: 2 %, 9 of 10.

The section that it stands in (from one heading to the next) then has to

- quote a command, `python -m ...`, that can be run: the module is there, and its own parser takes the flags;
- name the statistic: a mean, median or interquartile mean, the worst or best of several, how many seeds, or that it is
  a single run.

Figures that nobody measures here have a comment in the line above their block: <!-- published --> for what the
tutorials say, <!-- rules --> for settings and facts of a game or of the program.

Prints file:line and the figure for each block that lacks something; exit status 1 if there is any.
"""

import argparse
import contextlib
import importlib
import io
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from shared.commands.parser import Parser, command
from shared.errors import UserError, say

ROOT = Path(__file__).parent.parent
NUMBER = r"-?\d[\d,]*(?:\.\d+)?"
FIGURE = re.compile(
    rf"{NUMBER} ± \d"
    rf"|{NUMBER} \[{NUMBER}, {NUMBER}\]"
    rf"|{NUMBER} (?:µs|ms|s|seconds|minutes|hours|MB|MiB|GB)\b"
    rf"|{NUMBER} times (?:as|that|its|the)\b"
    rf"|{NUMBER} of {NUMBER}(?! steps)\b"
    rf"|(?<![\d.,-])(?!95 %){NUMBER} %"
    rf"|{NUMBER} (?:\w+ )?steps a second"
)
STATISTIC = re.compile(r"\b(means?|medians?|interquartile|worst|best|lowest|highest|seeds?|single|one run|all)\b", re.I)
COMMAND = re.compile(r"python -m ([\w.]+)([^`#|)]*)")
ELSEWHERE = re.compile("no such file|doesn't exist")  # `ring.py`, `--env ID`: a reader's own
MARK = re.compile(r"<!-- (published|rules) -->")


class Block(NamedTuple):
    """A paragraph, list or table."""

    line: int  # its first, from 1 on
    text: str
    marked: bool  # with one of the comments
    code: bool


class Parsed(Exception):
    """A command has understood its arguments, and is not to begin."""


def sections(text: str) -> Iterator[list[Block]]:
    """The blocks of a page, section by section."""
    blocks: list[Block] = []
    lines = [*text.splitlines(), ""]
    i, marked = 0, False
    while i < len(lines):
        first = i
        if lines[i].startswith("#"):
            yield blocks
            blocks, i, marked = [Block(i + 1, lines[i], True, False)], i + 1, False
        elif lines[i].startswith("```"):
            i = next(j for j in range(i + 1, len(lines)) if lines[j].startswith("```")) + 1
            blocks.append(Block(first + 1, "\n".join(lines[first:i]), False, True))
        elif MARK.fullmatch(lines[i].strip()):
            i, marked = i + 1, True
        elif lines[i].strip():
            while lines[i].strip() and not lines[i].startswith(("#", "```")):
                i += 1
            blocks.append(Block(first + 1, "\n".join(lines[first:i]), marked, lines[first].startswith("    ")))
            marked = False
        else:
            i += 1
    yield blocks


def commands(blocks: list[Block]) -> Iterator[tuple[str, list[str]]]:
    """Module and arguments of each `python -m ...` that is quoted in some blocks."""
    for block in blocks:
        if block.code:
            texts = block.text.replace("\\\n", " ").splitlines()
        else:
            texts = re.findall(r"`(python -m [^`]+)`", block.text)
        for text in texts:
            for module, rest in COMMAND.findall(" ".join(text.split())):
                if (ROOT / module.split(".")[0]).is_dir():  # one of ours
                    yield module, shlex.split(rest)


def complaint(module: str, words: list[str]) -> str | None:
    """Why a command cannot be run; None if it can."""
    here = os.getcwd()
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(*arguments: object) -> None:
        parse(*arguments)  # type: ignore[arg-type]
        raise Parsed

    def stop(*arguments: object, **options: object) -> None:
        raise Parsed

    with (
        tempfile.TemporaryDirectory() as empty,
        mock.patch("argparse.ArgumentParser.parse_args", parse_and_stop),
        mock.patch("shared.study.__main__.carry_out", stop),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        os.chdir(empty)  # where no file is in the way
        try:
            found = importlib.import_module(module)
            if not hasattr(found, "main"):
                found = importlib.import_module(f"{module}.__main__")
            found.main(words)
        except (Parsed, SystemExit):  # SystemExit: --help
            return None
        except (ImportError, AttributeError) as error:
            return f"is not there ({error})"
        except UserError as error:
            return str(error)
        finally:
            os.chdir(here)
    return "begins without reading its arguments"


def lacking(path: Path) -> Iterator[str]:
    """What a page lacks, a line for each block and command."""
    for blocks in sections(path.read_text(encoding="utf-8")):
        wrong = [
            f"python -m {' '.join([module, *words])}: {why}"
            for module, words in commands(blocks)
            if (why := complaint(module, words)) is not None and not ELSEWHERE.search(why)
        ]
        place = f"{path}:{blocks[0].line}" if blocks else str(path)
        yield from (f"{place}: {text}" for text in wrong)
        makes = len(list(commands(blocks))) > len(wrong)
        named = any(STATISTIC.search(block.text) for block in blocks)
        for block in blocks:
            figure = None if block.marked or block.code else FIGURE.search(block.text)
            if figure and not (makes and named):
                line = block.line + block.text[: figure.start()].count("\n")
                need = "no command in this section makes it" if not makes else "of what is it? mean, median, seeds"
                yield f"{path}:{line}: {' '.join(figure[0].split())}: {need}"


def main(argv: list[str]) -> int:
    """Run the command with a list of arguments; returns its exit status."""
    parser = Parser("benchmarks.docs", __doc__)
    parser.add_argument("pages", nargs="*", type=Path, help="(default: README.md and docs/*.md)")
    pages = parser.parse_args(argv).pages or [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    found = [line for page in pages for line in lacking(page)]
    for line in found:
        say(line)
    return 1 if found else 0


if __name__ == "__main__":
    command(main)
