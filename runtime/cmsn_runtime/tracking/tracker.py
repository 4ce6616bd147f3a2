"""Follows each action from hop to hop: first report, revisions, final report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cmsn_runtime.checking import require
from cmsn_runtime.tracking.tracks import Sighting, Span, Stood, Track, first_seen

ReportKind = Literal["provisional", "revised", "withdrawn", "final"]


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """The policy of finality: when an action is first reported, when again, and when for good.

    settle_steps: steps that must have been seen after the end of an action (the last Start, Confirm or End)
        before its proposals are final.
    provisional_score: an action is first reported when its best proposal reaches this score, 0..1,
    provisional_steps: and when this many steps have been seen since the start of that proposal; a final comes no later
        for either: it is preceded by a provisional at once.
    revise_steps: a revision is reported when either boundary moved by at least this many steps.
    alternative_looks: what earlier looks (hops) took for the best proposal of an action is an alternative in its
        finals, with its full score where it was the best in this many looks, with less in proportion otherwise; 0 for
        none of these. See `tracking.alternatives`.
    """

    settle_steps: int = 8
    provisional_score: float = 0.1
    provisional_steps: int = 1
    revise_steps: int = 1
    alternative_looks: int = 0

    def __post_init__(self) -> None:
        require(self.settle_steps >= 1, "settle_steps", self.settle_steps, "at least 1")
        require(0 <= self.provisional_score <= 1, "provisional_score", self.provisional_score, "from 0 to 1")
        require(self.provisional_steps >= 1, "provisional_steps", self.provisional_steps, "at least 1")
        require(self.revise_steps >= 1, "revise_steps", self.revise_steps, "at least 1")
        require(self.alternative_looks >= 0, "alternative_looks", self.alternative_looks, "at least 0")


@dataclass(frozen=True, slots=True)
class Report:
    """A report of the tracker: kind as in `Event`, the action's number, the rank of the span within it."""

    kind: ReportKind
    action: int
    rank: int
    span: Span


@dataclass(frozen=True, slots=True)
class TrackerMemory:
    """What a tracker knows between two hops; one that is given it reports the same, of rank 1, on the same sightings.

    frontier, next_action: as in Tracker. tracks: of each only the best span of its sighting, all that this needs.
    """

    frontier: int
    next_action: int
    tracks: tuple[Track, ...]


Finish = Callable[[tuple[Span, ...], tuple[Stood, ...]], tuple[Span, ...]]


class Tracker:
    """Turns the sightings of each hop into reports; one per segment of a stream.

    Of each action it reports one provisional, then revisions, then either one withdrawal or, all at once, its finals of
    rank 1, 2 ...; nothing after that.
    `frontier` is the step up to which everything has been reported: what lies before it is final and not evaluated
    again.
    finish: from the spans of the last sighting of an action and from what stood before to its finals, of which the
    first must be the first of these spans.
    """

    def __init__(
        self,
        settings: TrackerSettings,
        *,
        first_action: int = 1,
        memory: TrackerMemory | None = None,
        finish: Finish = lambda spans, stood: spans,
    ) -> None:
        memory = memory or TrackerMemory(0, first_action, ())
        self.frontier = memory.frontier
        self.next_action = memory.next_action
        self._settings = settings
        self._finish = finish
        self._tracks = memory.tracks

    @property
    def memory(self) -> TrackerMemory:
        """What it knows now."""
        tracks = (
            replace(each, sighting=replace(each.sighting, spans=each.sighting.spans[:1]), stood=())
            for each in self._tracks
        )
        return TrackerMemory(self.frontier, self.next_action, tuple(tracks))

    def update(self, sightings: Sequence[Sighting], *, seen: int, ending: bool = False) -> list[Report]:
        """One hop: the visible actions after `seen` steps. `ending`: the segment has ended, so all of it is final."""
        reports: list[Report] = []
        tracks: list[Track] = []
        matches = _match(self._tracks, sightings)
        for number, sighting in enumerate(sightings):
            if not sighting.spans and number not in matches:
                continue
            track = self._continued(matches.get(number), sighting)
            if ending or sighting.active_end + self._settings.settle_steps <= seen:
                reports += self._finals(track)
                self.frontier = max(self.frontier, sighting.active_end, track.sighting.spans[0].end)
            else:
                report = self._news(track, seen)
                reports += [report] if report else []
                tracks.append(replace(track, reported=report.span) if report else track)
        lost = [track for track in self._tracks if track not in matches.values()]
        reports += [Report("withdrawn", track.action, 1, track.reported) for track in lost if track.reported]
        self._tracks = tuple(tracks)
        return reports

    def settle(self) -> list[Report]:
        """No further hop is possible: the actions under way become final as they were last seen."""
        reports = [report for track in self._tracks for report in self._finals(track)]
        self._tracks = ()
        return reports

    def _continued(self, track: Track | None, sighting: Sighting) -> Track:
        if track is not None:
            return track.seen_as(sighting)
        self.next_action += 1
        return first_seen(self.next_action - 1, sighting)

    def _news(self, track: Track, seen: int) -> Report | None:
        best, settings = track.sighting.spans[0], self._settings
        if track.reported is None:
            due = best.score >= settings.provisional_score and best.start + settings.provisional_steps <= seen
            return _provisional(track) if due else None
        moved = max(abs(best.start - track.reported.start), abs(best.end - track.reported.end))
        return Report("revised", track.action, 1, best) if moved >= settings.revise_steps else None

    def _finals(self, track: Track) -> list[Report]:
        """The last reports of an action, preceded by its provisional where none was reported yet."""
        spans = self._finish(track.sighting.spans, track.stood)
        finals = [Report("final", track.action, rank, span) for rank, span in enumerate(spans, start=1)]
        return finals if track.reported else [_provisional(track), *finals]


def _provisional(track: Track) -> Report:
    return Report("provisional", track.action, 1, track.sighting.spans[0])


def _match(tracks: Sequence[Track], sightings: Sequence[Sighting]) -> dict[int, Track]:
    """The track that each sighting continues, by the longest overlap; each at most once."""
    overlaps = sorted(
        (
            (
                min(track.sighting.last, sighting.last) - max(track.sighting.first, sighting.first),
                -number,
                -order,
            )
            for order, track in enumerate(tracks)
            for number, sighting in enumerate(sightings)
        ),
        reverse=True,
    )
    matches: dict[int, Track] = {}
    taken: set[int] = set()
    for overlap, number, order in overlaps:
        if overlap > 0 and -number not in matches and -order not in taken:
            matches[-number] = tracks[-order]
            taken.add(-order)
    return matches
