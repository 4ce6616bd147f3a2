"""What a receiver may rely on, whatever is sighted: announced first, ended once, never changed after."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st
from promises import require_promises

from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.tracking.alternatives import with_alternatives
from cmsn_runtime.tracking.tracker import Report, Tracker, TrackerSettings
from cmsn_runtime.tracking.tracks import Sighting, Span

_WINDOW = 24  # steps

policies = st.builds(
    TrackerSettings,
    settle_steps=st.integers(1, 12),
    provisional_score=st.sampled_from([0.0, 0.3, 0.7, 1.0]),
    provisional_steps=st.integers(1, 30),
    revise_steps=st.integers(1, 3),
    alternative_looks=st.integers(0, 4),
)


@st.composite
def hops(draw: st.DrawFn) -> list[tuple[int, list[Sighting]]]:
    """What each hop sees of a window of steps: (steps seen, disjoint sightings in order); hops of different lengths."""
    seen, found = 0, []
    for _ in range(draw(st.integers(1, 25))):
        seen += draw(st.integers(1, 6))
        begin = max(0, seen - _WINDOW)
        cuts = sorted(draw(st.sets(st.integers(begin, seen), max_size=6)))
        stretches = zip(cuts[::2], cuts[1::2], strict=False)
        found.append((seen, [draw(sightings(first, last, begin)) for first, last in stretches]))
    return found


@st.composite
def sightings(draw: st.DrawFn, first: int, last: int, begin: int) -> Sighting:
    """One action in [first, last) of a window from `begin` on."""
    cut = first == begin > 0
    spans = []
    for _ in range(draw(st.integers(0 if cut else 1, 3))):
        start = draw(st.integers(first, last - 1))
        spans.append(Span(start, draw(st.integers(start + 1, last)), draw(st.floats(0, 1))))
    spans.sort(key=lambda span: -span.score)
    return Sighting(first, last, draw(st.integers(first + 1, last)), tuple(spans), cut=cut)


def reported(tracker: Tracker, found: Sequence[tuple[int, list[Sighting]]], *, ending: bool) -> list[list[Report]]:
    """The reports of each hop; of the last one and the end, or of settling, last."""
    reports, frontier = [], 0
    for seen, visible in found:
        reports.append(tracker.update(visible, seen=seen))
        assert tracker.frontier >= frontier
        frontier = tracker.frontier
    seen, visible = found[-1]
    reports.append(tracker.update(visible, seen=seen, ending=True) if ending else tracker.settle())
    return reports


def tracker_of(policy: TrackerSettings) -> Tracker:
    """As a segment has one."""
    finish = partial(with_alternatives, full_looks=policy.alternative_looks, settings=ProposalSettings())
    return Tracker(policy, finish=finish)


@given(policies, hops(), st.booleans())
@settings(max_examples=300)
def test_every_action_is_announced_then_ended_once(
    policy: TrackerSettings, found: list[tuple[int, list[Sighting]]], ending: bool
) -> None:
    tracker = tracker_of(policy)
    reports = reported(tracker, found, ending=ending)
    require_promises((one.action, one.kind, one.rank, hop) for hop, mine in enumerate(reports) for one in mine)
    assert tracker.settle() == []


@given(policies, hops())
@settings(max_examples=100)
def test_the_finals_do_not_depend_on_when_actions_are_announced(
    policy: TrackerSettings, found: list[tuple[int, list[Sighting]]]
) -> None:
    default = TrackerSettings(settle_steps=policy.settle_steps, alternative_looks=policy.alternative_looks)
    ends = [
        [[one for one in hop if one.kind == "final"] for hop in reported(tracker_of(each), found, ending=True)]
        for each in (policy, default)
    ]
    assert ends[0] == ends[1]
