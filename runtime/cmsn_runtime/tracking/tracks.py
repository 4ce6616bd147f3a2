"""What is known of an action: its proposals, how a hop sees it, and what stood for it so far."""

from __future__ import annotations

from dataclasses import dataclass, replace

_MOST_STOOD = 64  # of one action: bounds its memory, and what may be added to its finals


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
class Stood:
    """A span that was the best of its action in so many looks, with its highest score."""

    span: Span
    looks: int


@dataclass(frozen=True, slots=True)
class Track:
    """An action that is followed: its newest sighting, the latest span that was reported of it, and what stood."""

    action: int
    sighting: Sighting
    reported: Span | None
    stood: tuple[Stood, ...] = ()

    def seen_as(self, sighting: Sighting) -> Track:
        """The same action as a further look sees it."""
        if sighting.cut:
            sighting = _with_remembered_start(sighting, self.sighting.spans[0])
        return replace(self, sighting=sighting, stood=_stood(self.stood, sighting.spans[0]))


def first_seen(action: int, sighting: Sighting) -> Track:
    """A new action."""
    return Track(action, sighting, None, _stood((), sighting.spans[0]))


def _stood(before: tuple[Stood, ...], best: Span) -> tuple[Stood, ...]:
    """What stood, after a further look; of very long actions only the strongest."""
    same = next((each for each in before if (each.span.start, each.span.end) == (best.start, best.end)), None)
    if same is not None:
        higher = max(same.span, best, key=lambda span: span.score)
        return tuple(Stood(higher, each.looks + 1) if each is same else each for each in before)
    kept = (*before, Stood(best, 1))
    if len(kept) <= _MOST_STOOD:
        return kept
    weakest = min(kept, key=lambda each: each.span.score * each.looks)
    return tuple(each for each in kept if each is not weakest)


def _with_remembered_start(sighting: Sighting, before: Span) -> Sighting:
    """An action longer than the window: keep the start and the score from when the window still held its start."""
    if sighting.spans and before.start >= sighting.spans[0].start:
        return sighting
    end = sighting.spans[0].end if sighting.spans else sighting.active_end
    return replace(sighting, spans=(Span(before.start, max(end, before.end), before.score),))
