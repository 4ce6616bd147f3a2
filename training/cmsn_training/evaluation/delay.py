"""Recall against delay: for a live system it matters not only what was proposed, but when.

For a true action that ends at e and an allowed delay d, what counts is what stood at source time e + d: of each action
the newest word (provisional or revised), its finals once they were said, nothing once it was withdrawn; of these the
best N by score.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cmsn_runtime.errors import AnnotationError
from cmsn_runtime.proposals import Event
from cmsn_runtime.sinks.base import video_id
from cmsn_training.evaluation.tiou import TIOU_THRESHOLDS, Spans, tiou_matrix

DELAYS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, float("inf"))


@dataclass(frozen=True, slots=True)
class Word:
    """One thing a stream said: of which action, what kind of event, at which source time, and the proposal.

    `order` is its place in the stream; start, end and score are meaningless for a withdrawal.
    """

    order: int
    action: int
    kind: str
    at: float
    start: float
    end: float
    score: float


def words_of(events: Sequence[Event]) -> list[Word]:
    """The events of one stream; resets say nothing of an action."""
    return [
        Word(
            order,
            event.action,
            event.kind,
            float(event.seconds),
            float(event.proposal.start),
            float(event.proposal.end),
            event.proposal.score,
        )
        for order, event in enumerate(events)
        if event.proposal is not None
    ]


def read_events(path: Path) -> dict[str, list[Word]]:
    """Video -> its words, from the JSON lines of `cmsn run --json`. Raises AnnotationError that names the line."""
    words: defaultdict[str, list[Word]] = defaultdict(list)
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            item = json.loads(line)
            name = video_id(item["source"])
            if item["start"] is not None:
                times = (float(item[key]) for key in ("at", "start", "end", "score"))
                words[name].append(Word(number, int(item["action"]), str(item["kind"]), *times))
        except (TypeError, KeyError, ValueError) as error:
            raise AnnotationError(f"{path}, line {number}: not an event of `cmsn run --json` ({error})") from error
    return dict(words)


def standing(words: Sequence[Word], until: float) -> Spans:
    """What stands at a source time -> spans [K, 2] in seconds, best first. Infinity: the finals, whenever said."""
    of_action: dict[int, list[Word]] = {}
    for word in words:
        if word.at > until:
            continue
        if word.kind == "withdrawn":
            of_action.pop(word.action, None)
        elif word.kind == "final" and of_action.get(word.action, [word])[-1].kind == "final":
            of_action.setdefault(word.action, []).append(word)
        else:
            of_action[word.action] = [word]
    kept = sorted((word for said in of_action.values() for word in said), key=lambda word: (-word.score, word.order))
    return np.array([(word.start, word.end) for word in kept], dtype=np.float64).reshape(-1, 2)


def recall_by_delay(
    words: Mapping[str, Sequence[Word]],
    truth: Mapping[str, Spans],
    *,
    number: int,
    delays: Sequence[float] = DELAYS,
    thresholds: Sequence[float] = TIOU_THRESHOLDS,
) -> dict[float, float]:
    """Allowed delay in seconds -> AR@number in percent; infinity: the finals of the whole stream."""
    limits = np.array(thresholds)
    reached: dict[float, list[float]] = {delay: [] for delay in delays}
    for name, segments in truth.items():
        said = words.get(name, ())
        for segment in segments:
            for delay in delays:
                spans = standing(said, segment[1] + delay)[:number]
                best = tiou_matrix(spans, segment[None]).max(initial=0.0)
                reached[delay].append(float((best >= limits).mean()))
    return {delay: 100 * float(np.mean(values)) for delay, values in reached.items()}


def first_hits(words: Mapping[str, Sequence[Word]], truth: Mapping[str, Spans], *, tiou: float = 0.5) -> list[float]:
    """Seconds from the end of each true action until it was first proposed at `tiou` or better; infinity: never.

    Negative where it was found while still going on.
    """
    delays: list[float] = []
    for name, segments in truth.items():
        said = [word for word in words.get(name, ()) if word.kind != "withdrawn"]
        spans = np.array([(word.start, word.end) for word in said]).reshape(-1, 2)
        hits = tiou_matrix(spans, segments) >= tiou
        times = np.array([word.at for word in said])
        for index, segment in enumerate(segments):
            found = times[hits[:, index]]
            delays.append(float(found.min() - segment[1]) if len(found) else float("inf"))
    return delays
