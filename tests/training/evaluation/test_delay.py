"""Recall against delay: a stream worked by hand, and a replay report by report as the definition has it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmsn_runtime.errors import AnnotationError, SettingsError
from cmsn_runtime.events import Event, Notice, Proposal, StreamEvent
from cmsn_runtime.sinks.jsonl import JsonLinesSink
from cmsn_training.evaluation import Spans, tiou_matrix
from cmsn_training.evaluation.delay import first_hits, recall_by_delay, standing, stream_lengths
from cmsn_training.evaluation.events import Reported, read_events, reports_of

REPORTS = [
    Reported(1, "provisional", 4.0, 1, 3, 0.4),
    Reported(1, "revised", 6.0, 1, 5, 0.6),
    Reported(2, "provisional", 6.5, 6, 6.4, 0.9),
    Reported(2, "withdrawn", 7.0, 6, 6.4, 0.9),
    Reported(1, "final", 9.0, 1, 6, 0.8),
    Reported(1, "final", 9.0, 2, 6, 0.3),
    Reported(3, "provisional", 9.5, 7, 9, 0.7),
]


def spans(*rows: tuple[float, float]) -> Spans:
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def at(reports: list[Reported], time: float) -> list[list[float]]:
    reported = standing(reports)
    rows: list[list[float]] = reported.spans[reported.at(np.array([time]))[0]].tolist()
    return rows


def test_proposals_standing_at_a_time_by_hand() -> None:
    assert at(REPORTS, 3.9) == []
    assert at(REPORTS, 4.0) == [[1, 3]]
    assert at(REPORTS, 6.5) == [[6, 6.4], [1, 5]]
    assert at(REPORTS, 8) == [[1, 5]]
    assert at(REPORTS, 100) == [[1, 6], [7, 9], [2, 6]]


def test_proposals_that_stand_at_the_end_are_the_final_ones() -> None:
    """The third action was cut off before its last report."""
    assert at(REPORTS, math.inf) == [[1, 6], [2, 6]]


def test_recall_grows_with_the_delay_allowed() -> None:
    found = recall_by_delay({"a": REPORTS}, {"a": spans((1, 6))}, numbers=[1, 2], delays=(0, 0.5, 1, 3, math.inf))
    # 0.8 at first: seven of ten thresholds; the final one is exact. At 0.5 s a better scored wrong one is in front.
    assert found[1] == pytest.approx({0: 70, 0.5: 0, 1: 70, 3: 100, math.inf: 100})
    assert found[2] == pytest.approx({0: 70, 0.5: 70, 1: 70, 3: 100, math.inf: 100})


def test_places_in_proportion_to_the_time_gone_by() -> None:
    """Of 12 seconds with 4 places, 1.5 have come after 4.5 s and 3 after 9 s; one is there from the beginning."""
    reports = [
        Reported(1, "provisional", 0.5, 0, 0.5, 0.9),
        Reported(2, "provisional", 1, 1, 6, 0.5),
        Reported(3, "provisional", 8, 7, 8, 0.7),
    ]
    lengths = {"a": 12.0}

    def found(end: float) -> float:
        truth = {"a": spans((1, end))}
        return recall_by_delay({"a": reports}, truth, numbers=[4], delays=(0,), thresholds=[0.4], lengths=lengths)[4][0]

    assert found(2.9) == 0  # one place, and the better scored one has it
    assert found(4.5) == pytest.approx(50)  # half a place counts half
    assert found(6) == 100
    assert found(9) == 100
    assert recall_by_delay({"a": reports}, {"a": spans((1, 9))}, numbers=[2], delays=(0,), lengths=lengths)[2] == {0: 0}


def test_both_forms_end_at_the_recall_of_the_finals() -> None:
    found = [
        recall_by_delay({"a": REPORTS}, {"a": spans((1, 6), (2, 6))}, numbers=[1, 2], lengths=lengths)
        for lengths in (None, {"a": 12.0})
    ]
    assert [row[math.inf] for row in found[0].values()] == [row[math.inf] for row in found[1].values()]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_the_form_in_proportion_is_level_where_no_report_ever_changes(seed: int) -> None:
    """Streams whose proposals come at an even rate and are final at once: the other form falls with the delay."""
    rng = np.random.default_rng(seed)
    reports, truth = {}, {}
    for name in map(str, range(60)):
        starts = np.sort(rng.uniform(0, 598, 120))
        reports[name] = [Reported(i, "final", s + 2, s, s + 2, rng.random()) for i, s in enumerate(starts)]
        truth[name] = spans(*[(s, s + 2) for s in rng.choice(starts, 10, replace=False)])
    delays, lengths = (0.0, 30.0, math.inf), dict.fromkeys(reports, 600.0)
    fair = recall_by_delay(reports, truth, numbers=[60], delays=delays, lengths=lengths)[60]
    old = recall_by_delay(reports, truth, numbers=[60], delays=delays)[60]
    assert max(fair.values()) - min(fair.values()) < 8
    assert old[0] - old[math.inf] > 15


def test_the_length_of_a_stream_is_the_known_one_or_its_newest_time() -> None:
    truth = {"a": spans((1, 6)), "b": spans((1, 20)), "c": spans((1, 2))}
    lengths = stream_lengths({"a": REPORTS, "b": REPORTS}, truth, {"c": 60.0, "a": None})
    assert lengths == {"a": 9.5, "b": 20, "c": 60}


def test_the_first_hit_may_come_before_the_end() -> None:
    assert first_hits({"a": REPORTS}, {"a": spans((1, 6), (1, 4.8), (20, 30))}) == pytest.approx([0, -0.8, math.inf])
    assert first_hits({}, {"a": spans((1, 6))}) == [math.inf]


def test_a_video_without_events_counts_as_missed() -> None:
    found = recall_by_delay({"a": REPORTS}, {"a": spans((1, 6)), "b": spans((0, 1))}, numbers=[5], delays=(3,))
    assert found == {5: {3: pytest.approx(50)}}
    assert recall_by_delay({}, {"a": spans((1, 6))}, numbers=[5], delays=(3,)) == {5: {3: 0}}


def test_other_videos_and_no_truth_are_refused() -> None:
    with pytest.raises(SettingsError, match="no video in common"):
        recall_by_delay({"a": REPORTS}, {"b": spans((1, 6))}, numbers=[1])
    with pytest.raises(SettingsError, match="no true segment"):
        first_hits({"a": REPORTS}, {"a": spans()})


def replayed(reports: list[Reported], segment: Spans, time: float, number: int) -> float:
    """Report by report until the time: the best tIoU of the first `number` that stand then."""
    newest: dict[int, Reported] = {}
    finals: list[Reported] = []
    for report in reports:
        if report.at > time or (math.isinf(time) and report.kind != "final"):
            continue
        newest.pop(report.action, None)
        if report.kind == "final":
            finals.append(report)
        elif report.kind != "withdrawn":
            newest[report.action] = report
    ranked = sorted([*newest.values(), *finals], key=lambda report: -report.score)[:number]
    return max((float(tiou_matrix(spans((one.start, one.end)), segment)[0, 0]) for one in ranked), default=0.0)


@st.composite
def streams(draw: st.DrawFn) -> list[Reported]:
    """Words of up to four actions at rising times; an action that is final or withdrawn says nothing more."""
    reports: list[Reported] = []
    over: set[int] = set()
    scores = draw(st.permutations(range(60)))  # all different: which of two equals comes first is not the point
    for time in range(draw(st.integers(0, 20))):
        action = draw(st.integers(1, 4))
        if action in over:
            continue
        kind = draw(st.sampled_from(["provisional", "revised", "withdrawn", "final"]))
        for _ in range(draw(st.integers(1, 3)) if kind == "final" else 1):
            start = draw(st.integers(0, 20))
            score = scores[len(reports) % 60] / 60
            reports.append(Reported(action, kind, float(time), start, start + draw(st.integers(1, 8)), score))  # type: ignore[arg-type]
        if kind in ("final", "withdrawn"):
            over.add(action)
    return reports


@given(streams(), st.integers(0, 15), st.integers(1, 8), st.integers(1, 4))
@settings(max_examples=60)
def test_standing_intervals_equal_a_replay_of_the_events(
    reports: list[Reported], start: int, length: int, number: int
) -> None:
    truth = spans((start, start + length))
    delays = (0.0, 1.0, 3.5, math.inf)
    limits = (0.25, 0.5, 0.75, 1.0)
    found = recall_by_delay({"a": reports}, {"a": truth}, numbers=[number], delays=delays, thresholds=limits)[number]
    for delay in delays:
        best = replayed(reports, truth, start + length + delay, number)
        assert found[delay] == pytest.approx(25 * sum(best >= limit for limit in limits))


EVENT = {"kind": "final", "source": "x/a.mp4", "action": 1, "rank": 1, "start": 1, "end": 2, "score": 0.5, "at": 3}
RESET = {"kind": "reset", "source": "x/a.mp4", "action": 0, "start": None, "end": None, "score": None, "at": 3.0}


def write(path: Path, *events: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(event) + "\n" for event in events) + "\n")
    return path


def test_events_are_read_by_video(tmp_path: Path) -> None:
    found = read_events(write(tmp_path / "e.jsonl", EVENT, RESET, EVENT | {"source": "rtsp://box/b?x=1"}))
    assert found == {"a": [Reported(1, "final", 3, 1, 2, 0.5)], "b": [Reported(1, "final", 3, 1, 2, 0.5)]}


def test_events_read_back_equal_those_of_the_stream(tmp_path: Path) -> None:
    """A gap of an hour: what was under way is settled when it is noticed, and the clock of the reset is the new one."""
    proposal = Proposal(Fraction(1, 3), Fraction(7, 3), 0.5)
    events: list[StreamEvent] = [
        Event("provisional", 1, 1, proposal, Fraction(3)),
        Event("final", 1, 1, proposal, Fraction(3600)),
        Notice("reset", Fraction(3600), "no frame for an hour"),
        Event("provisional", 2, 1, proposal, Fraction(3601)),
    ]
    with JsonLinesSink(tmp_path / "e.jsonl") as sink:
        for event in events:
            sink.event("x/a.mp4", event)
    (found,) = read_events(tmp_path / "e.jsonl").values()
    rounded = [replace(one, start=round(one.start, 6), end=round(one.end, 6)) for one in reports_of(events)]
    assert found == rounded
    assert [one.at for one in found] == [3, 3600, 3601]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_events_with_a_byte_order_mark_are_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "e.jsonl").write_text(json.dumps(EVENT) + "\r\n", encoding=encoding)
    assert list(read_events(tmp_path / "e.jsonl")) == ["a"]


@pytest.mark.parametrize(
    "wrong", [{"kind": "perhaps"}, {"at": None}, {"score": "x"}, {"start": math.nan}, {"source": "y/a.avi"}]
)
def test_other_event_files_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(AnnotationError, match="line 2"):
        read_events(write(tmp_path / "e.jsonl", EVENT, EVENT | wrong))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"none\.jsonl"):
        read_events(tmp_path / "none.jsonl")
    (tmp_path / "list.jsonl").write_text("[1]\n")
    with pytest.raises(AnnotationError, match="line 1"):
        read_events(tmp_path / "list.jsonl")
