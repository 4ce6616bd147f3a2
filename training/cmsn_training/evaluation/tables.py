"""The figures of `cmsn evaluate` for people: no figure is ever truncated, however many files there are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from cmsn_runtime.text import printable
from cmsn_training.evaluation.protocols import THUMOS, RecallCurve
from cmsn_training.evaluation.report import RECALL_NUMBER, Delays, Report, delay_name

_WIDEST = 100_000  # columns; a table is measured in a console of this width
_SHORTEST_NAME = 20  # columns reserved for names on a terminal, however narrow it is


@dataclass(frozen=True, slots=True)
class Grid:
    """One table before it is laid out.

    labels: of each row, a text for each of `label_headings`. figures: [rows, headings], as shown.
    """

    title: str
    label_headings: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    headings: tuple[str, ...]
    figures: tuple[tuple[str, ...], ...]

    def upright(self, longest_name: int | None = None) -> Table:
        """A row per label. longest_name: columns at which names are folded."""
        table = Table(title=self.title, title_justify="left", box=box.SIMPLE)
        for heading in self.label_headings:
            table.add_column(heading, overflow="fold", max_width=longest_name)
        for heading in self.headings:
            table.add_column(heading, justify="right", no_wrap=True)
        for label, row in zip(self.labels, self.figures, strict=True):
            table.add_row(*map(Text, label), *row)
        return table

    def turned(self) -> Table:
        """A column per label."""
        table = Table(title=self.title, title_justify="left", box=box.SIMPLE)
        table.add_column("")
        for label in self.labels:
            table.add_column(Text("\n".join(label)), justify="right", no_wrap=True)
        for heading, row in zip(self.headings, zip(*self.figures, strict=True), strict=True):
            table.add_row(heading, *row)
        return table


def tables(report: Report, delays: Delays | None, numbers: Sequence[float]) -> list[Grid]:
    """AR@AN and area under both protocols, recall at each tIoU, mAP, delays: those that are available."""
    found = [_averages(report, numbers), _recall(report)] if report.curves else []
    if report.precision:
        found.append(_precision(report))
    if delays is not None:
        found.append(_delays(delays))
    return found


def print_tables(grids: Sequence[Grid]) -> None:
    """Write the tables to stdout.

    On a terminal, a table that is too wide is transposed where that helps, and exceeds the width otherwise; where there
    is no terminal it is as wide as necessary.
    """
    screen = Console()
    for grid in grids:
        table = _for_terminal(grid, screen.width) if screen.is_terminal else grid.upright()
        width = max(_width(table), screen.width) if screen.is_terminal else _width(table)
        # Where a height is given, rich uses the given width on a dumb terminal too.
        Console(width=width, height=screen.height).print(table)


def _for_terminal(grid: Grid, width: int) -> Table:
    layouts = (grid.upright(), grid.turned())
    folded = grid.upright(max(_SHORTEST_NAME, width // 3))
    return next((table for table in (*layouts, folded) if _width(table) <= width), folded)


def _width(table: Table) -> int:
    console = Console(width=_WIDEST, height=1)
    return Measurement.get(console, console.options, table).maximum


def _averages(report: Report, numbers: Sequence[float]) -> Grid:
    curves = list(_curves(report))
    figures = [
        (*(curve.average_recall_at(number) for number in numbers), curve.area, float(curve.numbers[-1]))
        for _, curve in curves
    ]
    headings = (*(f"AR@{number:g}" for number in numbers), "area", "most AN")
    return _by_curve("Average recall, percent (-: outside the curve)", curves, headings, figures)


def _recall(report: Report) -> Grid:
    curves = list(_curves(report))
    figures = [curve.recall_at(min(RECALL_NUMBER, float(curve.numbers[-1]))).tolist() for _, curve in curves]
    # One protocol stops before tIoU 1.0; both have the same thresholds until then.
    headings = tuple(f"{limit:.2f}" for limit in THUMOS.thresholds)
    title = f"Recall at each tIoU, percent, at AN={RECALL_NUMBER:g} or all available"
    return _by_curve(title, curves, headings, figures)


def _precision(report: Report) -> Grid:
    headings = tuple(f"{limit:g}" for limit in next(iter(report.precision.values())))
    labels = tuple((printable(name),) for name in report.precision)
    figures = tuple(_shown(row.values()) for row in report.precision.values())
    return Grid("mAP at each tIoU, percent", ("results",), labels, headings, figures)


def _delays(delays: Delays) -> Grid:
    first = "" if math.isinf(delays.median) else f", at the median {delays.median:+.2f} s from its end"
    hits = f"{delays.share:.1f} % of the actions were hit at tIoU 0.5{first}"
    headings = tuple(delay_name(delay) for delay in next(iter(delays.by_number.values())))
    forms = (("at any time", delays.by_number), ("in proportion to time", delays.in_proportion))
    rows = [(number, places, row) for places, form in forms for number, row in form.items()]
    labels = tuple((f"AR@{number}", places) for number, places, _ in rows)
    figures = tuple(_shown(row.values()) for *_, row in rows)
    return Grid(f"Average recall against allowed delay, percent; {hits}", ("", "N places"), labels, headings, figures)


def _curves(report: Report) -> Iterator[tuple[str, RecallCurve]]:
    """Each curve, with the printable name of its file."""
    for name, mine in report.curves.items():
        for curve in mine.values():
            yield printable(name), curve


def _by_curve(
    title: str,
    curves: Sequence[tuple[str, RecallCurve]],
    headings: tuple[str, ...],
    figures: Sequence[Sequence[float]],
) -> Grid:
    """A row per curve; one that is shorter than the headings is padded."""
    labels = tuple((name, curve.protocol.name) for name, curve in curves)
    rows = tuple((*_shown(row), *[""] * (len(headings) - len(row))) for row in figures)
    return Grid(title, ("results", "protocol"), labels, headings, rows)


def _shown(values: Iterable[float]) -> tuple[str, ...]:
    return tuple("-" if math.isnan(value) else f"{value:.2f}" for value in values)
