"""Every sink writes what is said, as it is said."""

from __future__ import annotations

import csv
import io
import json
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from cmsn_runtime.annotations import Annotation, VideoAnnotations
from cmsn_runtime.errors import OutputError, SettingsError
from cmsn_runtime.events import Event, Notice, Proposal, StageStep, WallClock
from cmsn_runtime.identity import Numbering
from cmsn_runtime.names import video_id
from cmsn_runtime.sinks import timeline
from cmsn_runtime.sinks.base import Ending, Sink
from cmsn_runtime.sinks.console import ProgressSink, TableSink
from cmsn_runtime.sinks.csv_file import CsvSink
from cmsn_runtime.sinks.jsonl import JSON, JsonLinesSink
from cmsn_runtime.sinks.kinds import SinkContext, SinkKind
from cmsn_runtime.sinks.ranking import BestActions
from cmsn_runtime.sinks.results import ResultsSink
from cmsn_runtime.sinks.spill import RankedSpill
from cmsn_runtime.sinks.timeline import TimelineSink
from cmsn_runtime.sinks.timeline_picture import Timeline, row_limits
from cmsn_runtime.stages import Stage

FIRST = Event("provisional", 1, 1, Proposal(Fraction(1), Fraction(2), 0.4), Fraction(3), wall=1.5e9)
FINAL = Event("final", 1, 1, Proposal(Fraction(1), Fraction(7, 3), 0.9), Fraction(5))
OTHER = Event("final", 1, 2, Proposal(Fraction(1), Fraction(3), 0.2), Fraction(5))
BETTER = Event("final", 2, 1, Proposal(Fraction(8), Fraction(9), 0.95), Fraction(12))
RESET = Notice("reset", Fraction(6), "no frames for 9.000 s")


def test_each_json_line_is_flushed_at_once(tmp_path: Path) -> None:
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
        **dict.fromkeys(("id", "seq", "key", "start_wall", "end_wall", "clock")),  # those of a run only
    }
    assert json.loads(path.read_text().splitlines()[1])["start"] is None


