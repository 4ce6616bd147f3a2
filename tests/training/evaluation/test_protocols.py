"""AR@AN: small cases worked by hand, and properties."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmsn_runtime.errors import SettingsError
from cmsn_training.evaluation import ACTIVITYNET, THUMOS, Protocol, Spans, recall_curve, tiou_matrix

HALF = Protocol("half", (0.5,), points=4)


def spans(*rows: tuple[float, float]) -> Spans:
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def test_recall_of_each_protocol_by_hand() -> None:
    truth = {"a": spans((0, 10), (20, 30)), "b": spans((5, 6))}
    proposals = {"a": spans((50, 60), (0, 9), (70, 80), (20, 31)), "b": spans()}
    curve = recall_curve(proposals, truth, HALF)
    assert curve.numbers.tolist() == [0.5, 1.0, 1.5, 2.0]
    assert curve.recall[0].tolist() == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3])
    assert curve.average_recall_at(1.75) == pytest.approx(50)
    assert curve.average_recall_at(0.5) == 0
    assert curve.average_recall_at(2) == pytest.approx(200 / 3)
    assert curve.recall_at(1.75).tolist() == pytest.approx([50])
    assert curve.area == pytest.approx(100 * (0.25 * 1 / 3 + 0.5 / 3 + 0.25) / 2 * 1.0)


def test_no_recall_is_given_outside_the_measured_curve() -> None:
    """Neither past the end of the lists nor below a curve's first point, where public evaluators guess."""
    curve = recall_curve({"a": spans((0, 9), (0, 10))}, {"a": spans((0, 10))}, HALF)
    assert curve.numbers.tolist() == [0.5, 1.0, 1.5, 2.0]
    for number in (0.4, 2.1):
        assert math.isnan(curve.average_recall_at(number))
        assert np.isnan(curve.recall_at(number)).all()


def test_tiou_of_inclusive_frames_by_hand() -> None:
    assert tiou_matrix(spans((0, 9)), spans((5, 14)))[0, 0] == pytest.approx(4 / 14)
    assert tiou_matrix(spans((0, 9)), spans((5, 14)), extra=1.0)[0, 0] == pytest.approx(5 / 15)
    assert tiou_matrix(spans((3, 3)), spans((3, 3)))[0, 0] == 0


def slowly(proposals: dict[str, Spans], truth: dict[str, Spans], protocol: Protocol) -> list[float]:
    """AR at each point, straight from the definition."""
    names = list(truth)
    averages = []
    for point in range(1, protocol.points + 1):
        recalls = []
        for limit in protocol.thresholds:
            met = 0
            for name in names:
                rows = proposals.get(name, spans())
                taken = rows[: int(len(rows) * (point / protocol.points))]
                for segment in truth[name]:
                    overlaps = tiou_matrix(taken, segment[None])[:, 0]
                    met += bool((overlaps >= limit).any())
            recalls.append(met / sum(len(truth[name]) for name in names))
        averages.append(float(np.mean(recalls)))
    return averages


ROWS = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 10)).map(lambda p: (p[0], p[0] + p[1])), max_size=6)


@given(st.lists(ROWS, min_size=3, max_size=3), st.lists(ROWS, min_size=3, max_size=3))
@settings(max_examples=60)
def test_the_vectorised_recall_equals_its_plain_definition(
    found: list[list[tuple[int, int]]], true: list[list[tuple[int, int]]]
) -> None:
    proposals = {str(k): spans(*rows) for k, rows in enumerate(found)}
    truth = {str(k): spans(*rows) for k, rows in enumerate(true) if rows}
    protocol = Protocol("test", (0.3, 0.5, 0.75, 1.0), points=7)
    if not truth or not any(len(proposals[name]) for name in truth):
        with pytest.raises(SettingsError):
            recall_curve(proposals, truth, protocol)
        return
    assert recall_curve(proposals, truth, protocol).average.tolist() == pytest.approx(
        slowly(proposals, truth, protocol)
    )


def test_a_video_with_only_ambiguous_segments_counts_where_the_field_counts_it() -> None:
    truth = {"a": spans((0, 10)), "b": spans()}
    proposals = {"a": spans((0, 10), (0, 5)), "b": spans((1, 2), (3, 4))}
    assert recall_curve(proposals, truth, THUMOS).numbers[-1] == 2
    assert recall_curve({"a": proposals["a"]}, truth, THUMOS).numbers[-1] == 1
    assert recall_curve({"a": proposals["a"]}, truth, ACTIVITYNET).average_recall_at(100) == pytest.approx(100)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"thresholds": ()}, "at least one"),
        ({"thresholds": (0.0, 0.5)}, "above 0"),
        ({"thresholds": (0.5, 1.5)}, "at most 1"),
        ({"points": 0}, "0 points"),
        ({"max_average": 0.5}, "1 or more"),
        ({"max_average": math.nan}, "1 or more"),
    ],
)
def test_a_protocol_that_makes_no_sense_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Protocol(**({"name": "test", "thresholds": (0.5,)} | wrong))


def test_the_order_of_thresholds_does_not_matter() -> None:
    proposals, truth = {"a": spans((0, 8), (0, 10))}, {"a": spans((0, 10), (30, 40))}
    rising = recall_curve(proposals, truth, Protocol("test", (0.5, 0.7, 0.9), points=2))
    falling = recall_curve(proposals, truth, Protocol("test", (0.9, 0.5, 0.7), points=2))
    assert falling.recall.tolist() == rising.recall[[2, 0, 1]].tolist()
    assert rising.recall.tolist() == [[0.5, 0.5], [0.5, 0.5], [0, 0.5]]
