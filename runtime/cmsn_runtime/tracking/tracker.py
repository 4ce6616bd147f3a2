"""Follows each action from hop to hop: first report, revisions, final report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cmsn_runtime.checking import require

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
    """

    settle_steps: int = 8
    provisional_score: float = 0.1
    provisional_steps: int = 1
    revise_steps: int = 1

    def __post_init__(self) -> None:
        require(self.settle_steps >= 1, "settle_steps", self.settle_steps, "at least 1")
        require(0 <= self.provisional_score <= 1, "provisional_score", self.provisional_score, "from 0 to 1")
        require(self.provisional_steps >= 1, "provisional_steps", self.provisional_steps, "at least 1")
        require(self.revise_steps >= 1, "revise_steps", self.revise_steps, "at least 1")


@dataclass(frozen=True, slots=True)
class Span:
    """A proposal in steps of its segment: [start, end), with its score."""

    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Sighting:
    """One action as the current hop sees it.

    first, last: its stretch of non-background, in steps, [first, last). active_end: the step after its last Start,
    Confirm or End. spans: its proposals, best first. cut: the stretch begins where the window does, so the true
    start may be lost, and with it all spans; otherwise there is at least one.
    """

    first: int
    last: int
    active_end: int
    spans: tuple[Span, ...]
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """A report of the tracker: kind as in `Event`, the action's number, the rank of the span within it."""

    kind: ReportKind
    action: int
    rank: int
    span: Span


@dataclass(frozen=True, slots=True)
class Track:
    """An action that is followed: its newest sighting, and the latest span that was reported of it."""

    action: int
    sighting: Sighting
    reported: Span | None


@dataclass(frozen=True, slots=True)
class TrackerMemory:
    """What a tracker knows between two hops; one that is given it gives the same reports of the same sightings.

    frontier, next_action: as in Tracker. tracks: of each sighting only the best span, the only one that matters later.
    """

    frontier: int
    next_action: int
    tracks: tuple[Track, ...]


class Tracker:
    """Turns the sightings of each hop into reports; one per segment of a stream.

    Of each action it reports one provisional, then revisions, then either one withdrawal or, all at once, its finals of
    rank 1, 2 ...; nothing after that.
    `frontier` is the step up to which everything has been reported: what lies before it is final and not evaluated
    again.
    """

    def __init__(
        self, settings: TrackerSettings, *, first_action: int = 1, memory: TrackerMemory | None = None
    ) -> None:
        memory = memory or TrackerMemory(0, first_action, ())
        self.frontier = memory.frontier
        self.next_action = memory.next_action
        self._settings = settings
        self._tracks = memory.tracks

    @property
    def memory(self) -> TrackerMemory:
        """What it knows now."""
        tracks = (
            replace(each, sighting=replace(each.sighting, spans=each.sighting.spans[:1])) for each in self._tracks
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
                reports += _finals(track)
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
        reports = [report for track in self._tracks for report in _finals(track)]
        self._tracks = ()
        return reports

    def _continued(self, track: Track | None, sighting: Sighting) -> Track:
        if track is None:
            self.next_action += 1
            return Track(self.next_action - 1, sighting, None)
        if sighting.cut:
            sighting = _with_remembered_start(sighting, track.sighting.spans[0])
        return replace(track, sighting=sighting)

    def _news(self, track: Track, seen: int) -> Report | None:
        best, settings = track.sighting.spans[0], self._settings
        if track.reported is None:
            due = best.score >= settings.provisional_score and best.start + settings.provisional_steps <= seen
            return _provisional(track) if due else None
        moved = max(abs(best.start - track.reported.start), abs(best.end - track.reported.end))
        return Report("revised", track.action, 1, best) if moved >= settings.revise_steps else None


def _provisional(track: Track) -> Report:
    return Report("provisional", track.action, 1, track.sighting.spans[0])


def _finals(track: Track) -> list[Report]:
    """The last reports of an action, preceded by its provisional where none was reported yet."""
    finals = [Report("final", track.action, rank, span) for rank, span in enumerate(track.sighting.spans, start=1)]
    return finals if track.reported else [_provisional(track), *finals]


def _with_remembered_start(sighting: Sighting, before: Span) -> Sighting:
    """An action longer than the window: keep the start and the score from when the window still held its start."""
    if sighting.spans and before.start >= sighting.spans[0].start:
        return sighting
    end = sighting.spans[0].end if sighting.spans else sighting.active_end
    return replace(sighting, spans=(Span(before.start, max(end, before.end), before.score),))


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
