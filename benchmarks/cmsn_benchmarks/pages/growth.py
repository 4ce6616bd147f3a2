"""The section on growth: a picture and a table of each part."""

from __future__ import annotations

import statistics
from pathlib import Path

from cmsn_benchmarks.growth.series import GrowthReport, Part, Series
from cmsn_benchmarks.pages.markdown import Json, figure, table
from cmsn_runtime.structuring import structure

_MEANINGS = {
    "video": "Twice the length takes twice the time beyond the start, and hardly more memory.",
    "cameras": "Each camera costs what the first one does, with its capture process; all share one model.",
    "proposals": "A hop with more candidates takes longer: candidates, pre-scores, RoI rows and "
    "Soft-NMS, the networks not counted. Where 100 are kept per action, no power fits the whole range.",
    "window": "The stage network and the evaluation at full width, in windows with as many actions per step; "
    "the number of candidates grows with the window.",
}


def growth_lines(_: Path, found: Json) -> list[str]:
    """All parts of the file."""
    report = growth_report(found)
    lines: list[str] = []
    for name, part in report.parts.items():
        lines += [f"### By {part.size}", "", _MEANINGS.get(name, ""), ""]
        lines += [f"![Cost by {part.size}](benchmarks/{picture_name(name)})", ""]
        lines += [*_exponents(part), *_medians(part)]
    return lines


def growth_report(found: Json) -> GrowthReport:
    """The file, checked. Raises SettingsError for another."""
    return structure(found, GrowthReport)


def picture_name(part: str) -> str:
    """File name of the picture of a part."""
    return f"growth-{part}.png"


def verdict(series: Series) -> str:
    """Whether the bound holds, in words."""
    if not series.bounded:
        return "no bound" if series.growth.suits else "no bound; no power"
    ends = [f"{word} {end:g}" for word, end in (("from", series.least), ("to", series.most)) if end is not None]
    return f"{' '.join(ends)}: {'holds' if series.holds else 'missed'}"


def _exponents(part: Part) -> list[str]:
    rows = []
    for series in part.series:
        growth, slope = series.growth, series.slope
        per_hour = f"{slope.slope:.1f} ({slope.low:.1f} to {slope.high:.1f})" if slope else ""
        interval = f"{growth.exponent:.3f} ({growth.low:.3f} to {growth.high:.3f})"
        rows.append([series.name, interval, verdict(series), f"{100 * growth.off:.0f} %", per_hour])
    headings = ["", "exponent (95 %)", "bound", "curve off, at most", "MB per hour (95 %)"]
    cut = None if any(series.slope for series in part.series) else -1
    return table(headings[:cut], [row[:cut] for row in rows])


def _medians(part: Part) -> list[str]:
    columns = [f"{series.name}, {series.unit}" for series in part.series]
    beside = {name: values for name, values in part.beside.items() if len(values) == len(part.sizes)}
    rows = []
    for index, size in enumerate(part.sizes):
        spreads = [_spread(series.values[index]) for series in part.series]
        rows.append([f"{size:.4g}", *spreads, *(figure(values[index]) for values in beside.values())])
    single = [f"{name}: {figure(values[0])}" for name, values in part.beside.items() if len(values) == 1]
    return [*table([part.size, *columns, *beside], rows), *([f"Beside: {'; '.join(single)}.", ""] if single else [])]


def _spread(values: tuple[float, ...]) -> str:
    return figure({"median": statistics.median(values), "least": min(values), "most": max(values)})
