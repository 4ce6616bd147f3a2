"""What earlier looks took for the best proposal is an alternative in the finals, and takes no place from the best."""

from __future__ import annotations

import math
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.tracking.alternatives import with_alternatives
from cmsn_runtime.tracking.tracker import Tracker, TrackerSettings
from cmsn_runtime.tracking.tracks import Sighting, Span, Stood

LAST = (Span(0, 20, 0.8), Span(0, 18, 0.1))
PLAIN = ProposalSettings(nms="none")


def test_what_stood_long_enough_keeps_its_score_and_less_counts_in_proportion() -> None:
    stood = [Stood(Span(0, 8, 0.6), 4), Stood(Span(0, 9, 0.6), 2), Stood(Span(0, 10, 0.6), 1)]
    found = with_alternatives(LAST, stood, full_looks=4, settings=PLAIN)
    assert found == (LAST[0], Span(0, 8, 0.6), Span(0, 9, 0.3), Span(0, 10, 0.15), LAST[1])


def test_the_overlap_with_the_best_and_among_them_lowers_their_scores() -> None:
    stood = [Stood(Span(0, 10, 0.6), 9), Stood(Span(0, 5, 0.5), 9)]
    best, first, second, rest = with_alternatives(LAST, stood, full_looks=1, settings=ProposalSettings(sigma=0.5))
    assert (best, rest) == (LAST[0], LAST[1])
    assert (second.start, second.end) == (0, 10)
    assert first.score == pytest.approx(0.5 * math.exp(-(0.25**2) / 0.5))
    assert second.score == pytest.approx(0.6 * math.exp(-(0.5**2) / 0.5 - 0.5**2 / 0.5))


def test_the_best_of_the_last_look_stays_first_even_where_an_earlier_score_was_higher() -> None:
    found = with_alternatives(LAST, [Stood(Span(0, 8, 0.99), 4)], full_looks=4, settings=PLAIN)
    assert found == (LAST[0], Span(0, 8, 0.8), LAST[1])


def test_limits_of_the_settings_hold_for_alternatives_too() -> None:
    stood = [Stood(Span(0, end, 0.4), 4) for end in range(1, 10)]
    settings = ProposalSettings(nms="none", min_score=0.3, max_proposals=5)
    found = with_alternatives(LAST, [*stood, Stood(Span(0, 12, 0.25), 9)], full_looks=4, settings=settings)
    assert len(found) == 5
    assert all(span.score >= 0.3 for span in found)


def test_spans_of_the_last_look_are_not_doubled_and_zero_looks_adds_none() -> None:
    stood = [Stood(Span(0, 20, 0.9), 4), Stood(Span(0, 18, 0.9), 4)]
    assert with_alternatives(LAST, stood, full_looks=4, settings=PLAIN) == LAST
    assert with_alternatives(LAST, [Stood(Span(0, 8, 0.6), 4)], full_looks=0, settings=PLAIN) == LAST


def test_an_action_that_went_on_too_long_keeps_where_it_had_paused() -> None:
    tracker = Tracker(
        TrackerSettings(alternative_looks=3), finish=partial(with_alternatives, full_looks=3, settings=PLAIN)
    )
    ends = [5, 6, 7, 7, 7, 8, 9, 10]
    for seen, end in enumerate(ends, start=5):
        tracker.update([Sighting(0, end, end, (Span(0, end, 0.5),))], seen=seen)
    finals = [report.span for report in tracker.settle()]
    assert finals[:2] == [Span(0, 10, 0.5), Span(0, 7, 0.5)]
    assert {span.end for span in finals} == set(ends)
    assert {round(span.score, 3) for span in finals[2:]} == {0.167}


def test_the_memory_of_an_endless_action_is_bounded() -> None:
    tracker = Tracker(TrackerSettings(), finish=partial(with_alternatives, full_looks=1, settings=PLAIN))
    for end in range(1, 500):
        tracker.update([Sighting(0, end, end, (Span(0, end, 0.5),))], seen=end)
    assert len(tracker.settle()) == 64


spans = st.builds(
    lambda start, length, score: Span(start, start + length, score),
    st.integers(0, 30),
    st.integers(1, 30),
    st.floats(0, 1),
)


@given(
    st.lists(spans, min_size=1, max_size=8, unique_by=lambda span: (span.start, span.end)),
    st.lists(st.builds(Stood, spans, st.integers(1, 9)), max_size=8, unique_by=lambda each: each.span.end),
    st.integers(0, 9),
    st.sampled_from(["gaussian", "linear", "greedy", "none"]),
)
def test_scores_never_increase_and_the_last_look_is_all_there(
    last: list[Span], stood: list[Stood], looks: int, nms: str
) -> None:
    last.sort(key=lambda span: -span.score)
    settings = ProposalSettings(nms=nms)  # type: ignore[arg-type]
    found = with_alternatives(tuple(last), stood, full_looks=looks, settings=settings)
    scores = [span.score for span in found]
    assert scores == sorted(scores, reverse=True)
    assert found[0] == last[0]
    assert set(last) <= set(found)
    assert len({(span.start, span.end) for span in found}) == len(found)
