"""Figures as Markdown: tables, numbers of three digits, medians with their spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cmsn_benchmarks.device.wording import MISSING, significant

Json = Mapping[str, object]


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table; the first column is the name of the row."""
    lines = [f"| {' | '.join(headings)} |", f"|---|{'---:|' * (len(headings) - 1)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows), ""]


def figure(value: object) -> str:
    """A number, a median with its spread as "1.25 (1.23 to 1.30)", or a text; "-" for None."""
    if value is None:
        return MISSING
    if isinstance(value, bool) or not isinstance(value, int | float | Mapping):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return _number(value)
    least, median, most = (figure(value.get(name)) for name in ("least", "median", "most"))
    return median if least == median == most else f"{median} ({least} to {most})"


def _number(value: float) -> str:
    if value and abs(value) < 1e-3:
        return f"{value:.1e}"
    return significant(value)


def mapping(value: object) -> Json:
    """The object at a place of a file; an empty one where there is none."""
    return value if isinstance(value, Mapping) else {}


def ways_tables(found: Json, *, title: str = "") -> list[str]:
    """A table for each group of ways that were measured by frames per second, wherever they are in the file."""
    ways = {name: mapping(way) for name, way in found.items() if "frames_per_second" in mapping(way)}
    if ways:
        columns = list(dict.fromkeys(column for way in ways.values() for column in way))
        rows = [[name, *(figure(way.get(column)) for column in columns)] for name, way in ways.items()]
        return [*([f"**{title}**", ""] if title else []), *table(["", *map(_worded, columns)], rows)]
    lines: list[str] = []
    for name, group in found.items():
        lines += ways_tables(mapping(group), title=f"{title}, {_worded(name)}" if title else _worded(name))
    return lines


def flat_table(found: Json, *, leave_out: Sequence[str] = ("machine", "began", "command")) -> list[str]:
    """Every figure of a file, by its place."""
    rows = [[name, figure(value)] for name, value in _flat(found, "") if name.split(", ")[0] not in leave_out]
    return table(["", "measured"], rows)


def _flat(found: Json, before: str) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for name, value in found.items():
        place = f"{before}, {_worded(name)}" if before else _worded(name)
        inner = mapping(value)
        rows += _flat(inner, place) if inner and "median" not in inner else [(place, value)]
    return rows


def _worded(name: str) -> str:
    return name.replace("_", " ")
