"""What is said of an action from hop to hop."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.tracking.tracker import Tracker, TrackerSettings
from cmsn_runtime.tracking.tracks import Sighting, Span

SETTINGS = TrackerSettings(settle_steps=4, provisional_score=0.3)


def sighting(start: int, end: int, *, score: float = 0.8, last: int | None = None, cut: bool = False) -> Sighting:
    return Sighting(start, last or end, end, (Span(start, end, score), Span(start, end + 1, score / 2)), cut)


def said(tracker: Tracker, *sightings: Sighting, seen: int, ending: bool = False) -> list[tuple[str, int, int, int]]:
    reports = tracker.update(sightings, seen=seen, ending=ending)
    return [(report.kind, report.action, report.rank, report.span.end) for report in reports]


def test_an_action_is_reported_as_provisional_then_revised_then_final() -> None:
    tracker = Tracker(SETTINGS)
    assert said(tracker, sighting(10, 14), seen=14) == [("provisional", 1, 1, 14)]
    assert said(tracker, sighting(10, 14), seen=15) == []
    assert said(tracker, sighting(10, 17), seen=17) == [("revised", 1, 1, 17)]
    assert said(tracker, sighting(10, 17, last=20), seen=20) == []
    assert said(tracker, sighting(10, 17, last=21), seen=21) == [("final", 1, 1, 17), ("final", 1, 2, 18)]
    assert tracker.frontier == 17


def test_weak_proposals_are_announced_together_with_their_finals() -> None:
    tracker = Tracker(SETTINGS)
    assert said(tracker, sighting(0, 4, score=0.1), seen=4) == []
    assert said(tracker, sighting(0, 4, score=0.1), seen=8) == [
        ("provisional", 1, 1, 4),
        ("final", 1, 1, 4),
        ("final", 1, 2, 5),
    ]


def test_an_action_is_announced_once_enough_of_it_was_seen() -> None:
    tracker = Tracker(replace(SETTINGS, provisional_steps=5))
    assert said(tracker, sighting(10, 14), seen=14) == []
    assert said(tracker, sighting(10, 15), seen=15) == [("provisional", 1, 1, 15)]


def test_an_action_that_is_over_before_it_was_due_is_announced_with_its_finals() -> None:
    tracker = Tracker(replace(SETTINGS, provisional_steps=50))
    assert said(tracker, sighting(10, 14), seen=17) == []
    assert [kind for kind, *_ in said(tracker, sighting(10, 14), seen=18)] == ["provisional", "final", "final"]


def test_an_action_that_vanishes_is_withdrawn_only_if_it_was_reported() -> None:
    tracker = Tracker(SETTINGS)
    said(tracker, sighting(5, 8), sighting(10, 11, score=0.1), seen=11)
    assert said(tracker, seen=11) == [("withdrawn", 1, 1, 8)]


def test_two_actions_keep_their_numbers() -> None:
    tracker = Tracker(SETTINGS)
    said(tracker, sighting(10, 14), seen=14)
    told = said(tracker, sighting(10, 15), sighting(16, 17), seen=17)
    assert told == [("revised", 1, 1, 15), ("provisional", 2, 1, 17)]


def test_the_end_of_the_stream_settles_everything() -> None:
    tracker = Tracker(SETTINGS)
    assert said(tracker, sighting(10, 14), seen=14, ending=True) == [
        ("provisional", 1, 1, 14),
        ("final", 1, 1, 14),
        ("final", 1, 2, 15),
    ]


def test_settling_ends_every_action_under_way_and_announces_what_was_not_yet() -> None:
    tracker = Tracker(SETTINGS)
    said(tracker, sighting(5, 8), sighting(10, 11, score=0.1), seen=11)
    assert [(report.kind, report.action, report.rank) for report in tracker.settle()] == [
        ("final", 1, 1),
        ("final", 1, 2),
        ("provisional", 2, 1),
        ("final", 2, 1),
        ("final", 2, 2),
    ]
    assert tracker.settle() == []


def test_an_action_longer_than_the_window_keeps_its_start() -> None:
    tracker = Tracker(SETTINGS)
    said(tracker, sighting(10, 90, score=0.9), seen=90)
    reports = tracker.update([sighting(30, 120, score=0.2, cut=True)], seen=120)
    assert [report.span for report in reports] == [Span(10, 120, 0.9)]


def test_an_action_whose_candidates_all_left_the_window_goes_on() -> None:
    """Only its Confirm and End are in sight: nothing there may start a proposal."""
    tracker = Tracker(SETTINGS)
    said(tracker, sighting(10, 90, score=0.9), seen=90)
    rest = Sighting(40, 130, 130, (), cut=True)
    assert said(tracker, rest, seen=131) == [("revised", 1, 1, 130)]
    assert said(tracker, rest, seen=134) == [("final", 1, 1, 130)]


def test_an_unreported_action_cut_by_the_window_is_not_reported() -> None:
    assert said(Tracker(SETTINGS), Sighting(40, 130, 130, (), cut=True), seen=134) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"settle_steps": 0},
        {"revise_steps": 0},
        {"provisional_steps": 0},
        {"alternative_looks": -1},
        {"provisional_score": 1.5},
    ],
)
def test_tracker_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        TrackerSettings(**wrong)  # type: ignore[arg-type]
