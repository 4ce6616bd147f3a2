"""Prints lines: errors and warnings on stderr, results of a command on stdout."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal, TextIO

import click

from cmsn_runtime.secrets import scrubbed
from cmsn_runtime.text import one_line, printable


def report(message: object, *, kind: Literal["error", "warning"] = "error") -> None:
    """Write one line to stderr, for any message, without secrets. Never fails: stderr may be closed, or on a full
    disk.
    """
    if sys.stderr is None:  # the shell closed it (`2>&-`)
        return
    with suppress(OSError, ValueError):
        sys.stderr.write(f"cmsn: {kind}: {one_line(scrubbed(str(message)))}\n")
        sys.stderr.flush()


def say(message: object) -> None:
    """Write one line to stdout. Programs get it unchanged: it may be a path. A terminal gets controls escaped."""
    screen = sys.stdout is not None and sys.stdout.isatty()
    click.echo(printable(str(message)) if screen else str(message))


@contextmanager
def reported(*kinds: type[Warning]) -> Iterator[None]:
    """Report each warning of these kinds in its own line, as soon as it is issued."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, kinds):
            report(message, kind="warning")

    with warnings.catch_warnings():
        for kind in kinds:
            warnings.simplefilter("always", kind)
        warnings.showwarning = show
        yield
