"""Tables and lines for people: foreign text is no markup, and files get figures whole."""

from __future__ import annotations

import sys

import pytest
from rich.table import Table

from cmsn_runtime.reporting import say
from cmsn_runtime.tables import cell, print_table


@pytest.mark.parametrize("shrink", [True, False])
def test_a_table_to_a_file_is_not_cut_to_a_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, shrink: bool
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    table = Table(*(f"column {number}" for number in range(30)))
    table.add_row(*(cell(f"{number + 0.123456:.6f}") for number in range(30)))
    print_table(table, shrink=shrink)
    shown = capsys.readouterr().out
    assert all(f"{number + 0.123456:.6f}" in shown and f"column {number}" in shown for number in range(30))
    assert "…" not in shown


def test_text_from_outside_is_not_read_as_markup(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(title=cell("[/title]"), show_header=False)
    table.add_row(cell("a [/red] [x] :smile: \x1b[2J\n"))
    print_table(table)
    shown = capsys.readouterr().out
    assert "[/title]" in shown
    assert r"a [/red] [x] :smile: \x1b[2J\n" in shown


def test_a_line_is_exact_for_programs_and_escaped_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    say("a\x9b31m")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    say("a\x9b31m")
    assert capsys.readouterr().out == "a\x9b31m\na\\x9b31m\n"
