"""Recall against delay: a stream worked by hand, and a replay word by word as the definition has it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmsn_runtime.errors import AnnotationError, SettingsError
from cmsn_training.evaluation import Spans, tiou_matrix
from cmsn_training.evaluation.delay import first_hits, recall_by_delay, standing
from cmsn_training.evaluation.events import Word, read_events

WORDS = [
    Word(1, "provisional", 4.0, 1, 3, 0.4),
    Word(1, "revised", 6.0, 1, 5, 0.6),
    Word(2, "provisional", 6.5, 6, 6.4, 0.9),
    Word(2, "withdrawn", 7.0, 6, 6.4, 0.9),
    Word(1, "final", 9.0, 1, 6, 0.8),
    Word(1, "final", 9.0, 2, 6, 0.3),
    Word(3, "provisional", 9.5, 7, 9, 0.7),
]


def spans(*rows: tuple[float, float]) -> Spans:
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def at(words: list[Word], time: float) -> list[list[float]]:
    said = standing(words)
    rows: list[list[float]] = said.spans[said.at(np.array([time]))[0]].tolist()
    return rows


def test_what_stands_at_a_time() -> None:
    assert at(WORDS, 3.9) == []
    assert at(WORDS, 4.0) == [[1, 3]]
    assert at(WORDS, 6.5) == [[6, 6.4], [1, 5]]
    assert at(WORDS, 8) == [[1, 5]]
    assert at(WORDS, 100) == [[1, 6], [7, 9], [2, 6]]


def test_final_is_what_was_said_to_be_final() -> None:
    """The third action was cut off before its last word."""
    assert at(WORDS, math.inf) == [[1, 6], [2, 6]]


def test_recall_grows_with_the_delay_allowed() -> None:
    found = recall_by_delay({"a": WORDS}, {"a": spans((1, 6))}, numbers=[1, 2], delays=(0, 0.5, 1, 3, math.inf))
    # 0.8 at first: seven of ten thresholds; the final one is exact. At 0.5 s a better scored wrong one is in front.
    assert found[1] == pytest.approx({0: 70, 0.5: 0, 1: 70, 3: 100, math.inf: 100})
    assert found[2] == pytest.approx({0: 70, 0.5: 70, 1: 70, 3: 100, math.inf: 100})


def test_the_first_hit_may_come_before_the_end() -> None:
    assert first_hits({"a": WORDS}, {"a": spans((1, 6), (1, 4.8), (20, 30))}) == pytest.approx([0, -0.8, math.inf])
    assert first_hits({}, {"a": spans((1, 6))}) == [math.inf]


def test_a_video_of_which_nothing_was_said_is_missed() -> None:
    found = recall_by_delay({"a": WORDS}, {"a": spans((1, 6)), "b": spans((0, 1))}, numbers=[5], delays=(3,))
    assert found == {5: {3: pytest.approx(50)}}
    assert recall_by_delay({}, {"a": spans((1, 6))}, numbers=[5], delays=(3,)) == {5: {3: 0}}


def test_other_videos_and_no_truth_are_refused() -> None:
    with pytest.raises(SettingsError, match="no video in common"):
        recall_by_delay({"a": WORDS}, {"b": spans((1, 6))}, numbers=[1])
    with pytest.raises(SettingsError, match="no true segment"):
        first_hits({"a": WORDS}, {"a": spans()})


def replayed(words: list[Word], segment: Spans, time: float, number: int) -> float:
    """Word by word until the time: the best tIoU of the first `number` that stand then."""
    newest: dict[int, Word] = {}
    finals: list[Word] = []
    for word in words:
        if word.at > time or (math.isinf(time) and word.kind != "final"):
            continue
        newest.pop(word.action, None)
        if word.kind == "final":
            finals.append(word)
        elif word.kind != "withdrawn":
            newest[word.action] = word
    ranked = sorted([*newest.values(), *finals], key=lambda word: -word.score)[:number]
    return max((float(tiou_matrix(spans((one.start, one.end)), segment)[0, 0]) for one in ranked), default=0.0)


@st.composite
def streams(draw: st.DrawFn) -> list[Word]:
    """Words of up to four actions at rising times; an action that is final or withdrawn says nothing more."""
    words: list[Word] = []
    over: set[int] = set()
    scores = draw(st.permutations(range(60)))  # all different: which of two equals comes first is not the point
    for time in range(draw(st.integers(0, 20))):
        action = draw(st.integers(1, 4))
        if action in over:
            continue
        kind = draw(st.sampled_from(["provisional", "revised", "withdrawn", "final"]))
        for _ in range(draw(st.integers(1, 3)) if kind == "final" else 1):
            start = draw(st.integers(0, 20))
            score = scores[len(words) % 60] / 60
            words.append(Word(action, kind, float(time), start, start + draw(st.integers(1, 8)), score))  # type: ignore[arg-type]
        if kind in ("final", "withdrawn"):
            over.add(action)
    return words


@given(streams(), st.integers(0, 15), st.integers(1, 8), st.integers(1, 4))
@settings(max_examples=60)
def test_intervals_of_standing_are_the_replay(words: list[Word], start: int, length: int, number: int) -> None:
    truth = spans((start, start + length))
    delays = (0.0, 1.0, 3.5, math.inf)
    limits = (0.25, 0.5, 0.75, 1.0)
    found = recall_by_delay({"a": words}, {"a": truth}, numbers=[number], delays=delays, thresholds=limits)[number]
    for delay in delays:
        best = replayed(words, truth, start + length + delay, number)
        assert found[delay] == pytest.approx(25 * sum(best >= limit for limit in limits))


EVENT = {"kind": "final", "source": "x/a.mp4", "action": 1, "rank": 1, "start": 1, "end": 2, "score": 0.5, "at": 3}
RESET = {"kind": "reset", "source": "x/a.mp4", "action": 0, "start": None, "end": None, "score": None, "at": 3.0}


def write(path: Path, *events: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(event) + "\n" for event in events) + "\n")
    return path


def test_events_are_read_back(tmp_path: Path) -> None:
    found = read_events(write(tmp_path / "e.jsonl", EVENT, RESET, EVENT | {"source": "rtsp://box/b?x=1"}))
    assert found == {"a": [Word(1, "final", 3, 1, 2, 0.5)], "b": [Word(1, "final", 3, 1, 2, 0.5)]}


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
