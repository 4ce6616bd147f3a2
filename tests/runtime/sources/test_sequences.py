"""Folders and globs of pictures, as one video."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from clips import number_of, read, write_pictures

from cmsn_runtime.errors import SourceError, SourceWarning
from cmsn_runtime.sources.opening import SourceOptions, open_source

TEN = Fraction(10)


def test_pictures_come_in_natural_order(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["1.png", "2.png", "10.png", "a1.jpg", "a2.jpg", "a10.jpg"])
    frames = read(tmp_path, fps=TEN)
    assert [(number_of(frame), frame.seconds) for frame in frames] == [(n, n / TEN) for n in range(6)]


@pytest.mark.parametrize("pattern", ["*.png", "f[0-9].png", "f?.png", "../*/f*.png"])
def test_a_glob_of_pictures_is_one_sequence(tmp_path: Path, pattern: str) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    write_pictures(folder, ["f1.png", "f2.png", "f3.png"])
    assert [number_of(frame) for frame in read(folder / pattern, fps=TEN)] == [0, 1, 2]


def test_pictures_of_a_sequence_may_differ_in_size(tmp_path: Path) -> None:
    sizes = [(48, 64), (33, 57), (1, 1)]
    write_pictures(tmp_path, ["1.png", "2.png", "3.png"], sizes=sizes)
    assert [frame.pixels.shape for frame in read(tmp_path, fps=TEN)] == [(*size, 3) for size in sizes]


def test_a_sequence_without_a_rate_runs_at_25_fps_with_one_warning(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["1.png", "2.png"])
    with pytest.warns(SourceWarning, match="no timestamps; taken as 25 frames per second.*--fps") as caught:
        assert [frame.seconds for frame in read(tmp_path)] == [0, Fraction(1, 25)]
    assert len(caught) == 1


def test_files_that_are_no_pictures_are_left_out_with_a_line(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["1.png", "2.png"])
    for name in ("notes.txt", "Thumbs.db", ".DS_Store", "._1.png"):
        (tmp_path / name).write_bytes(b"nothing")
    (tmp_path / "more.png").mkdir()
    with pytest.warns(SourceWarning, match=r"left out 2 files that are not pictures: notes\.txt, Thumbs\.db"):
        assert len(read(tmp_path, fps=TEN)) == 2


def test_a_damaged_picture_keeps_its_time_and_is_counted(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["1.png", "2.png", "3.png"])
    (tmp_path / "2.png").write_bytes(b"<html>not found</html>")
    with open_source(tmp_path, options=SourceOptions(fps=TEN)) as source:
        assert [frame.seconds for frame in source] == [0, Fraction(2, 10)]
        assert str(source.losses) == "1 damaged picture could not be shown"


def test_a_name_that_looks_like_a_pattern_is_one_picture(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["50%d.png", "[x].png"])
    assert len(read(tmp_path, fps=TEN)) == 2


def test_an_excerpt_of_a_sequence_has_its_pictures_and_times(tmp_path: Path) -> None:
    write_pictures(tmp_path, [f"{n}.png" for n in range(20)])
    frames = read(tmp_path, fps=TEN, begin=Fraction(1, 2), length=Fraction(3, 10))
    assert [(number_of(frame), frame.seconds) for frame in frames] == [(n, n / TEN) for n in (5, 6, 7)]
    with open_source(tmp_path, options=SourceOptions(fps=TEN, begin=Fraction(1, 2))) as source:
        assert source.duration == Fraction(3, 2)


@pytest.mark.parametrize(("count", "options"), [(1, {}), (3, {"begin": Fraction(9)})])
def test_a_sequence_without_any_readable_picture_is_one_line(
    tmp_path: Path, count: int, options: dict[str, Fraction]
) -> None:
    for number in range(count):
        (tmp_path / f"{number}.png").write_bytes(b"no picture")
    with pytest.raises(SourceError, match="not one picture"):
        read(tmp_path, fps=TEN, **options)


def test_closing_a_sequence_ends_its_iteration_and_may_be_repeated(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["1.png", "2.png"])
    source = open_source(tmp_path, options=SourceOptions(fps=TEN))
    next(iter(source))
    source.close()
    source.close()
    assert list(source) == []
