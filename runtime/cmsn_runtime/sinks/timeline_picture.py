"""Draws a timeline: the stages as a coloured band, below it the proposals, below them the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cmsn_runtime.annotations import Annotation
from cmsn_runtime.events import Event, Proposal
from cmsn_runtime.sinks.colours import PROPOSAL_COLOUR, STAGE_COLOURS
from cmsn_runtime.sinks.stage_runs import StageRun
from cmsn_runtime.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TRUTH_COLOUR = "#3A3A3A"
_TEXT_COLOUR = "#222222"

# A long video is split into rows, as text into lines; otherwise ten minutes would look like a barcode.
_ROW_SECONDS = 120.0
_MOST_ROWS = 12
_WIDTH_INCHES, _ROW_INCHES, _MARGIN_INCHES = 14.0, 1.85, 0.95
_PLOT_INCHES = 12.9  # width of the axes, for deciding which text fits into a bar
_LETTER_INCHES = 0.072  # a digit at the size of labels
_DPI = 110
_NAME_LETTERS = 70  # as many as fit beside the legend

# Lanes from top to bottom: (low, high) in the units of the vertical axis.
_STAGE_LANE = (2.3, 2.85)
_LABEL_HEIGHT = 2.08
_BEST_LANE = (1.15, 1.95)
_ALTERNATIVE_HEIGHT = 0.13
_TRUTH_LANE = (0.05, 0.45)


@dataclass(frozen=True, slots=True)
class Timeline:
    """What one picture shows. start, end: seconds. truth: None where it is unknown."""

    name: str
    start: float
    end: float
    runs: tuple[StageRun, ...]
    finals: tuple[Event, ...]
    truth: tuple[Annotation, ...] | None


@dataclass(frozen=True, slots=True)
class _Bar:
    """A proposal as drawn. place: 1 for the best of the video, 2...; None for an alternative of an action."""

    proposal: Proposal
    rank: int
    place: int | None


def draw_timeline(timeline: Timeline, path: Path) -> None:
    """Write the picture as PNG. Needs matplotlib; uses none of its global state, so that any thread may draw."""
    from matplotlib.figure import Figure

    rows = row_limits(timeline.start, timeline.end)
    height = len(rows) * _ROW_INCHES + _MARGIN_INCHES
    figure = Figure(figsize=(_WIDTH_INCHES, height), dpi=_DPI, facecolor="white")
    axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    figure.subplots_adjust(
        left=0.9 / _WIDTH_INCHES,
        right=1 - 0.2 / _WIDTH_INCHES,
        top=1 - 0.62 / height,
        bottom=0.5 / height,
        hspace=0.38,
    )
    bars = _bars(timeline.finals)
    for number, (row, (start, end)) in enumerate(zip(axes, rows, strict=True)):
        _draw_row(row, timeline, bars, start=start, end=end, last=number == len(rows) - 1)
    _draw_heading(figure, timeline, height)
    figure.savefig(path, format="png")


def row_limits(start: float, end: float) -> list[tuple[float, float]]:
    """Seconds -> (start, end) of each row: equally long, about _ROW_SECONDS, longer where there would be too many.

    Several rows have whole seconds each, so that their ticks stand above each other; the last may go beyond the end.
    """
    length = max(end - start, 0.1)
    count = min(math.ceil(length / _ROW_SECONDS), _MOST_ROWS)
    if count == 1:
        return [(start, start + length)]
    row = math.ceil(length / count)
    return [(start + row * index, start + row * (index + 1)) for index in range(count)]


def _bars(finals: tuple[Event, ...]) -> list[_Bar]:
    """Finals as bars, the best of each action numbered best first."""
    found = [(event.rank, event.proposal) for event in finals if event.proposal is not None]
    best = sorted((proposal for rank, proposal in found if rank == 1), key=lambda proposal: -proposal.score)
    alternatives = [_Bar(proposal, rank, None) for rank, proposal in found if rank > 1]
    return alternatives + [_Bar(proposal, 1, place) for place, proposal in enumerate(best, start=1)]


def _draw_row(axes: Axes, timeline: Timeline, bars: list[_Bar], *, start: float, end: float, last: bool) -> None:
    axes.set_xlim(start, end)
    axes.set_ylim(0.0 if timeline.truth is not None else 0.5, _STAGE_LANE[1] + 0.08)
    lanes = {"stages": _middle(_STAGE_LANE), "proposals": _middle(_BEST_LANE)}
    if timeline.truth is not None:
        lanes["truth"] = _middle(_TRUTH_LANE)
    axes.set_yticks(list(lanes.values()), list(lanes), color=_TEXT_COLOUR)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", colors="#666666", labelsize=9)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#BBBBBB")
    axes.grid(axis="x", color="#E2E2E2", linewidth=0.6)
    axes.set_axisbelow(True)
    if last:
        axes.set_xlabel("seconds", color="#666666", fontsize=9)
    _draw_stages(axes, timeline.runs, start, end)
    visible = [bar for bar in bars if bar.proposal.end > start and bar.proposal.start < end]
    for bar in visible:
        _draw_proposal(axes, bar)
    _label_proposals(axes, visible, start, end)
    for annotation in timeline.truth or ():
        if annotation.end > start and annotation.start < end:
            _draw_truth(axes, annotation, start, end)


def _draw_stages(axes: Axes, runs: tuple[StageRun, ...], start: float, end: float) -> None:
    low, high = _STAGE_LANE
    for stage, colour in STAGE_COLOURS.items():
        spans = [
            (float(run.start), float(run.end - run.start))
            for run in runs
            if run.stage == stage and run.end > start and run.start < end
        ]
        axes.broken_barh(spans, (low, high - low), facecolor=colour, edgecolor="none")


def _draw_proposal(axes: Axes, bar: _Bar) -> None:
    """The best of an action is filled as high as its score; its alternatives are thin bars, fainter with the score."""
    left, length, score = float(bar.proposal.start), float(bar.proposal.end - bar.proposal.start), bar.proposal.score
    low, high = _BEST_LANE
    if bar.place is None:
        low -= (bar.rank - 1) * (_ALTERNATIVE_HEIGHT + 0.05)
        opacity = 0.2 + 0.8 * score
        axes.barh(low, length, _ALTERNATIVE_HEIGHT, left, align="edge", color=PROPOSAL_COLOUR, alpha=opacity)
        return
    axes.barh(low, length, high - low, left, align="edge", color=PROPOSAL_COLOUR, alpha=0.15)
    axes.barh(low, length, (high - low) * score, left, align="edge", color=PROPOSAL_COLOUR)


def _label_proposals(axes: Axes, bars: list[_Bar], start: float, end: float) -> None:
    """Place and score above the best of each action, better ones first; where it is crowded, place alone or none."""
    taken: list[tuple[float, float]] = []
    for bar in sorted((bar for bar in bars if bar.place is not None), key=lambda bar: bar.place or 0):
        middle = (max(float(bar.proposal.start), start) + min(float(bar.proposal.end), end)) / 2
        for text in (f"#{bar.place}  {bar.proposal.score:.2f}", f"#{bar.place}"):
            half = _text_seconds(text, start, end) / 2
            centre = min(max(middle, start + half), end - half)
            left, right = centre - half, centre + half
            if all(right <= low or left >= high for low, high in taken):
                taken.append((left, right))
                axes.text(centre, _LABEL_HEIGHT, text, ha="center", va="center", color=PROPOSAL_COLOUR, fontsize=8)
                break


def _draw_truth(axes: Axes, annotation: Annotation, start: float, end: float) -> None:
    low, high = _TRUTH_LANE
    axes.barh(low, annotation.end - annotation.start, high - low, annotation.start, align="edge", color=_TRUTH_COLOUR)
    left, right = max(annotation.start, start), min(annotation.end, end)
    if _text_seconds(annotation.label, start, end) <= right - left:
        axes.text(
            (left + right) / 2,
            _middle(_TRUTH_LANE),
            annotation.label,
            ha="center",
            va="center",
            color="white",
            fontsize=8,
            parse_math=False,
        )


def _text_seconds(text: str, start: float, end: float) -> float:
    """Width of a label in seconds of its row."""
    return (len(text) * _LETTER_INCHES + 0.08) * (end - start) / _PLOT_INCHES


def _draw_heading(figure: Figure, timeline: Timeline, height: float) -> None:
    from matplotlib.patches import Patch

    top = 1 - 0.3 / height
    name = printable(timeline.name)
    name = name if len(name) <= _NAME_LETTERS else f"{name[: _NAME_LETTERS - 1]}…"
    left = 0.9 / _WIDTH_INCHES
    figure.text(left, top, name, fontsize=12, color=_TEXT_COLOUR, va="center", weight="bold", parse_math=False)
    patches = [Patch(color=colour, label=stage.name.lower()) for stage, colour in STAGE_COLOURS.items()]
    figure.legend(
        handles=patches,
        loc="center right",
        bbox_to_anchor=(1 - 0.2 / _WIDTH_INCHES, top),
        ncols=len(patches),
        frameon=False,
        fontsize=9,
        handlelength=1.2,
        columnspacing=1.2,
        borderpad=0,
        borderaxespad=0,
    )


def _middle(lane: tuple[float, float]) -> float:
    return (lane[0] + lane[1]) / 2
