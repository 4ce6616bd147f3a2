"""Prints lines: errors and warnings on stderr, results of a command on stdout."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal, TextIO, TypeAlias

import click

from cmsn_runtime.secrets import scrubbed
from cmsn_runtime.text import one_line, printable

Kind: TypeAlias = Literal["error", "warning"]
Receiver: TypeAlias = Callable[[object, Kind], None]

_receivers: list[Receiver] = []  # global, as stderr is


def report(message: object, *, kind: Kind = "error") -> None:
    """Write one line to stderr, for any message, without secrets; or pass it to `reports_to`. Never fails: stderr may
    be closed, or on a full disk.
    """
    if _receivers:
        _receivers[-1](message, kind)
        return
    if sys.stderr is None:  # the shell closed it (`2>&-`)
        return
    with suppress(OSError, ValueError):
        sys.stderr.write(f"cmsn: {kind}: {one_line(scrubbed(str(message)))}\n")
        sys.stderr.flush()


@contextmanager
def reports_to(receiver: Receiver) -> Iterator[None]:
    """Pass every report to a log instead, of all threads."""
    _receivers.append(receiver)
    try:
        yield
    finally:
        _receivers.remove(receiver)


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
