"""ActivityNet's ground truth: what is read, and what is refused with which words."""

from __future__ import annotations

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmsn_runtime.annotations import Annotation, VideoAnnotations, read_annotations
from cmsn_runtime.errors import AnnotationError, AnnotationWarning


def write(folder: Path, content: Any) -> Path:
    path = folder / "truth.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_annotations_come_in_order_of_time(tmp_path: Path) -> None:
    entries = [{"segment": [5, 6.5], "label": "b"}, {"segment": [1, 2], "label": "a"}]
    path = write(tmp_path, {"database": {"v": {"duration": 10, "annotations": entries}, "w": {}}})
    truth = read_annotations(path)
    assert truth["v"].duration == 10.0
    assert truth["v"].annotations == (Annotation(1.0, 2.0, "a"), Annotation(5.0, 6.5, "b"))
    assert truth["w"].annotations == ()


def test_the_subset_of_a_video_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, {"version": "1.3", "database": {"v": {"subset": "training", "url": "gone"}, "w": {}}})
    truth = read_annotations(path)
    assert truth["v"].subset == "training"
    assert truth["w"].subset is None


def test_tiou_matches_hand_calculations() -> None:
    assert Annotation(0.0, 10.0, "").tiou(5.0, 15.0) == pytest.approx(1 / 3)
    assert Annotation(0.0, 10.0, "").tiou(20.0, 30.0) == 0.0


def read(folder: Path, database: Any) -> tuple[dict[str, VideoAnnotations], str]:
    """The annotations, and what was reported, which is one line at most."""
    lines: list[str] = []
    found = read_annotations(write(folder, {"database": database}), note=lines.append)
    assert len(lines) <= 1
    return found, "".join(lines)


def spans(video: VideoAnnotations) -> list[tuple[float, float]]:
    return [(one.start, one.end) for one in video.annotations]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_every_unicode_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "truth.json"
    path.write_text(json.dumps({"database": {"Köln": {}}}, ensure_ascii=False), encoding=encoding)
    assert set(read_annotations(path)) == {"Köln"}


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        ({"segment": [0, 0]}, "of no length or reversed: 1 (v [0, 0])"),
        ({"segment": [3, 2]}, "of no length or reversed: 1 (v [3, 2])"),
        ({"segment": [-5, -1]}, "before or after the video: 1 (v [-5, -1])"),
        ({"segment": [70, 80]}, "before or after the video: 1 (v [70, 80])"),
        ({"segment": [1]}, "not [start, end]: 1 (v [1])"),
        ({"segment": [True, 2]}, "not [start, end]: 1 (v [True, 2])"),
        ({"segment": ["soon", 2]}, "not [start, end]: 1 (v ['soon', 2])"),
        ({"segment": [float("nan"), 2]}, "not [start, end]: 1 (v [nan, 2])"),
        ({"segment": [1, float("inf")]}, "not [start, end]: 1 (v [1, inf])"),
        ({"segment": [1, 10**400]}, "not [start, end]: 1 (v [1, 1000"),
        ({"segment": None}, "not [start, end]: 1 (v None)"),
        ({"label": "x"}, "not [start, end]: 1 (v None)"),
        ("nonsense", "not [start, end]: 1 (v 'nonsense')"),
        ([1, 2], "not [start, end]: 1 (v [1, 2])"),
    ],
)
def test_a_segment_that_cannot_be_used_is_left_out_with_a_line(tmp_path: Path, item: Any, kind: str) -> None:
    good = {"segment": [1, 5], "label": "x"}
    found, line = read(tmp_path, {"v": {"duration": 60, "annotations": [item, good]}, "w": {"annotations": [good]}})
    assert (spans(found["v"]), spans(found["w"])) == ([(1, 5)], [(1, 5)])
    assert line.startswith(f"{tmp_path}/truth.json: left out, {kind}")
    with pytest.raises(AnnotationError, match="nothing is left to use"):
        read(tmp_path, {"v": {"duration": 60, "annotations": [item]}})


def test_one_line_counts_the_unusable_segments_and_names_the_first_few(tmp_path: Path) -> None:
    bad = {f"v{number}": {"annotations": [{"segment": [0, 0]}]} for number in range(12)}
    found, line = read(tmp_path, {**bad, "w": {"annotations": [{"segment": [1, 2]}]}})
    assert len(found) == 13
    assert line.endswith(
        "truth.json: left out, of no length or reversed: 12 (v0 [0, 0], v1 [0, 0], v2 [0, 0] and 9 more)"
    )