def test_a_line_of_a_camera_has_its_id_number_and_time_of_day(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    clock = WallClock(Fraction(1_700_000_000), "arrival")
    with JsonLinesSink(path) as sink:
        sink.event("door", Numbering(site="north", camera="door", run="R").stamped(OTHER, clock))
    line = json.loads(path.read_text())
    assert (line["id"], line["seq"], line["key"]) == ("north/door/R/1/1/2", 1, "north/door/R/1")
    assert (line["start_wall"], line["end_wall"], line["clock"]) == (1_700_000_001.0, 1_700_000_003.0, "arrival")


def test_final_events_only_leaves_out_provisional_events(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with JsonLinesSink(path, events="final") as sink:
        for event in (FIRST, FINAL, RESET):
            sink.event("a", event)
    assert [json.loads(line)["kind"] for line in path.read_text().splitlines()] == ["final", "reset"]


def test_csv_has_a_row_for_each_final(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with CsvSink(path) as sink:
        sink.begin('odd "name", really.mp4', None)
        for event in (FIRST, FINAL, OTHER, RESET):
            sink.event('odd "name", really.mp4', event)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [(row["rank"], row["end"]) for row in rows] == [("1", "2.333333"), ("2", "3.000000")]
    assert rows[0]["source"] == 'odd "name", really.mp4'


def test_csv_has_its_columns_where_nothing_could_be_opened(tmp_path: Path) -> None:
    with CsvSink(tmp_path / "out.csv"):
        pass
    assert (tmp_path / "out.csv").read_text() == "source,action,rank,start,end,score,at,delay\n"


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


def test_results_have_the_form_that_json_gives_them(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    with ResultsSink(path) as sink:
        for source, reason in (("a.mp4", ""), ('b "é\udcff.mp4', "broke"), ("c.mp4", "")):
            sink.begin(source, None)
            sink.event(source, FINAL)
            sink.event(source, BETTER)
            sink.end(source, Ending(Fraction(7, 2), reason))
        sink.begin("d.mp4", None)
    text = path.read_text()
    content = json.loads(text)
    assert text == json.dumps(content, indent=1) + "\n"
    assert content["external_data"]["incomplete"] == {
        'b "é\udcff': {"seconds": 3.5, "reason": "broke"},
        "d": {"seconds": None, "reason": "not read to its end"},
    }


def test_no_results_are_written_where_no_source_was_opened(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("old")
    with ResultsSink(tmp_path / "results.json"):
        pass
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("results.json", "old")]


@pytest.mark.parametrize("in_memory", [1, 3, 7, 1000])
def test_many_proposals_are_ranked_on_disk(in_memory: int) -> None:
    """Best first; equal scores stay in the order they came."""
    records = [
        (score / 4, float(number), float(number + 1)) for number, score in enumerate([3, 1, 4, 1, 5, 9, 2, 6] * 5)
    ]
    with RankedSpill(in_memory) as spill:
        for record in records:
            spill.add(record)
        assert list(spill.ranked()) == sorted(records, key=lambda record: -record[0])


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


def test_the_timeline_is_written_as_a_png(tmp_path: Path) -> None:
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


def test_a_picture_of_a_camera_shows_its_newest_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    drawn: list[Timeline] = []
    monkeypatch.setattr(timeline, "draw_timeline", lambda picture, path: drawn.append(picture))
    monkeypatch.setattr(timeline, "_MOST_RUNS", 10)
    monkeypatch.setattr(timeline, "_MOST_FINALS", 5)
    with TimelineSink(tmp_path / "t.png", step_seconds=Fraction(1)) as sink:
        sink.begin("camera", None)
        for second in range(100):
            sink.step("camera", StageStep(Fraction(second), Stage(second % 2), np.zeros(6, np.float32)))
            sink.event(
                "camera", Event("final", 1, 1, Proposal(Fraction(second), Fraction(second + 1), 0.5), Fraction(0))
            )
            sink.advance("camera", Fraction(second))
        sink.end("camera", Ending(Fraction(99)))
    (picture,) = drawn
    assert (picture.start, len(picture.runs), len(picture.finals)) == (90.0, 10, 5)


def test_pictures_that_were_not_drawn_leave_no_rest(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with TimelineSink(tmp_path / "t.png", step_seconds=Fraction(1)) as sink:
        sink.begin("camera", None)
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("names", [("a", "b"), ("a", "a")], ids=["two names", "one name"])
def test_a_terminal_shows_several_sources_at_once(names: tuple[str, str]) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    with ProgressSink(console, networks="ONNX Runtime 1.0") as progress, TableSink(console) as table:
        for sink in (progress, table):
            for name in names:
                sink.begin(name, Fraction(20))
            for name in names:
                sink.advance(name, Fraction(3))
                sink.event(name, FINAL)
            for name in names:
                sink.end(name, Ending(Fraction(3)))
            sink.begin("next", None)
            sink.end("next", Ending(None))
    shown = screen.getvalue()
    assert shown.count("final after") == len(set(names))
    assert shown.count("score 0.900") == 2
    assert shown.count("networks: ONNX Runtime 1.0") == 1


@pytest.mark.parametrize(("end", "rows"), [(12.0, 1), (608.5, 5), (7200.0, 12), (10.0, 1)])
def test_a_long_picture_is_broken_into_few_equal_rows(end: float, rows: int) -> None:
    limits = row_limits(10.0, end)
    assert len(limits) == rows
    assert limits[0][0] == 10.0 and limits[-1][1] >= end
    assert all(before[1] == after[0] for before, after in pairwise(limits))
    assert len({stop - start for start, stop in limits}) == 1 and limits[0][1] > 10.0


def test_videos_are_named_after_their_sources() -> None:
    assert video_id("/a/b.c.mp4") == "b.c"
    assert video_id("rtsp://host/cam1.sdp?token=x") == "cam1"


def live_sink(kind: SinkKind, folder: Path, **table: object) -> Sink:
    assert kind.open_table is not None
    return kind.open_table(table, SinkContext(Fraction(1), folder=folder, live=True))


def test_a_table_of_a_file_is_read_strictly(tmp_path: Path) -> None:
    for table, message in [({}, "path is missing"), ({"path": "x", "event": "all"}, "holds 'event', which is unknown")]:
        with pytest.raises(SettingsError, match=message):
            live_sink(JSON, tmp_path, **table)
