"""Folders of videos with their truth: both formats, files that are missing, segments that reach beyond the frames."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from cmsn_runtime.errors import AnnotationError, SettingsError, SourceError
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.timegrid import TimeGrid
from cmsn_training.data.cache import FrameCache
from cmsn_training.data.corpus import AnnotatedVideo, find_corpus
from cmsn_training.data.feature_corpus import load_feature_corpus
from cmsn_training.data.finding import find_features, find_videos

Write = Callable[..., Path]


@pytest.fixture
def cache(tmp_path: Path) -> FrameCache:
    size = (16, 24)
    picture = Preprocessing(resize=size, crop=size, mean=(0.0, 0.0, 0.0))
    return FrameCache(tmp_path / "cache", grid=TimeGrid(Fraction(25)), preprocessing=picture)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """write(name, seconds=2) makes a clip of 25 frames a second in a folder `videos`."""

    def write(name: str, *, seconds: int = 2) -> Path:
        path = tmp_path / "videos" / name
        path.parent.mkdir(exist_ok=True)
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream("mpeg4", rate=25)
            stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
            for number in range(25 * seconds):
                shade = np.full((32, 48, 3), number % 250, dtype=np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(shade, format="rgb24")))
            container.mux(stream.encode(None))
        return path

    return write


def load_corpus(
    videos: Path, annotations: Path, cache: FrameCache, *, progress: Any = iter, **choice: Any
) -> list[AnnotatedVideo]:
    """Found and decoded, as a training does it."""
    return find_corpus(videos, annotations, **choice).decode(cache, rate=cache.grid.fps, progress=progress)


def truth(folder: Path, entries: dict[str, dict[str, Any]]) -> Path:
    path = folder / "truth.json"
    path.write_text(json.dumps({"database": entries}))
    return path


def entry(*segments: tuple[float, float], subset: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"annotations": [{"segment": list(segment), "label": "x"} for segment in segments]}
    return found if subset is None else {**found, "subset": subset}


def test_activitynet_names_its_files_with_a_prefix(tmp_path: Path, cache: FrameCache, write: Write) -> None:
    write("v_-xyz.mp4")
    write("plain.MKV")
    annotations = truth(tmp_path, {"-xyz": entry((0.5, 1.5)), "plain": entry()})
    corpus = {video.name: video for video in load_corpus(tmp_path / "videos", annotations, cache)}
    assert corpus["-xyz"].segments.tolist() == [[0.5, 1.5]]
    assert corpus["plain"].segments.shape == (0, 2)
    assert {name: video.frames.shape for name, video in corpus.items()} == dict.fromkeys(corpus, (50, 16, 24, 3))


def test_the_name_itself_comes_before_the_prefixed_one(tmp_path: Path, write: Write) -> None:
    write("v_a.mp4")
    plain = write("a.avi")
    folder = tmp_path / "videos"
    found = find_videos(folder, ["a", "v_a", "b", "x/a.mp4", "../../a"])
    assert found == {"a": plain, "v_a": folder / "v_a.mp4", "b": None, "x/a.mp4": plain, "../../a": plain}


def test_names_with_dots_keep_their_text(tmp_path: Path, write: Write) -> None:
    paths = [write(f"2020.01.0{day}_cam.mp4") for day in (2, 3)]
    found = find_videos(tmp_path / "videos", ["2020.01.02_cam", "v_2020.01.03_cam", "2020.01.04_cam", "2020"])
    assert list(found.values()) == [*paths, None, None]


def test_feature_files_follow_the_same_rule(tmp_path: Path) -> None:
    for name in ("v_a.npy", "a.mp4.csv", "b.c.txt", "video.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/d.h5").touch()
    (tmp_path / "sub/a.npy").touch()
    found = find_features(tmp_path, ["a", "v_a", "b.c", "b", "video", "sub/d", "../sub/d", "sub/a"])
    names = [path and str(Path(path).relative_to(tmp_path)) for path in found.values()]
    assert names == ["a.mp4.csv", "v_a.npy", "b.c.txt", None, None, "sub/d.h5", None, "sub/a.npy"]


def test_a_folder_of_thumos14_annotations_is_read(
    tmp_path: Path, cache: FrameCache, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write("video_validation_0000001.mp4")
    annotations = tmp_path / "temporal_annotations_validation"
    annotations.mkdir()
    (annotations / "Diving_val.txt").write_text("video_validation_0000001  0.2 0.9\n" * 2)
    (corpus,) = load_corpus(tmp_path / "videos", annotations, cache)
    assert corpus.segments.tolist() == [[0.2, 0.9]]
    assert sum("twice" in line for line in caplog.messages) == 1
    with pytest.raises(SettingsError, match="one subset"):
        load_corpus(tmp_path / "videos", annotations, cache, subset="validation")


def test_a_subset_is_taken_alone(
    tmp_path: Path, cache: FrameCache, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write("a.mp4")
    write("b.mp4")
    annotations = truth(tmp_path, {"a": entry(subset="training"), "b": entry(subset="validation")})
    names = [video.name for video in load_corpus(tmp_path / "videos", annotations, cache, subset="validation")]
    assert names == ["b"]
    assert caplog.messages == []
    assert len(load_corpus(tmp_path / "videos", annotations, cache)) == 2
    assert any("training: 1, validation: 1" in line for line in caplog.messages)
    with pytest.raises(SettingsError, match=r"subset 'val'; it holds training: 1, validation: 1"):
        load_corpus(tmp_path / "videos", annotations, cache, subset="val")


def test_missing_videos_are_named_and_counted(
    tmp_path: Path, cache: FrameCache, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write("g.mp4")
    annotations = truth(tmp_path, {name: entry() for name in "abcdefgh"})
    with pytest.raises(SettingsError, match=r"7 of 8 entries .*: a, b, c, d, e and 2 more; .*v_NAME.*\.mp4.*skip"):
        load_corpus(tmp_path / "videos", annotations, cache)
    corpus = load_corpus(tmp_path / "videos", annotations, cache, missing="skip")
    assert [video.name for video in corpus] == ["g"]
    assert [line for line in caplog.messages if "a, b, c, d, e and 2 more; left out" in line] == caplog.messages


def test_a_corpus_without_any_usable_video_is_an_error(tmp_path: Path, cache: FrameCache) -> None:
    annotations = truth(tmp_path, {"a": entry()})
    with pytest.raises(SettingsError, match="videos: cannot be read"):
        load_corpus(tmp_path / "videos", annotations, cache, missing="skip")
    (tmp_path / "videos").mkdir()
    with pytest.raises(SettingsError, match="1 of 1 entries"):
        load_corpus(tmp_path / "videos", annotations, cache, missing="skip")
    with pytest.raises(SettingsError, match="has no entry"):
        load_corpus(tmp_path / "videos", truth(tmp_path, {}), cache, missing="skip")
    with pytest.raises(AnnotationError, match="nowhere"):
        load_corpus(tmp_path / "videos", tmp_path / "nowhere", cache)


def test_segments_beyond_the_frames_are_clipped_or_left_out_and_reported(
    tmp_path: Path, cache: FrameCache, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write("a.mp4", seconds=4)
    segments = [(-3, -1), (-1, 0.5), (1, 2), (3, 9), (4, 5), (50, 60)]
    (video,) = load_corpus(tmp_path / "videos", truth(tmp_path, {"a": entry(*segments)}), cache)
    assert video.segments.tolist() == [[0, 0.5], [1, 2], [3, 4]]
    first, second = caplog.messages  # before the video, in the file; beyond its frames, once these are known
    assert "before or after the video: 1 (a [-3, -1]); clipped to the video: 1 (a [-1, 0.5])" in first
    assert "left out, outside the video: 2 (a [4, 5] of 4.000 s, a [50, 60] of 4.000 s)" in second
    assert "clipped to the video: 1 (a [3, 9] of 4.000 s)" in second


def test_annotations_of_which_nothing_lies_in_the_videos_are_refused(
    tmp_path: Path, cache: FrameCache, write: Write
) -> None:
    write("a.mp4")
    annotations = truth(tmp_path, {"a": entry((3, 5), (20, 60))})
    with pytest.raises(SettingsError, match=r"a \[3, 5\] of 2\.000 s.*no segment is left to learn"):
        load_corpus(tmp_path / "videos", annotations, cache)
    write_features(tmp_path, a=np.zeros((50, 3)))
    with pytest.raises(SettingsError, match="no segment is left to learn"):
        load_feature_corpus(tmp_path, annotations, width=3, rate=Fraction(25))
    assert len(load_feature_corpus(tmp_path, truth(tmp_path, {"a": entry()}), width=3, rate=Fraction(25))) == 1


def test_rounded_durations_are_not_reported(
    tmp_path: Path, cache: FrameCache, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write("a.mp4")
    (video,) = load_corpus(tmp_path / "videos", truth(tmp_path, {"a": entry((1.0, 2.04))}), cache)
    assert video.segments.tolist() == [[1.0, 2.0]]
    assert caplog.messages == []


def test_progress_sees_every_video_once_and_as_it_comes(tmp_path: Path, cache: FrameCache, write: Write) -> None:
    for name in "abc":
        write(f"{name}.mp4")
    seen: list[tuple[str, int]] = []

    def progress(items: Any) -> Any:
        for item in items:
            yield item
            seen.append((item[0], len(list(cache.folder.glob("*.npy")))))

    annotations = truth(tmp_path, {name: entry() for name in "abc"})
    assert len(load_corpus(tmp_path / "videos", annotations, cache, progress=progress)) == 3
    assert seen == [("a", 1), ("b", 2), ("c", 3)]


def test_feature_files_take_the_same_settings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", np.zeros((5, 3), np.float32))
    entries = {name: entry(subset="training") for name in "az"}
    annotations = truth(tmp_path, {**entries, "b": entry(subset="testing")})
    with caplog.at_level(logging.WARNING):
        corpus = load_feature_corpus(
            tmp_path, annotations, width=3, rate=Fraction(25), subset="training", missing="skip"
        )
    assert [video.name for video in corpus] == ["a"]
    assert any("1 of 2 entries" in line and "z" in line for line in caplog.messages)
    with pytest.raises(SettingsError, match="1 of 2 entries"):
        load_feature_corpus(tmp_path, annotations, width=3, rate=Fraction(25), subset="training")


def write_features(folder: Path, **arrays: Any) -> Path:
    for name, rows in arrays.items():
        np.save(folder / f"{name}.npy", rows)
    return folder


def test_one_hdf5_file_takes_the_same_settings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "all.h5", "w") as file:
        for name in ("a", "v_b", "c/rows"):
            file[name] = np.zeros((50, 3), np.float32)
    annotations = truth(tmp_path, {name: entry((0.5, 1.5)) for name in "abcz"})
    corpus = load_feature_corpus(tmp_path / "all.h5", annotations, width=3, rate=Fraction(25), missing="skip")
    assert [video.name for video in corpus] == ["a", "b", "c"]
    assert ["1 of 4 entries" in line and "z; left out" in line for line in caplog.messages] == [True]
    with pytest.raises(SettingsError, match=r"1 of 4 entries have no file in .*all\.h5: z; .*skip"):
        load_feature_corpus(tmp_path / "all.h5", annotations, width=3, rate=Fraction(25))
    with pytest.raises(SourceError, match=r"gone\.h5: cannot be read as HDF5 \(No such file or directory\)"):
        load_feature_corpus(tmp_path / "gone.h5", annotations, width=3, rate=Fraction(25), missing="skip")


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (np.full((50, 3), np.nan), r"a\.npy: row 0 .*NaN"),
        (np.zeros((3, 50)), r"a\.npy: .*\[3, 50\]: transposed\?"),
        (np.zeros((50, 5)), r"a\.npy: .*rows of 3 values"),
        (np.zeros(50), r"a\.npy: .*\[n, 3\]"),
    ],
)
def test_features_that_cannot_be_learnt_from_are_refused(tmp_path: Path, rows: Any, fault: str) -> None:
    write_features(tmp_path, a=rows)
    with pytest.raises(SourceError, match=fault):
        load_feature_corpus(tmp_path, truth(tmp_path, {"a": entry()}), width=3, rate=Fraction(25))


def test_segments_beyond_the_rows_are_clipped_as_beyond_frames(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_features(tmp_path, a=np.zeros((50, 3)))
    annotations = truth(tmp_path, {"a": entry((1, 9), (5, 6))})
    (video,) = load_feature_corpus(tmp_path, annotations, width=3, rate=Fraction(25))
    assert video.segments.tolist() == [[1, 2]]
    assert ["left out, outside the video: 1 (a [5, 6] of 2.000 s)" in line for line in caplog.messages] == [True]


def test_rows_at_another_rate_than_the_annotations_are_noticed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_features(tmp_path, **{name: np.zeros((500, 3)) for name in "abc"})
    entries = {name: {"duration": 50.0, **entry((1, 2))} for name in "abc"}
    with pytest.raises(SettingsError, match=r"3 of 3 videos do not last .*\(a, b, c\); a: .*10 rows per second .*grid"):
        load_feature_corpus(tmp_path, truth(tmp_path, entries), width=3, rate=Fraction(25))
    entries["a"]["duration"] = 20.0
    assert len(load_feature_corpus(tmp_path, truth(tmp_path, entries), width=3, rate=Fraction(10))) == 3
    assert ["1 of 3 videos do not last" in line for line in caplog.messages] == [True]


CONFIG = """
[data]
videos = "videos"
annotations = "truth.json"
subset = "training"
validation_videos = "videos"
validation_annotations = "truth.json"
validation_subset = "validation"
missing = "skip"
decoders = 2
[preprocessing]
resize = [16, 24]
crop = [16, 24]
"""


def test_a_configuration_takes_one_file_with_both_subsets(tmp_path: Path, write: Write) -> None:
    pytest.importorskip("torch")
    from cmsn_training.config import load_config
    from cmsn_training.data.opening import open_inputs

    for name in "abc":
        write(f"{name}.mp4")
    entries = {**{name: entry(subset="training") for name in "acz"}, "b": entry(subset="validation")}
    truth(tmp_path, {**entries, "y": entry(subset="testing")})
    (tmp_path / "config.toml").write_text(CONFIG)
    inputs = open_inputs(load_config(tmp_path / "config.toml"), {})
    assert [video.name for video in inputs.training] == ["a", "c"]
    assert [video.name for video in inputs.held_out] == ["b"]


def test_faults_of_the_training_part_are_found_before_any_video_is_decoded(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pydantic")
    from cmsn_training.config import load_config
    from cmsn_training.data.opening import open_inputs

    write("a.mp4")
    monkeypatch.setattr(FrameCache, "ensure", lambda *_: pytest.fail("a video was decoded"))
    truth(tmp_path, {"a": entry()})
    (tmp_path / "config.toml").write_text(
        '[data]\nvideos = "videos"\nannotations = "nowhere.json"\n'
        'validation_videos = "videos"\nvalidation_annotations = "truth.json"\n'
    )
    with pytest.raises(AnnotationError, match=r"nowhere\.json"):
        open_inputs(load_config(tmp_path / "config.toml"), {})
