"""Limits of figures, for continuous integration: `--fail-over p99=40ms`, `--fail-under cameras=4`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from cmsn_benchmarks.device.backend_names import named, taken_name
from cmsn_benchmarks.device.figures import BenchReport
from cmsn_benchmarks.device.named_figures import (
    CAMERAS,
    FIRST_RESULT,
    MEMORY,
    MULTI_STREAM,
    SINGLE_STREAM,
    Better,
    NamedFigure,
    ScenarioName,
)
from cmsn_benchmarks.device.wording import Unit, worded
from cmsn_runtime.checking import shown
from cmsn_runtime.errors import SettingsError

_LIMITED = tuple(figure for figure in (*SINGLE_STREAM, *MULTI_STREAM, CAMERAS, *FIRST_RESULT, *MEMORY) if figure.name)
_OPTIONS: dict[Better, str] = {"lower": "--fail-over", "higher": "--fail-under"}
_EXAMPLES: dict[Better, str] = {"lower": "p99=40ms", "higher": "cameras=4"}
# The factor from what may be written to the unit of the figure.
_UNITS: dict[Unit, dict[str, float]] = {
    "ms": {"ms": 1.0, "s": 1e3, "us": 1e-3},
    "s": {"s": 1.0, "ms": 1e-3},
    "MB": {"MB": 1.0, "GB": 1e3},
    "fps": {"": 1.0, "fps": 1.0},
    "cameras": {"": 1.0},
}
_LIMIT = re.compile(
    r"(?:(?P<place>.+):)?(?P<name>[^:=]+)=(?P<number>[0-9]{1,12}(?:\.[0-9]{1,12})?) ?(?P<unit>[A-Za-z]*)"
)


@dataclass(frozen=True, slots=True)
class FigureLimit:
    """What a figure may be at most, or at least where more is better. backend: None for every one of them.

    text: as given. value: in the unit of the figure.
    """

    text: str
    figure: NamedFigure
    value: float
    backend: str | None = None

    @property
    def option(self) -> str:
        """The option that it came by."""
        return _OPTIONS[self.figure.better or "lower"]


def read_limits(over: Sequence[str], under: Sequence[str]) -> tuple[FigureLimit, ...]:
    """Values of --fail-over and --fail-under: [BACKEND:][single:|multi:]NAME=VALUE. Raises SettingsError."""
    return (*(_read(text, "lower") for text in over), *(_read(text, "higher") for text in under))


def require_backends(limits: Sequence[FigureLimit], asked: Sequence[str]) -> None:
    """Refuse a limit for a backend that will not be measured. Raises SettingsError.

    auto may turn out to be any backend, so that with it only the report can tell.
    """
    for limit in limits:
        if limit.backend not in (None, "auto", *asked) and "auto" not in asked:
            raise SettingsError(
                f"{limit.option} {shown(limit.text)}: {shown(limit.backend)} is not measured, only {', '.join(asked)}; "
                "name one of these, or measure it with --backend"
            )


def exceeded(report: BenchReport, limits: Sequence[FigureLimit]) -> list[str]:
    """One line for each figure that is over its limit, under it where more is better, or missing."""
    return [line for limit in limits for line in _exceeded(report, limit)]


def _exceeded(report: BenchReport, limit: FigureLimit) -> Iterator[str]:
    backends = [each for each in report.backends if limit.backend in (None, each.asked, each.backend, taken_name(each))]
    if not backends:
        there = ", ".join(map(named, report.backends)) or "nothing"
        yield (
            f"{limit.backend or 'no backend'} was not measured, only {there}, so {limit.option} {limit.text} is not met"
        )
    for each in backends:
        value = limit.figure.of(each)
        if value is None:
            yield f"{named(each)}: {limit.figure} was not measured, so {limit.option} {limit.text} is not met"
        elif _is_worse(value, limit):
            allowed = "at least" if limit.figure.better == "higher" else "at most"
            yield (
                f"{named(each)}: {limit.figure} is {worded(value, limit.figure.unit)}; "
                f"{limit.option} {limit.text} allows {allowed} {worded(limit.value, limit.figure.unit)}"
            )


def _is_worse(value: float, limit: FigureLimit) -> bool:
    return value < limit.value if limit.figure.better == "higher" else value > limit.value


def _read(text: str, better: Better) -> FigureLimit:
    found = _LIMIT.fullmatch(text)
    if found is None:
        raise _refusal(text, better, f"it must be NAME=VALUE such as {_EXAMPLES[better]}")
    backend, scenario = _place(found["place"])
    figure = _figure(text, better, found["name"], scenario)
    units = _UNITS[figure.unit]
    if found["unit"] not in units:
        allowed = " or ".join(unit or "none" for unit in units)
        raise _refusal(text, better, f"the unit of {figure.name} is {allowed}")
    return FigureLimit(text, figure, float(found["number"]) * units[found["unit"]], backend)


def _place(place: str | None) -> tuple[str | None, ScenarioName | None]:
    """BACKEND:SCENARIO, either alone, or neither."""
    rest, _, last = (place or "").rpartition(":")
    for scenario in get_args(ScenarioName):
        if last == scenario:
            return rest or None, scenario
    return place, None


def _figure(text: str, better: Better, name: str, scenario: ScenarioName | None) -> NamedFigure:
    """The figure of a name: of the single-stream scenario where both have it and none is named."""
    named = [figure for figure in _LIMITED if figure.name == name]
    if not named:
        names = dict.fromkeys(figure.name for figure in _LIMITED if figure.better == better)
        raise _refusal(text, better, f"{shown(name)} is unknown; it must be one of {', '.join(names)}")
    found = next((figure for figure in named if scenario in (None, figure.scenario)), None)
    if found is None:
        raise _refusal(text, better, f"{name} belongs to no scenario; omit {scenario}:")
    if found.better != better:
        wanted = _OPTIONS["higher" if better == "lower" else "lower"]
        raise _refusal(text, better, f"{'less' if better == 'higher' else 'more'} {name} is better; use {wanted}")
    return found


def _refusal(text: str, better: Better, message: str) -> SettingsError:
    return SettingsError(f"{_OPTIONS[better]} {shown(text)}: {message}")
