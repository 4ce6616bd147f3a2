"""The folder of clips stays within its bytes, and nothing of other people's in it is touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cmsn_runtime.bounded_folder import BoundedFolder
from cmsn_runtime.errors import OutputError

MARKS = (".clip.mp4", ".clip.json")


def pair(folder: Path, name: str, *, size: int = 40, time: int | None = None) -> tuple[Path, Path]:
    paths = folder / f"{name}.clip.mp4", folder / f"{name}.clip.json"
    for path in paths:
        path.write_bytes(bytes(size // 2))
        if time is not None:
            os.utime(path, (time, time))
    return paths


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_oldest_go_first_with_their_sidecars_and_are_counted(tmp_path: Path) -> None:
    folder = BoundedFolder(tmp_path, max_bytes=100, marks=MARKS)
    for name in "abc":
        folder.add(*pair(tmp_path, name))
    assert names(tmp_path) == ["b.clip.json", "b.clip.mp4", "c.clip.json", "c.clip.mp4"]
    assert (folder.removed, folder.bytes) == (1, 80)


def test_a_folder_that_was_removed_is_created_again(tmp_path: Path) -> None:
    folder = BoundedFolder(tmp_path / "clips", max_bytes=100, marks=MARKS)
    folder.path.rmdir()
    assert folder.make_room(10) and folder.path.is_dir()


def test_room_is_made_before_a_clip_is_written(tmp_path: Path) -> None:
    folder = BoundedFolder(tmp_path, max_bytes=100, marks=MARKS)
    folder.add(*pair(tmp_path, "a"))
    folder.add(*pair(tmp_path, "b"))
    assert folder.make_room(60) and folder.bytes == 40


def test_a_clip_larger_than_the_limit_removes_nothing(tmp_path: Path) -> None:
    folder = BoundedFolder(tmp_path, max_bytes=100, marks=MARKS)
    folder.add(*pair(tmp_path, "a"))
    assert not folder.make_room(101) and folder.bytes == 40


def test_what_an_earlier_run_left_counts_by_its_age(tmp_path: Path) -> None:
    for name, time in (("new", 300), ("old", 100), ("middle", 200)):
        pair(tmp_path, name, time=time)
    folder = BoundedFolder(tmp_path, max_bytes=90, marks=MARKS)
    assert names(tmp_path)[::2] == ["middle.clip.json", "new.clip.json"] and folder.removed == 1


def test_files_of_other_names_are_left_alone_and_not_counted(tmp_path: Path) -> None:
    (tmp_path / "holiday.mp4").write_bytes(bytes(1000))
    (tmp_path / "holiday.json").write_bytes(bytes(1000))
    folder = BoundedFolder(tmp_path, max_bytes=10, marks=MARKS)
    assert folder.bytes == 0 and names(tmp_path) == ["holiday.json", "holiday.mp4"]


def test_a_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        BoundedFolder(tmp_path / "file" / "clips", max_bytes=10, marks=MARKS)