def test_unusable_segments_without_a_listener_are_a_python_warning(tmp_path: Path) -> None:
    path = write(tmp_path, {"database": {"v": {"annotations": [{"segment": [0, 0]}, {"segment": [1, 2]}]}}})
    with pytest.warns(AnnotationWarning, match=r"reversed: 1 \(v \[0, 0\]\)"):
        read_annotations(path)


def test_segments_that_reach_beyond_their_video_are_clipped_with_a_line(tmp_path: Path) -> None:
    items = [{"segment": [-2, 3]}, {"segment": [5, 20]}, {"segment": [6, 10.5]}]
    found, line = read(tmp_path, {"v": {"duration": 10, "annotations": items}, "w": {"annotations": items}})
    assert spans(found["v"]) == [(0, 3), (5, 10), (6, 10.5)]  # a duration may be rounded by a second
    assert spans(found["w"]) == [(0, 3), (5, 20), (6, 10.5)]
    assert line.endswith("clipped to the video: 3 (v [-2, 3], v [5, 20], w [-2, 3])")


def test_numbers_as_text_and_missing_lists_are_read(tmp_path: Path) -> None:
    numbers = {"duration": "12.5", "annotations": [{"segment": ["1", "2.5"], "label": 3, "label_id": 3, "more": {}}]}
    found, line = read(
        tmp_path,
        {
            "text": numbers,
            "null": {"annotations": None},
            "none": None,
            "short": [{"segment": [1, 2]}],
            "number": {"subset": 3},
        },
    )
    assert found["text"] == VideoAnnotations(12.5, (Annotation(1.0, 2.5, "3"),))
    assert [spans(found[name]) for name in ("null", "none", "short", "number")] == [[], [], [(1, 2)], []]
    assert found["number"].subset == "3"
    assert line == ""


@pytest.mark.parametrize("duration", ["long", 0, -3, float("nan"), True, [3]])
def test_an_unusable_duration_is_ignored_with_a_line(tmp_path: Path, duration: Any) -> None:
    found, line = read(tmp_path, {"v": {"duration": duration, "annotations": [{"segment": [1, 2]}]}})
    assert found["v"] == VideoAnnotations(None, (Annotation(1.0, 2.0, ""),))
    assert f"duration ignored, no number above zero: 1 (v {duration!r})" in line


def test_an_entry_without_a_list_of_annotations_is_left_out(tmp_path: Path) -> None:
    found, line = read(tmp_path, {"v": {"annotations": "none"}, "w": {"annotations": [{"segment": [1, 2]}]}})
    assert spans(found["v"]) == []
    assert "left out, no list of annotations: 1 (v)" in line


def test_a_name_given_twice_is_reported(tmp_path: Path) -> None:
    path = write(tmp_path, '{"database": {"v": {"annotations": [{"segment": [1, 2]}]}, "v": {"annotations": []}}}')
    lines: list[str] = []
    assert spans(read_annotations(path, note=lines.append)["v"]) == []
    assert ["named twice, the last is taken: 1 (v)" in line for line in lines] == [True]


def test_the_object_around_the_videos_may_be_missing(tmp_path: Path) -> None:
    content = {"v_a": {"duration_second": 60.5, "duration_frame": 1815, "annotations": [{"segment": [1, 2]}]}}
    assert read_annotations(write(tmp_path, content))["v_a"].duration == 60.5


def timed(duration: float, *segments: tuple[float, float], **more: object) -> dict[str, object]:
    return {"duration": duration, "annotations": [{"segment": list(one)} for one in segments], **more}


def test_milliseconds_are_recognised_by_the_durations(tmp_path: Path) -> None:
    found, line = read(tmp_path, {"a": timed(60, (1500, 59000)), "b": timed(30, (500, 9000)), "c": {"annotations": [
        {"segment": [1000, 2000]}]}})  # fmt: skip
    assert [spans(video) for video in found.values()] == [[(1.5, 59)], [(0.5, 9)], [(1, 2)]]
    assert "taken as milliseconds: 1 (a ends at 59000, its duration is 60 s)" in line


