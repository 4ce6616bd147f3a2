"""Every sink writes what is said, as it is said."""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from cmsn_runtime.annotations import Annotation, VideoAnnotations
from cmsn_runtime.errors import OutputError
from cmsn_runtime.events import Event, Proposal, Reset, StageStep
from cmsn_runtime.names import video_id
from cmsn_runtime.sinks.base import Ending
from cmsn_runtime.sinks.console import TableSink
from cmsn_runtime.sinks.csv_file import CsvSink
from cmsn_runtime.sinks.jsonl import JsonLinesSink
from cmsn_runtime.sinks.ranking import BestActions
from cmsn_runtime.sinks.results import ResultsSink
from cmsn_runtime.sinks.timeline import TimelineSink
from cmsn_runtime.sinks.timeline_picture import row_limits
from cmsn_runtime.stages import Stage

FIRST = Event("provisional", 1, 1, Proposal(Fraction(1), Fraction(2), 0.4), Fraction(3), wall=1.5e9)
FINAL = Event("final", 1, 1, Proposal(Fraction(1), Fraction(7, 3), 0.9), Fraction(5))
OTHER = Event("final", 1, 2, Proposal(Fraction(1), Fraction(3), 0.2), Fraction(5))
BETTER = Event("final", 2, 1, Proposal(Fraction(8), Fraction(9), 0.95), Fraction(12))
RESET = Reset(Fraction(6), "no frames for 9.000 s")


def test_json_lines_are_there_at_once(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with JsonLinesSink(path) as sink:
        sink.event("a.mp4", FIRST)
        (line,) = path.read_text().splitlines()
        sink.event("a.mp4", RESET)
    assert json.loads(line) == {
        "kind": "provisional",
        "source": "a.mp4",
        "action": 1,
        "rank": 1,
        "start": 1.0,
        "end": 2.0,
        "score": 0.4,
        "at": 3.0,
        "delay": 1.0,
        "note": "",
        "wall": 1.5e9,
    }
    assert json.loads(path.read_text().splitlines()[1])["start"] is None


def test_final_events_only_leaves_out_what_may_change(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with JsonLinesSink(path, events="final") as sink:
        for event in (FIRST, FINAL, RESET):
            sink.event("a", event)
    assert [json.loads(line)["kind"] for line in path.read_text().splitlines()] == ["final", "reset"]


def test_csv_has_a_row_for_each_final(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with CsvSink(path) as sink:
        for event in (FIRST, FINAL, OTHER, RESET):
            sink.event('odd "name", really.mp4', event)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [(row["rank"], row["end"]) for row in rows] == [("1", "2.333333"), ("2", "3.000000")]
    assert rows[0]["source"] == 'odd "name", really.mp4'


def test_results_are_ranked_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    with ResultsSink(path) as sink:
        for source in ("x/a.mp4", "b.mp4"):
            sink.begin(source, None)
        for event in (FINAL, OTHER, BETTER):
            sink.event("x/a.mp4", event)
        assert not path.exists()
    results = json.loads(path.read_text())["results"]
    assert [item["score"] for item in results["a"]] == [0.95, 0.9, 0.2]
    assert results["b"] == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize("sink", [CsvSink, JsonLinesSink, ResultsSink])
def test_a_path_that_cannot_be_written_is_one_clear_error(tmp_path: Path, sink: type) -> None:
    with pytest.raises(OutputError, match="nowhere"):
        sink(tmp_path / "nowhere" / "out")


def test_the_best_are_kept_and_the_rest_are_counted() -> None:
    best = BestActions(2)
    for score in (0.1, 0.5, 0.3, 0.5):
        best.add(Event("final", 1, 1, Proposal(Fraction(0), Fraction(1), score), Fraction(2)))
    best.add(OTHER)
    assert [proposal.score for _, proposal in best.ranked()] == [0.5, 0.5]
    assert (best.total, best.alternatives) == (4, 1)


def test_the_table_says_how_near_the_truth_is(capsys: pytest.CaptureFixture[str]) -> None:
    truth = {"a": VideoAnnotations(20.0, (Annotation(8.0, 10.0, "wave"),))}
    with TableSink(truth=truth) as sink:
        sink.begin("a.mp4", None)
        for event in (FINAL, OTHER, BETTER):
            sink.event("a.mp4", event)
        sink.end("a.mp4", Ending(Fraction(19)))
    printed = capsys.readouterr().out
    assert printed.index("0.95") < printed.index("0.90")
    assert "0.50" in printed


def test_the_timeline_is_a_picture(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("matplotlib")
    path = tmp_path / "timeline.png"
    truth = {"a": VideoAnnotations(20.0, (Annotation(8.0, 10.0, "wave"),))}
    with TimelineSink(path, step_seconds=Fraction(8, 25), truth=truth) as sink:
        sink.begin("a.mp4", Fraction(20))
        for step in range(60):
            sink.step("a.mp4", StageStep(Fraction(8 * step, 25), Stage(step // 10), np.zeros(6, np.float32)))
        sink.advance("a.mp4", Fraction(19))
        for event in (FINAL, OTHER, BETTER):
            sink.event("a.mp4", event)
        sink.end("a.mp4", Ending(Fraction(19)))
    with image.open(path) as picture:
        colours = len(picture.convert("RGB").getcolors(1 << 20))
        assert picture.width > 600 and colours > 50


@pytest.mark.parametrize(("end", "rows"), [(12.0, 1), (608.5, 5), (7200.0, 12), (10.0, 1)])
def test_a_long_picture_is_broken_into_few_equal_rows(end: float, rows: int) -> None:
    limits = row_limits(10.0, end)
    assert len(limits) == rows
    assert limits[0][0] == 10.0 and limits[-1][1] >= end
    assert all(before[1] == after[0] for before, after in pairwise(limits))
    assert len({stop - start for start, stop in limits}) == 1 and limits[0][1] > 10.0


def test_names_of_sources() -> None:
    assert video_id("/a/b.c.mp4") == "b.c"
    assert video_id("rtsp://host/cam1.sdp?token=x") == "cam1"
