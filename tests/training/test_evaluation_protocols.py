"""AR@AN, recall against delay, results files: small cases worked by hand, and properties."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from cmsn_runtime.cli import cmsn
from cmsn_runtime.errors import AnnotationError, SettingsError
from cmsn_training.evaluation import ACTIVITYNET, THUMOS, Protocol, Spans, recall_curve, tiou_matrix
from cmsn_training.evaluation.delay import Word, first_hits, read_events, recall_by_delay, standing
from cmsn_training.evaluation.results_file import read_results

HALF = Protocol("half", (0.5,), points=4)


def spans(*rows: tuple[float, float]) -> Spans:
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def test_a_case_by_hand() -> None:
    truth = {"a": spans((0, 10), (20, 30)), "b": spans((5, 6))}
    proposals = {"a": spans((50, 60), (0, 9), (70, 80), (20, 31)), "b": spans()}
    curve = recall_curve(proposals, truth, HALF)
    assert curve.numbers.tolist() == [0.5, 1.0, 1.5, 2.0]
    assert curve.recall[0].tolist() == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3])
    assert curve.average_recall_at(1.75) == pytest.approx(50)
    assert math.isnan(curve.average_recall_at(2.1))


def test_inclusive_frames() -> None:
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
def test_the_vectorised_way_is_the_definition(
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


def word(order: int, action: int, kind: str, at: float, start: float, end: float, score: float) -> Word:
    return Word(order, action, kind, at, start, end, score)


WORDS = [
    word(0, 1, "provisional", 4.0, 1, 3, 0.4),
    word(1, 1, "revised", 6.0, 1, 5, 0.6),
    word(2, 2, "provisional", 6.5, 6, 6.4, 0.9),
    word(3, 2, "withdrawn", 7.0, 6, 6.4, 0.9),
    word(4, 1, "final", 9.0, 1, 6, 0.8),
    word(5, 1, "final", 9.0, 2, 6, 0.3),
]


def test_what_stands_at_a_time() -> None:
    assert standing(WORDS, 3.9).tolist() == []
    assert standing(WORDS, 4.0).tolist() == [[1, 3]]
    assert standing(WORDS, 6.5).tolist() == [[6, 6.4], [1, 5]]
    assert standing(WORDS, 8).tolist() == [[1, 5]]
    assert standing(WORDS, math.inf).tolist() == [[1, 6], [2, 6]]


def test_recall_grows_with_the_delay_allowed() -> None:
    truth = {"a": spans((1, 6))}
    by_delay = recall_by_delay({"a": WORDS}, truth, number=1, delays=(0.0, 1.0, 2.0, 3.0, math.inf))
    # 0.8 at first: seven of ten thresholds; the final one is exact. At 0.5 s a better scored wrong one is in front.
    assert by_delay == pytest.approx({0.0: 70, 1.0: 70, 2.0: 70, 3.0: 100, math.inf: 100})
    assert first_hits({"a": WORDS}, truth) == [0.0]
    assert first_hits({}, truth) == [math.inf]


def test_the_command_line(tmp_path: Path) -> None:
    truth = {"database": {"a": {"annotations": [{"segment": [1, 6], "label": "x"}]}, "b": {"annotations": []}}}
    results = {"results": {"a": [{"segment": [50, 60], "score": 0.1}, {"segment": [1, 6], "score": 0.8}]}}
    lines = [
        {"kind": one.kind, "source": "videos/a.mp4", "action": one.action, "rank": 1, "at": one.at, "start": one.start}
        | {"end": one.end, "score": one.score, "delay": 0, "note": ""}
        for one in WORDS
    ]
    reset = {"kind": "reset", "source": "a.mp4", "action": 0, "at": 3.0, "start": None, "end": None, "score": None}
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "mine.json").write_text(json.dumps(results))
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*lines, reset]))
    arguments = [str(tmp_path / "mine.json"), "--truth", str(tmp_path / "truth.json"), "--an", "1", "--an", "5"]
    arguments += ["--events", str(tmp_path / "events.jsonl"), "--json", str(tmp_path / "out.json")]
    arguments += ["--pictures", str(tmp_path / "pictures")]
    result = CliRunner().invoke(cmsn, ["evaluate", *arguments])
    assert result.exit_code == 0, result.output
    figures = json.loads((tmp_path / "out.json").read_text())
    assert figures["mine"]["activitynet"]["AR@1"] == pytest.approx(100)
    assert figures["mine"]["activitynet"]["AR@5"] == pytest.approx(100)
    assert figures["mine"]["thumos"]["AR@5"] is None  # the lists end at one a video
    assert figures["delay"]["AR@1"]["final"] == pytest.approx(100)
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 4


@pytest.mark.parametrize("content", ["{", "[]", '{"results": []}', '{"results": {"a": [{"score": 1}]}}'])
def test_other_results_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(content)
    with pytest.raises(AnnotationError, match=r"r\.json"):
        read_results(path)


def test_other_event_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text('{"kind": "final"}\n')
    with pytest.raises(AnnotationError, match="line 1"):
        read_events(path)


def test_evaluation_needs_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['lightning'] = None\n"
        "import cmsn_training.commands.evaluate, cmsn_training.evaluation.report, cmsn_training.evaluation.pictures\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
