"""Recall by delay: for a live system the time of a proposal matters too.

For a true action that ends at e and an allowed delay d, the proposals that stand at source time e + d count: of each
action the newest report (provisional or revised), its finals once reported, nothing once withdrawn; of these the best
N by score.

Early in a stream few proposals compete for these N places, at its end all of them: recall falls with the delay even
where no proposal changes. So there are two forms: N places at any time, and places in proportion to the time gone by,
N (e + d) / T of a stream of length T, at least one. The second is fair: where proposals come at an even rate, as many
compete for each place at every delay. A fraction of a place counts as such: recall is interpolated between the whole
numbers on both sides of it. Both forms end at AR@N of the finals.
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
    lengths: Mapping[str, float] | None = None,
) -> dict[int, dict[float, float]]:
    """N -> allowed delay in seconds -> AR@N in percent; infinity: the finals of the whole stream.

    reports: video -> what was reported. truth: video -> [G, 2] seconds. A video without reports counts as missed.
    lengths: video -> seconds, for places in proportion to the time gone by; None for N places at any time.
    Raises SettingsError where there is no true segment, or nothing was reported for any video of the truth.
    """
    _require_overlap(reports, truth)
    times = np.array(delays)
    recalled = []
    for name, segments in truth.items():
        reported, ends = standing(reports.get(name, ())), segments[:, 1, None] + times
        gone = np.ones_like(ends) if lengths is None else np.minimum(ends / lengths[name], 1.0)
        places = np.maximum(np.array(numbers)[:, None, None] * gone, 1.0)  # [N, G, delays]
        recalled.append(_recalled(reported, segments, ends, places, np.array(thresholds)))
    recall = 100 * np.concatenate(recalled, axis=1).mean(axis=1)  # [N, delays]
    return {number: dict(zip(delays, row, strict=True)) for number, row in zip(numbers, recall.tolist(), strict=True)}


def stream_lengths(
    reports: Mapping[str, Sequence[Reported]], truth: Mapping[str, Spans], durations: Mapping[str, float | None]
) -> dict[str, float]:
    """Video -> its length in seconds: the known duration, or the newest time that a report or the truth names."""
    newest = {
        name: max([float(segments.max(initial=0.0)), *(report.at for report in reports.get(name, ()))])
        for name, segments in truth.items()
    }
    return {name: durations.get(name) or seconds for name, seconds in newest.items()}


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


def _recalled(reported: Standing, segments: Spans, times: Floats, places: Floats, thresholds: Floats) -> Floats:
    """Share of the thresholds that each true segment is met at by the best of what stood -> [N, G, delays].

    times: source times [G, delays]. places: how many of the best count then, [N, G, delays]; fractions interpolate.
    """
    overlaps = tiou_matrix(reported.spans, segments).T[:, None]  # [G, 1, K]
    stood = np.stack([reported.at(row) for row in times]) if len(times) else np.empty((*times.shape, 0), dtype=bool)
    rank = np.where(stood, np.cumsum(stood, axis=2), np.inf)

    def share(most: Floats) -> Floats:
        best = np.where(rank <= most[..., None], overlaps, 0.0).max(axis=2, initial=0.0)
        met: Floats = (best[..., None] >= thresholds).mean(axis=2)
        return met

    return np.stack(
        [share(np.floor(each)) + each % 1 * (share(np.ceil(each)) - share(np.floor(each))) for each in places]
    )


def _require_overlap(reports: Mapping[str, Sequence[Reported]], truth: Mapping[str, Spans]) -> None:
    if not any(len(segments) for segments in truth.values()):
        raise SettingsError("no true segment; recall is not defined")
    if reports and not set(reports) & set(truth):
        raise SettingsError(
            f"events of {', '.join(sorted(reports)[:3])}, truth of {', '.join(sorted(truth)[:3])}: no video in common; "
            "check that both are of the same videos, under the same names"
        )
