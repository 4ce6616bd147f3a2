"""Events of two processors: what must be equal, and what may differ a little."""

from __future__ import annotations

from typing import Any

import pytest

from cmsn_benchmarks.aarch64.events import EventsCompared, compared


def event(**changed: Any) -> dict[str, Any]:
    return {"kind": "final", "action": 1, "rank": 1, "start": 0.5, "end": 1.5, "score": 0.5, "seq": 1, **changed}


def compare(here: list[dict[str, Any]], there: list[dict[str, Any]]) -> EventsCompared:
    return compared(here, there, clip="a.mp4", bundle="demo", backend="onnxruntime")


def test_scores_may_differ_by_a_thousandth_and_the_largest_difference_is_reported() -> None:
    found = compare([event(), event(seq=2)], [event(score=0.5002), event(seq=2, score=0.4991)])
    assert found.holds and found.same
    assert found.score_apart == pytest.approx(0.0009)
    assert "2 events, scores at most 9.0e-04 apart" in found.line()
    assert not compare([event()], [event(score=0.502)]).holds


def test_the_time_of_day_and_what_is_named_after_it_do_not_count() -> None:
    assert compare([event(wall=1.0, id="a")], [event(wall=2.0, id="b")]).holds


@pytest.mark.parametrize("there", [[], [event(end=1.54)], [event(kind="provisional")], [event(), event(seq=2)]])
def test_another_span_or_kind_or_number_of_events_is_not_the_same(there: list[dict[str, Any]]) -> None:
    found = compare([event()], there)
    assert not found.holds and found.score_apart is None
    assert "NOT THE SAME" in found.line()


def test_a_clip_without_events_shows_nothing() -> None:
    assert not compare([], []).holds
