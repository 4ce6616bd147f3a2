"""Tables on stdout: foreign text is never markup, and no figure is truncated where there is no terminal."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from cmsn_runtime.text import printable

_WIDEST = 100_000  # columns; a table is measured in a console of this width


def cell(value: object, *, style: str = "") -> Text:
    """Text from outside for display: it is not read as markup, and non-printable characters are escaped."""
    return Text(printable(str(value)), style=style)


def print_table(table: Table, *, shrink: bool = True) -> None:
    """Write a table to stdout: to a file or a pipe as wide as its contents need.

    shrink: on a terminal it is made to fit; otherwise it is as wide there as its contents need, too.
    """
    terminal = Console()
    if terminal.is_terminal and shrink:
        terminal.print(table)
        return
    wide = Console(file=sys.stdout, width=_WIDEST)
    needed = Measurement.get(wide, wide.options, table).maximum
    Console(width=max(needed, terminal.width) if terminal.is_terminal else needed).print(table)
