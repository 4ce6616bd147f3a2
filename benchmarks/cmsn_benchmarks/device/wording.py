"""Figures as short texts with their unit, for tables, pictures and messages."""

from __future__ import annotations

from typing import Literal

Unit = Literal["ms", "s", "MB", "fps", "x", "cameras", "cores", "W", "°C", "MHz", "share"]

_SUFFIXES: dict[Unit, str] = {"fps": "", "x": " x", "cameras": "", "cores": ""}
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"))
MISSING = "-"


def worded(value: float | None, unit: Unit) -> str:
    """A figure with three significant digits: "6.14 ms", "1,230 MB"; "-" where there is none."""
    if value is None:
        return MISSING
    if unit == "cameras":
        return f"{value:.0f}"
    if unit == "share":
        return f"{100 * value:.0f} %"
    return significant(value) + _SUFFIXES.get(unit, f" {unit}")


def significant(value: float) -> str:
    """Three significant digits, two below 1, all before the point, thousands apart: "0.12", "12.3", "12,345"."""
    size = abs(value)
    for least, decimals in ((99.95, 0), (9.995, 1), (0.9995, 2)):
        if size >= least:
            return f"{value:,.{decimals}f}"
    return f"{value:#.2g}"


def per_second(amount: float, unit: str) -> str:
    """ "110 GFLOP/s", "14.0 GB/s"."""
    for size, prefix in _PREFIXES:
        if amount >= size:
            return f"{significant(amount / size)} {prefix}{unit}/s"
    return f"{significant(amount)} {unit}/s"


def count_of(number: int, thing: str) -> str:
    """ "1 camera", "4 cameras"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
