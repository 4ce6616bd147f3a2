"""Prints the figures of `cmsn bench` for people: backends side by side, every name explained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from cmsn_benchmarks.device.backend_names import named
from cmsn_benchmarks.device.figures import BackendFigures, BenchReport
from cmsn_benchmarks.device.machine_words import machine_words
from cmsn_benchmarks.device.table_sections import Section, sections
from cmsn_runtime.tables import cell
from cmsn_runtime.text import printable

_WIDEST = 100  # columns, where there is no terminal
_GAP = 2
_INDENT = "  "
_LEGEND = (
    "*: the result of the scenario, as MLPerf Inference has it. A hop: the frames of one step in, events out "
    "({frames} frames here, {seconds:.2f} s of video). p99: 99 of 100 took at most this long. Frame-to-event: from the "
    "arrival of a frame until all that follows from it has been handed on. -: not measured."
)


def print_report(report: BenchReport) -> None:
    """Write the table to stdout: to a file or a pipe as plain text of at most 100 columns."""
    console = table_console()
    for line in _heading(report):
        console.print(cell(line))
    found = sections(report)
    if found:
        for group in _groups(report.backends, found, console.width):
            _print_group(console, report.backends, group, found)
        hop = report.bundle.hop_frames
        console.print()
        console.print(cell(_LEGEND.format(frames=hop, seconds=hop / report.bundle.rate), style="dim"))
    for note in _notes(report):
        console.print(cell(f"Note: {note}", style="yellow"))


def table_console() -> Console:
    """Where tables go: as wide as the terminal; without one, without colours and of a fixed width."""
    screen = Console(highlight=False)
    if screen.is_terminal:
        return screen
    return Console(width=_WIDEST, highlight=False, color_system=None)


def _heading(report: BenchReport) -> Iterator[str]:
    bundle, settings = report.bundle, report.settings
    shape = "x".join(map(str, bundle.input_shape))
    threads = "" if settings.threads is None else f", {settings.threads} threads"
    yield f"cmsn {report.cmsn} on {machine_words(report.machine)}"
    yield f"{bundle.name}: width {bundle.width:g}, input {shape} at {bundle.rate:g} fps"
    began = report.began[:16].replace("T", " ")
    yield f"{began}: {settings.duration:g} s of each after {settings.warm_up:g} s of warm-up{threads}"
    for each in report.backends:
        if each.asked != each.backend:
            yield f"{named(each)}: {each.backend}"


def _notes(report: BenchReport) -> Iterator[str]:
    yield from report.notes
    for each in report.backends:
        yield from (f"{named(each)}: {note}" for note in each.notes)


def _widths(backends: Sequence[BackendFigures], found: Sequence[Section]) -> tuple[int, list[int]]:
    """Columns of the labels, and of each backend."""
    rows = [row for section in found for row in section.rows]
    labels = max(len(row.label) for row in rows)
    columns = [
        max(len(printable(named(each))), *(len(row.cells[index]) for row in rows))
        for index, each in enumerate(backends)
    ]
    return labels, columns


def _groups(backends: Sequence[BackendFigures], found: Sequence[Section], width: int) -> list[list[int]]:
    """Indices of the backends that fit beside one another; a group has at least one."""
    labels, columns = _widths(backends, found)
    groups: list[list[int]] = []
    left = 0
    for index, column in enumerate(columns):
        if not groups or column + _GAP > left:
            groups.append([])
            left = width - labels - len(_INDENT)
        groups[-1].append(index)
        left -= column + _GAP
    return groups


def _print_group(
    console: Console, backends: Sequence[BackendFigures], group: Sequence[int], found: Sequence[Section]
) -> None:
    """The sections, with the columns of some backends."""
    labels, columns = _widths(backends, found)

    def empty() -> Table:
        table = Table(box=None, show_header=False, padding=(0, 0, 0, _GAP), pad_edge=False)
        table.add_column(min_width=labels + len(_INDENT), no_wrap=True)
        for index in group:
            table.add_column(justify="right", min_width=columns[index], overflow="fold")
        return table

    names = empty()
    names.add_row("", *(cell(named(backends[index]), style="bold") for index in group))
    console.print()
    console.print(names)
    for section in found:
        console.print(cell(section.title, style="bold cyan"))
        table = empty()
        for row in section.rows:
            cells = (cell(row.cells[index], style="green" if row.best == index else "") for index in group)
            table.add_row(cell(_INDENT + row.label), *cells)
        console.print(table)
