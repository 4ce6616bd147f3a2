"""Names of any length, script or form, in one line and as names of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from cmsn_runtime.text import file_name, one_line, printable

ODD = {
    "an address without a path": "rtsp://cam",
    "300 letters": "n" * 300,
    "300 letters of three bytes": "中" * 300,
    "a slash": "a/b",
    "NUL": "a\0b",
    "two lines": "a\nb",
    "right to left": "\u202eabc",
    "an undecodable byte": "\udcff",
    "half a surrogate pair": "\ud800",
    "the folder": ".",
    "the folder above": "..",
    "nothing": "",
    "blanks": "   ",
    "reserved on Windows": "con",
    "reserved on Windows, with a suffix": "AUX.mp4",
    "a backslash": "a\\b",
}


@pytest.mark.parametrize("name", ODD.values(), ids=ODD)
@pytest.mark.parametrize("before", ["", "time-"])
def test_odd_names_make_valid_names_of_files(tmp_path: Path, name: str, before: str) -> None:
    made = file_name(name, before=before, after=".png")
    (tmp_path / made).touch()
    assert [entry.name for entry in tmp_path.iterdir()] == [made]
    assert made.startswith(before) and made.endswith(".png")
    assert printable(made) == made


@pytest.mark.parametrize("name", ["plain", "cam 1", "été", "видео", "a.b.c", "-x"])
def test_plain_names_stay_as_they_are(name: str) -> None:
    assert file_name(name, before="time-", after=".png") == f"time-{name}.png"


def test_names_that_differ_stay_different() -> None:
    given = [*ODD.values(), "a_b", "a?b", "n" * 301]
    assert len({file_name(name) for name in given}) == len(given)


def test_one_line_cannot_steer_a_terminal() -> None:
    assert one_line("a\n\tb \x1b[31mred\x07 \u202e") == "a b \\x1b[31mred\\x07 \\u202e"
