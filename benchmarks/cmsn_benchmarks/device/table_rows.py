"""Rows of the table of `cmsn bench`: a label, and a cell for each backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cmsn_benchmarks.device.figures import BackendFigures
from cmsn_benchmarks.device.named_figures import NamedFigure
from cmsn_benchmarks.device.wording import MISSING, worded

Backends = Sequence[BackendFigures]


@dataclass(frozen=True, slots=True)
class Row:
    """cells: one for each backend. best: index of the best of several; None where none is."""

    label: str
    cells: tuple[str, ...]
    best: int | None = None


def figure_rows(figures: Sequence[NamedFigure], backends: Backends) -> Iterator[Row]:
    """A row for each figure that at least one backend has."""
    for figure in figures:
        values = [figure.of(each) for each in backends]
        if any(value is not None for value in values):
            yield Row(figure.label, tuple(worded(value, figure.unit) for value in values), best_of(values, figure))


def best_of(values: Sequence[float | None], figure: NamedFigure) -> int | None:
    """Index of the best of several values; None where none is."""
    known = sorted(value for value in values if value is not None)
    if figure.better is None or len(known) < 2 or known[0] == known[-1]:
        return None
    return values.index(known[0] if figure.better == "lower" else known[-1])


def text_rows(label: str, backends: Backends, text: Callable[[BackendFigures], str | None]) -> Iterator[Row]:
    """A row of texts; none where no backend has one."""
    found = [text(each) for each in backends]
    if any(each is not None for each in found):
        yield Row(label, tuple(MISSING if each is None else each for each in found))
