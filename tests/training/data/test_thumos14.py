"""THUMOS14's annotations: the official files with the field's counts, and every fault that may stand in such files."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmsn_runtime.errors import AnnotationError
from cmsn_training.data.thumos14 import read_rates, read_thumos14
from cmsn_training.data.truth import read_truth

LABELS = ["Ambiguous", "CliffDiving", "Diving", "LongJump"]


@pytest.mark.parametrize(
    ("part", "videos", "with_any", "count"), [("validation", 200, 200, 3007), ("test", 213, 212, 3358)]
)
def test_the_official_files_are_read_whole(shared: Path, part: str, videos: int, with_any: int, count: int) -> None:
    found = read_thumos14(shared / f"data/thumos14/temporal_annotations_{part}").videos
    assert len(found) == videos
    assert sum(bool(video.annotations) for video in found.values()) == with_any
    assert sum(len(video.annotations) for video in found.values()) == count


def test_known_faults_are_reported_in_one_line(shared: Path) -> None:
    folder = shared / "data/thumos14/temporal_annotations_test"
    found = read_thumos14(folder)
    assert "without an annotation that counts" in str(found.account)
    assert "video_test_0001292" in str(found.account)
    assert "\n" not in str(found.account)
    everything = read_thumos14(folder, ambiguous="keep").videos
    assert sum(len(video.annotations) for video in everything.values()) == 3457


def test_frame_rates_are_exact_fractions(shared: Path) -> None:
    rates = read_rates(shared / "data/thumos14/thumos14_test_groundtruth.csv")
    assert len(rates) == 213
    assert {float(rate) for rate in rates.values()} >= {25.0, 30.0}


def test_each_kind_of_fault_is_reported(tmp_path: Path) -> None:
    (tmp_path / "Diving_test.txt").write_text("v1  1.0 2.0\n\nv1 1.0   2.0\nv1 5 4\nv1 5 5\nv2 -3 20\nv3 -3 -1\n")
    (tmp_path / "CliffDiving_test.txt").write_text("v1 1.0 2.0\n")
    (tmp_path / "Ambiguous_test.txt").write_text("v4 1 2\n")
    found = read_thumos14(tmp_path)
    assert {name: [(a.start, a.end, a.label) for a in v.annotations] for name, v in found.videos.items()} == {
        "v1": [(1.0, 2.0, "CliffDiving"), (1.0, 2.0, "Diving")],
        "v2": [(0.0, 20.0, "Diving")],
        "v3": [],
        "v4": [],
    }
    assert str(found.account) == (
        f"{tmp_path}: taken once, given twice: 1 (v1 Diving [1, 2]); "
        "left out, of no length or reversed: 2 (v1 Diving [5, 4], v1 Diving [5, 5]); "
        "clipped to the video: 1 (v2 Diving [-3, 20]); "
        "left out, before or after the video: 1 (v3 Diving [-3, -1]); "
        "without an annotation that counts (only Ambiguous ones, or none that can be used): 2 (v3, v4)"
    )
    assert set(read_truth(tmp_path)) == {"v1", "v2", "v3", "v4"}


@pytest.mark.parametrize("line", ["v1 one 2", "v1 1", "v1 1 2 3", "v1 nan 2", "v1 1 inf", "\x00\x01", "v1;1;2"])
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "Diving_val.txt").write_text(f"v1 1 2\n\n{line}\n")
    with pytest.raises(AnnotationError, match=r"Diving_val\.txt, line 3"):
        read_thumos14(tmp_path)


def test_other_text_files_are_named_and_not_read(tmp_path: Path) -> None:
    (tmp_path / "Diving_val.txt").write_text("\ufeffv1 1 2\r\n", encoding="utf-8")
    (tmp_path / "readme.txt").write_text("v2 1 2\n")
    (tmp_path / "._Diving_val.txt").write_bytes(b"\x00\x05\x16\x07")  # what macOS leaves in archives
    found = read_thumos14(tmp_path)
    assert set(found.videos) == {"v1"}
    assert str(found.account) == f"{tmp_path}: not read, not named CLASS_val.txt or CLASS_test.txt: 1 (readme.txt)"


segments = st.tuples(
    st.sampled_from(["v1", "v2", "v3"]), st.integers(-50, 400), st.integers(-50, 400), st.sampled_from(LABELS)
)


@given(st.lists(segments, max_size=30))
def test_every_line_is_kept_or_reported(rows: list[tuple[str, int, int, str]]) -> None:
    """Whatever the files hold: segments go forward from 0 s on, and nothing vanishes in silence."""
    with TemporaryDirectory() as name:
        for label in LABELS:
            lines = [f"{v}  {start / 10} {end / 10}" for v, start, end, which in rows if which == label]
            (Path(name) / f"{label}_val.txt").write_text("\n".join(lines))
        found = read_thumos14(Path(name))
    assert set(found.videos) == {video for video, *_ in rows}
    for video in found.videos.values():
        assert all(0 <= one.start < one.end for one in video.annotations)
        assert len(set(video.annotations)) == len(video.annotations)
    kept = sum(len(video.annotations) for video in found.videos.values())
    usable = [row for row in rows if row[3] != "Ambiguous"]
    assert kept <= len(usable)
    assert kept == len(usable) or found.account


def test_no_segment_of_the_official_files_counts_twice_within_a_class(shared: Path) -> None:
    for part in ("validation", "test"):
        for video in read_thumos14(shared / f"data/thumos14/temporal_annotations_{part}").videos.values():
            assert len(set(video.annotations)) == len(video.annotations)


@pytest.mark.parametrize(
    "content", ["", "video-name,fps\nv1,30\n", "video-name,frame-rate\nv1,fast\n", "video-name,frame-rate\nv1,0\n"]
)
def test_rates_that_cannot_be_read_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(content)
    if content:
        with pytest.raises(AnnotationError, match=r"rates\.csv.*frame-rate"):
            read_rates(path)
    else:
        assert read_rates(path) == {}


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(AnnotationError, match="CLASS_val"):
        read_thumos14(tmp_path)
