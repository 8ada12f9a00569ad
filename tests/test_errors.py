"""What a message quotes from a stranger's file does nothing to a terminal."""

import pytest

from shared import errors
from shared.errors import BEGINNING, END, UserError, printable, say


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;pwned\a", "\\x1b]0;pwned\\x07"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b2J", "\\x9b2J"),
        ("a\rb\x00", "a\\rb\\x00"),
        ("a\u202eb\u2066", "a\\u202eb\\u2066"),
        ("a\u2028b", "a\\u2028b"),
        ("\udcff", "\\udcff"),
        ("\U000e0041", "\\U000e0041"),
        ("one\ntwo", "one\ntwo"),
        ("Überblick\u3000日本語 é → ±", "Überblick\u3000日本語 é → ±"),
        ("\\x1b", "\\x1b"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text, shown):
    assert printable(text) == shown
    assert str(UserError(f"file: {text}")) == f"file: {shown}"


def test_a_path_in_what_is_said_stays_one_line_and_does_nothing_to_a_terminal(capsys):
    say("agent: runs/\x1b]0;pwned\a/a\nwon 99 of 99")
    assert capsys.readouterr().out == "agent: runs/\\x1b]0;pwned\\x07/a\\nwon 99 of 99\n"


def test_a_message_that_quotes_a_megabyte_keeps_its_beginning_and_its_end():
    told = str(UserError(f"file: unknown entry {'k' * 1_000_000}; remove it"))
    assert len(told) < BEGINNING + END + 10
    assert told.startswith("file: unknown entry kkk")
    assert told.endswith("kkk; remove it")


@pytest.mark.parametrize(("notebook", "head"), [(True, ""), (False, "python -m test: ")])
def test_a_warning_names_the_program_where_there_is_one(monkeypatch, capsys, notebook, head):
    monkeypatch.setattr(errors, "in_notebook", lambda: notebook)
    monkeypatch.setattr(errors, "_called", "python -m test")
    errors.warn("the disk\nis full")
    assert capsys.readouterr().err == f"{head}warning: the disk is full\n"
