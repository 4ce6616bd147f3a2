"""Labels by the paths of videos, and which videos are compared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cmsn_calibration.labels import chosen_videos, labels_of
from cmsn_runtime.errors import SettingsError

VIDEOS = [Path(f"in/{name}.mp4") for name in "abcdefgh"]


def labelled(path: Path, *names: str) -> Path:
    entry = {"subset": "test", "duration": 20.0, "annotations": [{"segment": [1.0, 3.5], "label": "x"}]}
    path.write_text(json.dumps({"database": dict.fromkeys(names, entry)}))
    return path


def test_labels_of_several_files_are_joined(tmp_path: Path) -> None:
    files = [labelled(tmp_path / "1.json", "a", "z"), labelled(tmp_path / "2.json", "v_c")]
    found = labels_of(files, VIDEOS)
    assert list(found) == ["in/a.mp4", "in/c.mp4"]
    np.testing.assert_array_equal(found["in/a.mp4"], [[1.0, 3.5]])
    assert labels_of([], VIDEOS) == {}


def test_two_files_with_labels_of_one_video_are_refused(tmp_path: Path) -> None:
    files = [labelled(tmp_path / "1.json", "a"), labelled(tmp_path / "2.json", "a", "b")]
    with pytest.raises(SettingsError, match=r"2\.json: another --annotations has labels of in/a\.mp4 too"):
        labels_of(files, VIDEOS)


def test_a_file_without_any_of_the_videos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="none of its entries is one of the videos"):
        labels_of([labelled(tmp_path / "1.json", "z")], VIDEOS)


@pytest.mark.parametrize(("most", "expected"), [(8, "abcdefgh"), (4, "aceg"), (3, "adg"), (1, "a"), (20, "abcdefgh")])
def test_videos_are_spread_over_the_list(most: int, expected: str) -> None:
    assert [video.stem for video in chosen_videos(VIDEOS, {}, most)] == list(expected)


def test_only_labelled_videos_are_compared_where_there_are_any() -> None:
    spans = np.zeros((1, 2))
    assert chosen_videos(VIDEOS, {"in/b.mp4": spans, "in/h.mp4": spans}, 5) == [VIDEOS[1], VIDEOS[7]]
