"""Whether later looks make proposals worse: recall by delay in several forms, each without one other cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cmsn_runtime.errors import MissingExtraError
from cmsn_training.evaluation import Spans, tiou_matrix
from cmsn_training.evaluation.delay import recall_by_delay
from cmsn_training.evaluation.events import Reported
from cmsn_training.evaluation.report import delay_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NUMBER = 10
DELAYS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, float("inf"))

Reports = Mapping[str, Sequence[Reported]]
Curves = dict[str, dict[str, float]]  # form -> delay, as it is headed -> AR@10 in percent

_STANDING = ("provisional", "revised")
_STYLES = (("#999999", ":"), ("#d55e00", "--"), ("#0072b2", "-"), ("#009e73", "-."), ("#cc79a7", ":"))


def curves(
    before: Reports, after: Reports, truth: Mapping[str, Spans], lengths: Mapping[str, float], step: float
) -> Curves:
    """AR@10 by delay.

    before, after: video -> its reports without and with alternatives of earlier looks. step: seconds of a step.
    Of the places: any time, or in proportion to the time gone by. "Finals at once" shows the form itself: each final is
    reported at its end, so nothing changes later. "Stood for two looks" leaves out what changed at the next look: the
    end of an action that is still going on is the newest step, and so right by itself once the lag of the network has
    passed after the true end.
    """
    at_once = {name: _finals_at_once(mine) for name, mine in before.items()}
    stood = {name: _stood_twice(mine, step) for name, mine in after.items()}
    forms: dict[str, tuple[Reports, bool]] = {
        "10 places at any time": (before, False),
        "in proportion to time": (before, True),
        "in proportion, with alternatives": (after, True),
        "in proportion, what stood for two looks": (stood, True),
        "in proportion, finals at once": (at_once, True),
    }
    return {
        name: {
            delay_name(delay): round(value, 2)
            for delay, value in recall_by_delay(
                reports, truth, numbers=(NUMBER,), delays=DELAYS, lengths=lengths if fair else None
            )[NUMBER].items()
        }
        for name, (reports, fair) in forms.items()
    }


def changes(reports: Reports, truth: Mapping[str, Spans], step: float) -> dict[str, float]:
    """What becomes of the first proposal of an action that stood for two looks, until the action's best final.

    Of actions that overlap a true one by a tIoU of 0.3 or more at either time: how many there are, how many proposals
    moved, and the mean change of tIoU of those. step: seconds of a step.
    """
    moved: list[float] = []
    count = 0
    for name, mine in reports.items():
        finals = {report.action: report for report in reversed(mine) if report.kind == "final"}
        stood = {report.action: report for report in reversed(_stood_twice(mine, step)) if report.kind in _STANDING}
        for action in stood.keys() & finals.keys():
            pair = np.array([(report.start, report.end) for report in (stood[action], finals[action])])
            before, after = tiou_matrix(pair, truth[name]).max(axis=1, initial=0.0)
            if max(before, after) >= 0.3:
                count += 1
                moved += [float(after - before)] * bool((pair[0] != pair[1]).any())
    return {
        "actions": count,
        "moved": len(moved),
        "mean_tiou_change_of_moved": round(float(np.mean(moved)), 3) if moved else 0.0,
    }


def draw(sets: Mapping[str, Curves], path: Path) -> None:
    """A panel per set of streams. Raises MissingExtraError."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", "drawing curves") from error
    figure = Figure(figsize=(4.2 * len(sets), 4.4), dpi=130, layout="constrained")
    panels: list[Axes] = list(figure.subplots(1, len(sets), squeeze=False)[0])
    for axes, (name, forms) in zip(panels, sets.items(), strict=True):
        headings = list(next(iter(forms.values())))
        for (form, row), (colour, line) in zip(forms.items(), _STYLES, strict=True):
            axes.plot(range(len(row)), list(row.values()), line, color=colour, linewidth=1.8, label=form)
        axes.set_xticks(range(len(headings)), [heading.removesuffix(" s") for heading in headings], fontsize=8)
        axes.set_xlabel("allowed delay after an action's end, s")
        axes.set_title(name, loc="left", fontsize=10)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("AR@10, %")
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=9
    )
    figure.savefig(path)


def _finals_at_once(reports: Sequence[Reported]) -> list[Reported]:
    """The finals alone, each at its own end."""
    return [replace(report, at=report.end) for report in reports if report.kind == "final"]


def _stood_twice(reports: Sequence[Reported], step: float) -> list[Reported]:
    """Each report from its second look on; those that the next look changed are left out."""
    of_action: dict[int, list[Reported]] = {}
    for report in reports:
        of_action.setdefault(report.action, []).append(report)
    found: list[Reported] = []
    for mine in of_action.values():
        for report, following in zip_longest(mine, mine[1:]):
            if report.kind == "final":
                found.append(report)
                continue
            found.append(replace(report, kind="withdrawn"))
            if following is None or following.at > report.at + 1.5 * step:
                found.append(replace(report, at=report.at + step))
    return sorted(found, key=lambda report: report.at)
