"""Addresses of every kind are opened, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from clips import pictures, write_clip

from cmsn_runtime.errors import SourceError
from cmsn_runtime.sources.opening import open_source


def test_a_name_that_looks_like_a_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "a.mp4", pictures(3)).rename(tmp_path / "take:2.mp4")
    with open_source("take:2.mp4") as source:
        assert source.name == "take:2.mp4"
        assert len(list(source)) == 3


def test_passwords_are_not_told() -> None:
    with pytest.raises(SourceError, match=r"rtsp://\*\*\*@127\.0\.0\.1:1/door") as caught:
        open_source("rtsp://guard:s3cr@t@127.0.0.1:1/door")
    assert "s3cr" not in str(caught.value)


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(SourceError, match=r"nonsense://x.*part before '://'"):
        open_source("nonsense://x")


def test_closing_ends_the_iteration_and_may_be_done_twice(tmp_path: Path) -> None:
    source = open_source(write_clip(tmp_path / "a.mp4", pictures(30)))
    frames = iter(source)
    next(frames)
    source.close()
    source.close()
    assert list(frames) == []
