"""Recall against delay: for a live system it matters not only what was proposed, but when.

For a true action that ends at e and an allowed delay d, what counts is what stood at source time e + d: of each action
the newest word (provisional or revised), its finals once they were said, nothing once it was withdrawn; of these the
best N by score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cmsn_runtime.errors import SettingsError
from cmsn_training.evaluation.events import Word
from cmsn_training.evaluation.tiou import TIOU_THRESHOLDS, Spans, tiou_matrix

DELAYS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, float("inf"))
_TICK = 1e-6  # the times in a file of events are rounded to it

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Every proposal of one video, best score first, with the source times between which it stood, in seconds.

    spans: [K, 2]. since, until: [K]; it stood at `since`, and no longer at `until`. A final stands for ever.
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


def standing(words: Sequence[Word]) -> Standing:
    """From what was said of one video, in that order."""
    until = np.full(len(words), np.inf)
    newest: dict[int, int] = {}
    for place, word in enumerate(words):
        before = newest.get(word.action)
        if before is not None and words[before].kind != "final":
            until[before] = word.at
        newest[word.action] = place
    kept = [place for place, word in enumerate(words) if word.kind != "withdrawn"]
    kept.sort(key=lambda place: -words[place].score)
    return Standing(
        np.array([(words[place].start, words[place].end) for place in kept], dtype=np.float64).reshape(-1, 2),
        np.array([words[place].at for place in kept], dtype=np.float64),
        until[kept],
        np.array([words[place].kind == "final" for place in kept], dtype=bool),
    )


def recall_by_delay(
    words: Mapping[str, Sequence[Word]],
    truth: Mapping[str, Spans],
    *,
    numbers: Sequence[int],
    delays: Sequence[float] = DELAYS,
    thresholds: Sequence[float] = TIOU_THRESHOLDS,
) -> dict[int, dict[float, float]]:
    """N -> allowed delay in seconds -> AR@N in percent; infinity: the finals of the whole stream.

    words: video -> what was said. truth: video -> [G, 2] seconds. A video of which nothing was said counts as missed.
    Raises SettingsError where there is no true segment, or nothing was said of any video of the truth.
    """
    _require_overlap(words, truth)
    best = np.concatenate([_best(standing(words.get(name, ())), rows, numbers, delays) for name, rows in truth.items()])
    recall = 100 * (best[..., None] >= np.array(thresholds)).mean(axis=(0, 3))  # [N, delays]
    return {number: dict(zip(delays, row, strict=True)) for number, row in zip(numbers, recall.tolist(), strict=True)}


def first_hits(words: Mapping[str, Sequence[Word]], truth: Mapping[str, Spans], *, tiou: float = 0.5) -> list[float]:
    """Seconds from the end of each true action until it was first proposed at `tiou` or better; infinity: never.

    Negative where it was found while still going on. Raises SettingsError as `recall_by_delay`.
    """
    _require_overlap(words, truth)
    delays: list[float] = []
    for name, segments in truth.items():
        said = standing(words.get(name, ()))
        hits = tiou_matrix(said.spans, segments) >= tiou  # [K, G]
        times = np.where(hits, said.since[:, None], np.inf).min(axis=0, initial=np.inf)
        delays += (times - segments[:, 1]).tolist()
    return delays


def _best(said: Standing, segments: Spans, numbers: Sequence[int], delays: Sequence[float]) -> Floats:
    """The best tIoU with each true segment among the first N that stood -> [G, N, delays]."""
    overlaps = tiou_matrix(said.spans, segments)  # [K, G]
    found = np.zeros((len(segments), len(numbers), len(delays)))
    for index, delay in enumerate(delays):
        stood = said.at(segments[:, 1] + delay)  # [G, K]
        rank = np.cumsum(stood, axis=1)
        for place, number in enumerate(numbers):
            counted = np.where(stood & (rank <= number), overlaps.T, 0.0)
            found[:, place, index] = counted.max(axis=1, initial=0.0)
    return found


def _require_overlap(words: Mapping[str, Sequence[Word]], truth: Mapping[str, Spans]) -> None:
    if not any(len(segments) for segments in truth.values()):
        raise SettingsError("no true segment; recall is not defined")
    if words and not set(words) & set(truth):
        raise SettingsError(
            f"events of {', '.join(sorted(words)[:3])}, truth of {', '.join(sorted(truth)[:3])}: no video in common; "
            "check that both are of the same videos, and name them alike"
        )
