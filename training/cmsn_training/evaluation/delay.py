"""Recall by delay: for a live system the time of a proposal matters too.

For a true action that ends at e and an allowed delay d, the proposals that stand at source time e + d count: of each
action the newest report (provisional or revised), its finals once reported, nothing once withdrawn; of these the best
N by score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cmsn_runtime.errors import SettingsError
from cmsn_training.evaluation.events import Reported
from cmsn_training.evaluation.tiou import TIOU_THRESHOLDS, Spans, tiou_matrix

DELAYS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, float("inf"))
_TICK = 1e-6  # the times in a file of events are rounded to it

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Every proposal of one video, best score first, with the source times between which it stood, in seconds.

    spans: [K, 2]. since, until: [K]; it stood at `since`, and no longer at `until`. A final stands forever.
    final: bool [K].
    """

    spans: Spans
    since: Floats
    until: Floats
    final: npt.NDArray[np.bool_]

    def at(self, times: Floats) -> npt.NDArray[np.bool_]:
        """What stands at source times [T] -> bool [T, K]; at infinity the finals, and they alone."""
        stood = (self.since <= times[:, None] + _TICK) & (times[:, None] + _TICK < self.until)
        return np.where(np.isinf(times)[:, None], self.final, stood)


def standing(reports: Sequence[Reported]) -> Standing:
    """Built from the reports on one video, in their order."""
    until = np.full(len(reports), np.inf)
    newest: dict[int, int] = {}
    for place, report in enumerate(reports):
        before = newest.get(report.action)
        if before is not None and reports[before].kind != "final":
            until[before] = report.at
        newest[report.action] = place
    kept = [place for place, report in enumerate(reports) if report.kind != "withdrawn"]
    kept.sort(key=lambda place: -reports[place].score)
    return Standing(
        np.array([(reports[place].start, reports[place].end) for place in kept], dtype=np.float64).reshape(-1, 2),
        np.array([reports[place].at for place in kept], dtype=np.float64),
        until[kept],
        np.array([reports[place].kind == "final" for place in kept], dtype=bool),
    )


def recall_by_delay(
    reports: Mapping[str, Sequence[Reported]],
    truth: Mapping[str, Spans],
    *,
    numbers: Sequence[int],
    delays: Sequence[float] = DELAYS,
    thresholds: Sequence[float] = TIOU_THRESHOLDS,
) -> dict[int, dict[float, float]]:
    """N -> allowed delay in seconds -> AR@N in percent; infinity: the finals of the whole stream.

    reports: video -> what was reported. truth: video -> [G, 2] seconds. A video without reports counts as missed.
    Raises SettingsError where there is no true segment, or nothing was reported for any video of the truth.
    """
    _require_overlap(reports, truth)
    best = np.concatenate(
        [_best(standing(reports.get(name, ())), rows, numbers, delays) for name, rows in truth.items()]
    )
    recall = 100 * (best[..., None] >= np.array(thresholds)).mean(axis=(0, 3))  # [N, delays]
    return {number: dict(zip(delays, row, strict=True)) for number, row in zip(numbers, recall.tolist(), strict=True)}


def first_hits(
    reports: Mapping[str, Sequence[Reported]], truth: Mapping[str, Spans], *, tiou: float = 0.5
) -> list[float]:
    """Seconds from the end of each true action until it was first proposed at `tiou` or better; infinity: never.

    Negative where it was found while still going on. Raises SettingsError as `recall_by_delay`.
    """
    _require_overlap(reports, truth)
    delays: list[float] = []
    for name, segments in truth.items():
        reported = standing(reports.get(name, ()))
        hits = tiou_matrix(reported.spans, segments) >= tiou  # [K, G]
        times = np.where(hits, reported.since[:, None], np.inf).min(axis=0, initial=np.inf)
        delays += (times - segments[:, 1]).tolist()
    return delays


def _best(reported: Standing, segments: Spans, numbers: Sequence[int], delays: Sequence[float]) -> Floats:
    """The best tIoU with each true segment among the first N that stood -> [G, N, delays]."""
    overlaps = tiou_matrix(reported.spans, segments)  # [K, G]
    found = np.zeros((len(segments), len(numbers), len(delays)))
    for index, delay in enumerate(delays):
        stood = reported.at(segments[:, 1] + delay)  # [G, K]
        rank = np.cumsum(stood, axis=1)
        for place, number in enumerate(numbers):
            counted = np.where(stood & (rank <= number), overlaps.T, 0.0)
            found[:, place, index] = counted.max(axis=1, initial=0.0)
    return found


def _require_overlap(reports: Mapping[str, Sequence[Reported]], truth: Mapping[str, Spans]) -> None:
    if not any(len(segments) for segments in truth.values()):
        raise SettingsError("no true segment; recall is not defined")
    if reports and not set(reports) & set(truth):
        raise SettingsError(
            f"events of {', '.join(sorted(reports)[:3])}, truth of {', '.join(sorted(truth)[:3])}: no video in common; "
            "check that both are of the same videos, under the same names"
        )
