"""The figures of `cmsn evaluate` for people: a row per results file and protocol, so that any number of files fits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cmsn_runtime.tables import cell, print_table
from cmsn_training.evaluation.protocols import THUMOS, RecallCurve
from cmsn_training.evaluation.report import RECALL_NUMBER, Delays, Report, delay_name

_SHORTEST_NAME = 20  # columns that names get on a terminal, however narrow it is


def tables(report: Report, delays: Delays | None, numbers: Sequence[float]) -> list[Table]:
    """AR@AN and area under both protocols, recall at each tIoU, mAP, delays: what there is of them."""
    found = [_average_table(report, numbers), _recall_table(report)] if report.curves else []
    if report.precision:
        found.append(_precision_table(report))
    if delays is not None:
        found.append(_delay_table(delays))
    return found


def print_tables(found: Sequence[Table]) -> None:
    """Write them to stdout. No figure is ever cut: where there is no terminal, a table is as wide as it needs."""
    terminal = Console()
    for table in found:
        if terminal.is_terminal:
            table.columns[0].max_width = max(_SHORTEST_NAME, terminal.width // 3)
        print_table(table, shrink=False)


def _average_table(report: Report, numbers: Sequence[float]) -> Table:
    headings = [*(f"AR@{number:g}" for number in numbers), "area", "most AN"]
    table = _table("Average recall, percent (-: outside the curve)", "results", "protocol", figures=headings)
    for name, curve in _curves(report):
        averages = [curve.average_recall_at(number) for number in numbers]
        table.add_row(name, curve.protocol.name, *map(_shown, [*averages, curve.area, float(curve.numbers[-1])]))
    return table


def _recall_table(report: Report) -> Table:
    title = f"Recall at each tIoU, percent, at AN={RECALL_NUMBER:g} or all there are"
    # One protocol stops before tIoU 1.0; both have the same thresholds until then.
    headings = [f"{limit:.2f}" for limit in THUMOS.thresholds]
    table = _table(title, "results", "protocol", figures=headings)
    for name, curve in _curves(report):
        recall = curve.recall_at(min(RECALL_NUMBER, float(curve.numbers[-1])))
        table.add_row(name, curve.protocol.name, *map(_shown, recall.tolist()))
    return table


def _precision_table(report: Report) -> Table:
    headings = [f"{limit:g}" for limit in next(iter(report.precision.values()))]
    table = _table("mAP at each tIoU, percent", "results", figures=headings)
    for name, row in report.precision.items():
        table.add_row(cell(name), *map(_shown, row.values()))
    return table


def _delay_table(delays: Delays) -> Table:
    first = "" if math.isinf(delays.median) else f", at the median {delays.median:+.2f} s from its end"
    hits = f"{delays.share:.1f} % of the actions were hit at tIoU 0.5{first}"
    headings = [delay_name(delay) for delay in next(iter(delays.by_number.values()))]
    table = _table(f"Average recall against allowed delay, percent; {hits}", "", figures=headings)
    for number, row in delays.by_number.items():
        table.add_row(f"AR@{number}", *map(_shown, row.values()))
    return table


def _curves(report: Report) -> Iterator[tuple[Text, RecallCurve]]:
    """Each curve, with the name of its file as it may be shown."""
    for name, mine in report.curves.items():
        for curve in mine.values():
            yield cell(name), curve


def _table(title: str, *names: str, figures: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    for name in names:
        table.add_column(name, overflow="fold")
    for heading in figures:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _shown(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
