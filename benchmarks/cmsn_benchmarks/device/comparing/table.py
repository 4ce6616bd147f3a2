"""Prints two reports of `cmsn bench` side by side, with ratios and what of them is noise."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from cmsn_benchmarks.device.backend_names import named
from cmsn_benchmarks.device.comparing.conditions import backend_warnings, warnings_of
from cmsn_benchmarks.device.comparing.differences import Difference, Pair, Verdict, differences, pairs
from cmsn_benchmarks.device.comparing.noise import LEVEL
from cmsn_benchmarks.device.figures import BackendFigures, BenchReport
from cmsn_benchmarks.device.machine_words import machine_words
from cmsn_benchmarks.device.table import table_console
from cmsn_benchmarks.device.wording import worded
from cmsn_runtime.tables import cell

_VERDICTS: dict[Verdict, tuple[str, str]] = {
    "better": ("better", "green"),
    "worse": ("worse", "red"),
    "noise": ("within the noise", "dim"),
    "too few": ("too few queries", "dim"),
    "single": ("", ""),
}
_LEGEND = (
    "B / A: the ratio, and where {level:.0f} of 100 such ratios lie by the noise within the two runs (a bootstrap of "
    "blocks of their queries). Within the noise: equal runs may give this. Too few queries: measure longer. "
    "Neither: one value per run. Two starts on one machine differ by more; measure each twice to see by how much."
)


def print_comparison(first: BenchReport, second: BenchReport) -> None:
    """Write the table to stdout, as `print_report` does, with a warning for each condition that differs."""
    console = table_console()
    for letter, report in (("A", first), ("B", second)):
        began = report.began[:16].replace("T", " ")
        line = f"{letter}: {report.bundle.name}, {began}, cmsn {report.cmsn}, {machine_words(report.machine)}"
        console.print(cell(line))
    _print_warnings(console, warnings_of(first, second))
    found = pairs(first, second)
    for pair in found:
        _print_pair(console, pair)
    _print_warnings(console, _left_over(first, second, found))
    if found:
        console.print()
        console.print(cell(_LEGEND.format(level=LEVEL), style="dim"))


def _print_warnings(console: Console, warnings: Iterable[str]) -> None:
    for warning in warnings:
        console.print(cell(f"Warning: {warning}", style="yellow"))


def _left_over(first: BenchReport, second: BenchReport, found: list[Pair]) -> list[str]:
    """Backends that only one report has."""
    compared = [each for pair in found for each in (pair.first, pair.second)]

    def others(report: BenchReport) -> list[BackendFigures]:
        return [each for each in report.backends if not any(each is other for other in compared)]

    return [
        f"{named(each)} is in {letter} only"
        for letter, report in (("A", first), ("B", second))
        for each in others(report)
    ]


def _print_pair(console: Console, pair: Pair) -> None:
    names = dict.fromkeys((named(pair.first), named(pair.second)))
    console.print()
    console.print(cell(" and ".join(names), style="bold cyan"))
    _print_warnings(console, backend_warnings(pair.first, pair.second))
    table = Table(box=None, padding=(0, 0, 0, 2), pad_edge=False, header_style="bold")
    table.add_column(no_wrap=True)
    for heading in ("A", "B", "B / A"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    for each in differences(pair):
        words, style = _VERDICTS[each.verdict]
        scenario = f"{each.figure.scenario}-stream " if each.figure.scenario else ""
        values = (cell(worded(value, each.figure.unit)) for value in (each.first, each.second))
        table.add_row(cell(f"  {scenario}{each.figure.label}"), *values, cell(_ratio(each)), cell(words, style=style))
    console.print(table)


def _ratio(each: Difference) -> str:
    if each.ratio is None:
        return "-"
    if each.interval is None:
        return f"{each.ratio:.2f}" + " " * len(" (0.00-0.00)")
    return f"{each.ratio:.2f} ({each.interval.low:.2f}-{each.interval.high:.2f})"
