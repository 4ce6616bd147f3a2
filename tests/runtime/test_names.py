"""One rule for what videos are called, wherever their names come from."""

from __future__ import annotations

import unicodedata

import pytest

from cmsn_runtime.names import ByName, first_few, split_dataset, video_id, without_suffix


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/a/b.c.mp4", "b.c"),
        ("videos/v_abc.MKV", "v_abc"),
        ("2020.01.02_cam", "2020.01.02_cam"),
        ("2020.01.02_cam.mp4", "2020.01.02_cam"),
        ("cam.front", "cam.front"),
        ("what?.mp4", "what?"),
        ("a.mp4.npy", "a"),
        (".mp4", ".mp4"),
        ("rows.h5", "rows"),
        ("rows.h5::a", "a"),
        ("rows.HDF5::group/a", "group/a"),
        ("rows.h5::a.b", "a.b"),
        ("odd::name.mp4", "odd::name"),
        ("rtsp://host/cam1.sdp?token=x", "cam1"),
        ("https://host/live/my%20cam/index.m3u8", "my cam"),
        ("https://host/live/my%20cam.m3u8", "my cam"),
        ("https://host/index.m3u8", "index"),
        ("rtsp://user:secret@host:554", "host:554"),
        ("rtsp://host/", "host"),
        ("rtsp://user:se/cret@host", "host"),
        ("rtsp://user:se/cret@host/cam.2", "cam.2"),
        ("rtsp://host?token=secret", "host"),
        ("rtsp://[::1", "rtsp://[::1"),
        ("frames/v0/img_%05d.jpg", "v0"),
        ("frames/v0/*.png", "v0"),
        ("frames/cam1_%04d.png", "cam1"),
        ("frames/cam1-????.jpg", "cam1"),
        ("frames/cam1*.jpg", "cam1"),
        ("frames/v0/img_00[0-9]*.PNG", "v0"),
        ("frames/v0/????.png", "v0"),
        ("clip[1].mp4", "clip[1]"),
        ("50%done*.mp4", "50%done*"),
        ("frames/v0/*", "v0"),
        ("frames/v0/*.*", "v0"),
        ("frames/v0/", "v0"),
        ("-", "-"),
        ("Köln.mp4", "Köln"),
    ],
)
def test_sources_are_called_by_file_name_without_known_suffixes(source: str, name: str) -> None:
    assert video_id(source) == name


def test_the_current_folder_goes_by_its_name(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert video_id(".") == str(tmp_path).rsplit("/", 1)[-1]


def test_a_dataset_is_split_off_hdf5_files_alone() -> None:
    assert split_dataset("x.h5::/g/a") == ("x.h5", "g/a")
    assert split_dataset("x.mp4::a") == ("x.mp4::a", "")
    assert split_dataset("x.h5") == ("x.h5", "")


def test_only_known_suffixes_are_cut() -> None:
    assert [without_suffix(name) for name in ("a.b.mp4", "a.MP4.csv", "a.b", "1.5")] == ["a.b", "a", "a.b", "1.5"]


@pytest.mark.parametrize("known", ["abc", "v_abc", "abc.mp4", "v_abc.mkv", "videos/abc.mp4", "abc.npy", "all.h5::abc"])
@pytest.mark.parametrize(
    "asked", ["abc", "v_abc", "abc.mp4", "x/v_abc.avi", "all.h5::v_abc", "abc/c3d", "C:\\v\\abc.mp4"]
)
def test_every_form_of_a_name_meets_every_other(known: str, asked: str) -> None:
    assert ByName({"other": 0, known: 1}).own_name(asked) == known


def test_a_group_of_one_dataset_goes_by_the_name_of_the_group() -> None:
    found = ByName({"v_abc/c3d": 1, "two/a": 2, "two/b": 3})
    assert (found["abc"], found["a"], found["b"]) == (1, 2, 3)
    assert "two" not in found


def test_a_folder_in_common_makes_no_match() -> None:
    assert ByName({"videos/a": 1, "videos/b": 2}).own_name("videos/c") is None


def test_the_exact_name_comes_first() -> None:
    found = ByName({"v_a": 1, "a": 2, "a.mp4": 3})
    assert [found[name] for name in ("v_a", "a", "a.mp4", "a.avi", "v_a.avi")] == [1, 2, 3, 2, 1]


def test_names_that_share_no_form_do_not_meet() -> None:
    found = ByName({"2020.01.02_cam": 1, "2020.01.03_cam": 2})
    assert found["2020.01.03_cam.mp4"] == 2
    assert "2020.01" not in found
    assert "cam" not in found
    with pytest.raises(KeyError):
        found["2020.01.04_cam"]


def test_accents_written_in_two_ways_are_one_name() -> None:
    assert ByName({"Köln": 1})[unicodedata.normalize("NFD", "Köln") + ".mp4"] == 1


def test_a_line_lists_the_first_names_and_counts_the_rest() -> None:
    assert first_few(list("abc")) == "a, b, c"
    assert first_few(list("abcdefg")) == "a, b, c, d, e and 2 more"
