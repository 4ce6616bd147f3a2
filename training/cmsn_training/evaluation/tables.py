"""The figures of `cmsn evaluate` for people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import zip_longest

from rich import box
from rich.table import Table

from cmsn_training.evaluation.protocols import THUMOS
from cmsn_training.evaluation.report import RECALL_NUMBER, Delays, Report, delay_name


def tables(report: Report, delays: Delays | None, numbers: Sequence[float]) -> list[Table]:
    """AR@AN and area under both protocols, recall at each tIoU, mAP, delays: what there is of them."""
    found = [_average_table(report, numbers), _recall_table(report)] if report.curves else []
    if report.precision:
        found.append(_precision_table(report))
    if delays is not None:
        found.append(_delay_table(delays))
    return found


def _average_table(report: Report, numbers: Sequence[float]) -> Table:
    curves = [curve for mine in report.curves.values() for curve in mine.values()]
    table = _side_by_side("Average recall, percent (-: outside the curve)", report)
    for number in numbers:
        table.add_row(f"AR@{number:g}", *(_shown(curve.average_recall_at(number)) for curve in curves))
    table.add_row("area", *(_shown(curve.area) for curve in curves))
    table.add_row("most AN", *(_shown(float(curve.numbers[-1])) for curve in curves))
    return table


def _recall_table(report: Report) -> Table:
    title = f"Recall at each tIoU, percent, at AN={RECALL_NUMBER:g} or all there are"
    curves = [curve for mine in report.curves.values() for curve in mine.values()]
    recall = [curve.recall_at(min(RECALL_NUMBER, float(curve.numbers[-1]))).tolist() for curve in curves]
    table = _side_by_side(title, report)
    # One protocol stops before tIoU 1.0; both have the same thresholds until then.
    for limit, values in zip(THUMOS.thresholds, zip_longest(*recall), strict=True):
        table.add_row(f"{limit:.2f}", *("" if value is None else _shown(value) for value in values))
    return table


def _precision_table(report: Report) -> Table:
    table = _table("mAP at each tIoU, percent", "results")
    for limit in next(iter(report.precision.values())):
        table.add_column(f"{limit:g}", justify="right")
    for name, row in report.precision.items():
        table.add_row(name, *(_shown(value) for value in row.values()))
    return table


def _delay_table(delays: Delays) -> Table:
    first = "" if math.isinf(delays.median) else f", at the median {delays.median:+.2f} s from its end"
    hits = f"{delays.share:.1f} % of the actions were hit at tIoU 0.5{first}"
    table = _table(f"Average recall against allowed delay, percent; {hits}", "")
    for delay in next(iter(delays.by_number.values())):
        table.add_column(delay_name(delay), justify="right")
    for number, row in delays.by_number.items():
        table.add_row(f"AR@{number}", *(_shown(value) for value in row.values()))
    return table


def _side_by_side(title: str, report: Report) -> Table:
    table = _table(title, "")
    for name, mine in report.curves.items():
        for kind in mine:
            table.add_column(f"{name}\n{kind}", justify="right")
    return table


def _table(title: str, *names: str) -> Table:
    table = Table(title=title, box=box.SIMPLE)
    for name in names:
        table.add_column(name)
    return table


def _shown(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
