"""THUMOS14's annotations: the official files with the field's counts, and every fault that may stand in such files."""

from __future__ import annotations

from pathlib import Path

import pytest

from cmsn_runtime.errors import AnnotationError
from cmsn_training.data.thumos14 import read_durations, read_rates, read_thumos14
from cmsn_training.data.truth import read_truth


@pytest.mark.parametrize(
    ("part", "videos", "with_any", "count"), [("validation", 200, 200, 3007), ("test", 213, 212, 3358)]
)
def test_the_official_files(shared: Path, part: str, videos: int, with_any: int, count: int) -> None:
    found = read_thumos14(shared / f"data/thumos14/temporal_annotations_{part}").videos
    assert len(found) == videos
    assert sum(bool(video.annotations) for video in found.values()) == with_any
    assert sum(len(video.annotations) for video in found.values()) == count


def test_known_faults_are_told(shared: Path) -> None:
    folder = shared / "data/thumos14"
    durations = read_durations(folder / "thumos14_test_groundtruth.csv")
    found = read_thumos14(folder / "temporal_annotations_test", durations=durations)
    beyond = [line for line in found.faults if "0000270" in line]
    assert beyond
    assert all(one.end <= durations[name] for name, video in found.videos.items() for one in video.annotations)
    assert any("0001292" in line and "Ambiguous" in line for line in found.faults)
    everything = read_thumos14(folder / "temporal_annotations_test", ambiguous="keep").videos
    assert sum(len(video.annotations) for video in everything.values()) == 3457


def test_cliff_diving_is_diving_once_where_asked(shared: Path) -> None:
    folder = shared / "data/thumos14/temporal_annotations_test"
    once = read_thumos14(folder, duplicates="drop").videos
    segments = [
        (name, one.start, one.end) for name, video in once.items() for one in video.annotations if "Div" in one.label
    ]
    assert len(set(segments)) == len(segments)


def test_rates_are_exact(shared: Path) -> None:
    rates = read_rates(shared / "data/thumos14/thumos14_test_groundtruth.csv")
    assert len(rates) == 213
    assert {float(rate) for rate in rates.values()} >= {25.0, 30.0}


def test_faults_of_made_up_files(tmp_path: Path) -> None:
    (tmp_path / "Diving_test.txt").write_text("v1  1.0 2.0\n\nv1 1.0   2.0\nv1 5 4\nv2 8 20\nv3 30 40\n")
    (tmp_path / "CliffDiving_test.txt").write_text("v1 1.0 2.0\n")
    (tmp_path / "Ambiguous_test.txt").write_text("v4 1 2\n")
    found = read_thumos14(tmp_path, durations={"v1": 10.0, "v2": 10.0, "v3": 10.0, "v4": 10.0}, duplicates="drop")
    assert {name: [(a.start, a.end, a.label) for a in v.annotations] for name, v in found.videos.items()} == {
        "v1": [(1.0, 2.0, "CliffDiving")],
        "v2": [(8.0, 10.0, "Diving")],
        "v3": [],
        "v4": [],
    }
    text = "\n".join(found.faults)
    for part in ("twice", "forward", "clipped", "begins after", "stand under Diving too", "v4: has no annotation"):
        assert part in text
    assert set(read_truth(tmp_path)) == {"v1", "v2", "v3", "v4"}


def test_a_line_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "Diving_val.txt").write_text("v1 1 2\nv1 one 2\n")
    with pytest.raises(AnnotationError, match=r"Diving_val\.txt, line 2"):
        read_thumos14(tmp_path)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(AnnotationError, match="CLASS_val"):
        read_thumos14(tmp_path)