@pytest.mark.parametrize("more", [{"fps": 25.0}, {"frame": 1500}])
def test_frame_numbers_are_recognised_by_durations_and_rates(tmp_path: Path, more: dict[str, float]) -> None:
    found, line = read(tmp_path, {"a": timed(60, (25, 1475), **more)})
    assert spans(found["a"]) == [(1, 59)]
    assert "taken as frames: 1 (a ends at 1475" in line


@pytest.mark.parametrize("last", [1475, 60e6])
def test_segments_of_no_clear_unit_are_left_out(tmp_path: Path, last: float) -> None:
    videos = {"a": timed(60, (25, last)), "b": timed(60, (500, last)), "c": timed(60, (1, 2))}
    found, line = read(tmp_path, videos)
    assert [spans(video) for video in found.values()] == [[], [], [(1, 2)]]
    assert f"in no known unit, left out where far beyond: 1 (a ends at {last:g}, its duration is 60 s)" in line
    del videos["c"]
    with pytest.raises(AnnotationError, match=r"no fps is given: 2.*nothing is left to use: give .* in seconds"):
        read(tmp_path, videos)


def test_frames_of_a_video_without_a_rate_are_left_out(tmp_path: Path) -> None:
    found, line = read(tmp_path, {"a": timed(60, (25, 1475), fps=25), "b": {"annotations": [{"segment": [25, 50]}]}})
    assert [spans(video) for video in found.values()] == [[(1, 59)], []]
    assert "left out, not in seconds, and no fps is given: 1 (b [25, 50])" in line


def test_a_few_segments_beyond_their_video_change_no_unit(tmp_path: Path) -> None:
    found, line = read(tmp_path, {"a": timed(10, (1, 5), (60, 70), (80, 90))})
    assert spans(found["a"]) == [(1, 5)]
    assert line.endswith("left out, before or after the video: 2 (a [60, 70], a [80, 90])")


def test_one_wrong_video_changes_no_unit(tmp_path: Path) -> None:
    found, line = read(tmp_path, {"a": timed(60, (1, 2)), "b": timed(60, (5, 50)), "c": timed(10, (5, 600))})
    assert [spans(video) for video in found.values()] == [[(1, 2)], [(5, 50)], [(5, 10)]]
    assert "clipped to the video: 1 (c [5, 600])" in line


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("nothing", "cannot be read as JSON"),
        ("[" * 100000, "cannot be read as JSON"),
        ("1" * 5000, "no .database.|cannot be read as JSON"),
        ([1], 'no "database"'),
        ({}, 'no "database"'),
        ({"results": {}}, 'no "database"'),
        ({"database": []}, 'no "database"'),
    ],
)
def test_a_file_that_holds_no_annotations_is_refused(tmp_path: Path, content: Any, words: str) -> None:
    with pytest.raises(AnnotationError, match=words):
        read_annotations(write(tmp_path, content))


def test_a_missing_annotation_file_is_named(tmp_path: Path) -> None:
    for name in ("nowhere.json", "."):
        with pytest.raises(AnnotationError, match="cannot be read as JSON"):
            read_annotations(tmp_path / name)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["1", "2.5", "nan"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["database", "annotations", "segment", "label", "duration", "subset", "fps", "v", "w"]),
            inner,
        )
    ),
    max_leaves=20,
)
times = st.integers(-5, 200) | st.floats(-5, 200) | values
entries = st.fixed_dictionaries(
    {
        "annotations": st.lists(st.fixed_dictionaries({"segment": st.lists(times, max_size=3)}) | values, max_size=4)
        | values
    },
    optional={"duration": times, "fps": times, "subset": values},
)


@given(st.fixed_dictionaries({"database": st.dictionaries(st.text(max_size=3), entries | values, max_size=4)}) | values)
def test_whatever_a_file_holds_its_segments_can_be_used_or_it_is_refused(content: Any) -> None:
    with TemporaryDirectory() as folder:
        try:
            found = read_annotations(write(Path(folder), json.dumps(content)), note=lambda line: None)
        except AnnotationError as error:
            assert "\n" not in str(error)
            return
    for video in found.values():
        for one in video.annotations:
            assert 0 <= one.start < one.end < math.inf
            assert video.duration is None or one.end <= video.duration + 1
