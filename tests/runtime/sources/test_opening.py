"""Addresses of every kind are opened, or refused in one line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from fractions import Fraction
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from clips import pictures, write_clip

from cmsn_runtime.errors import SettingsError, SourceError, SourceWarning
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.sources import kinds
from cmsn_runtime.sources.formats import demuxer_options
from cmsn_runtime.sources.kinds import SourceKind
from cmsn_runtime.sources.losses import Losses
from cmsn_runtime.sources.opening import SourceOptions, open_source
from cmsn_runtime.sources.order import are_cameras


def test_a_file_name_that_looks_like_a_protocol_is_opened_as_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "a.mp4", pictures(3)).rename(tmp_path / "take:2.mp4")
    with open_source("take:2.mp4") as source:
        assert source.name == "take:2.mp4"
        assert len(list(source)) == 3


def test_passwords_are_not_shown() -> None:
    with pytest.raises(SourceError, match=r"rtsp://\*\*\*@127\.0\.0\.1:1/door") as caught:
        open_source("rtsp://guard:s3cr@t@127.0.0.1:1/door")
    assert "s3cr" not in str(caught.value)


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(SourceError, match=r"nonsense://x.*part before '://'"):
        open_source("nonsense://x")


def test_closing_a_source_ends_its_iteration_and_may_be_repeated(tmp_path: Path) -> None:
    source = open_source(write_clip(tmp_path / "a.mp4", pictures(30)))
    frames = iter(source)
    next(frames)
    source.close()
    source.close()
    assert list(frames) == []


class PaintedSource:
    """A source of another package: one white picture."""

    live = False
    duration = None
    losses = Losses()

    def __init__(self, address: str, *, options: SourceOptions) -> None:
        self.name = address

    def __iter__(self) -> Iterator[Frame]:
        yield Frame(np.full((2, 2, 3), 255, np.uint8), Fraction(0))

    def close(self) -> None:
        pass

    def __enter__(self) -> PaintedSource:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


PAINTED = SourceKind(claims=lambda address: address.startswith("paint:"), open=PaintedSource, is_live=lambda _: True)


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if a package had registered the kind, beside one that cannot be imported."""
    entries = [
        EntryPoint("painted", f"{__name__}:PAINTED", "cmsn.sources"),
        EntryPoint("broken", "no_such_package:KIND", "cmsn.sources"),
    ]
    monkeypatch.setitem(sys.modules, __name__, SimpleNamespace(PAINTED=PAINTED))
    monkeypatch.setattr(kinds, "entry_points", lambda group: entries)
    kinds._kinds.cache_clear()
    yield
    kinds._kinds.cache_clear()


@pytest.mark.usefixtures("painted")
def test_a_kind_of_another_package_is_found_and_a_broken_one_takes_nothing_with_it(tmp_path: Path) -> None:
    with pytest.warns(SourceWarning, match="'broken' are unavailable: No module named"):
        source = open_source("paint:white")
    assert [frame.seconds for frame in source] == [0]
    assert len(list(open_source(write_clip(tmp_path / "a.mp4", pictures(3))))) == 3


@pytest.mark.parametrize(
    ("addresses", "cameras"),
    [
        (["rtsp://cam1", "rtsp://cam2"], True),
        (["/dev/video0"], True),
        (["a.mp4", "b.mp4"], False),
        (["http://host/a.mp4"], False),  # may be either; it is opened to find out
        (["-"], False),
    ],
)
def test_sources_without_an_end_run_at_the_same_time(addresses: list[str], cameras: bool) -> None:
    assert are_cameras(addresses) is cameras


@pytest.mark.parametrize("addresses", [["rtsp://guard:pw@cam1", "a.mp4"], ["a.mp4", "rtsp://guard:pw@cam1"]])
def test_files_among_cameras_are_refused(addresses: list[str]) -> None:
    with pytest.raises(
        SettingsError, match=re.escape("rtsp://***@cam1 has no end of its own, and a.mp4 has one")
    ) as caught:
        are_cameras(addresses)
    assert "pw" not in str(caught.value)


def test_standard_input_given_twice_is_reported() -> None:
    with pytest.warns(SourceWarning, match="standard input is given more than once"):
        assert not are_cameras(["-", "a.mp4", "/dev/stdin"])


@pytest.mark.usefixtures("painted")
@pytest.mark.filterwarnings("ignore:sources of the kind")
def test_a_kind_says_itself_what_has_no_end() -> None:
    assert are_cameras(["paint:white"])


def test_rtsp_has_defaults_that_an_option_overrides() -> None:
    usual = demuxer_options("rtsp", {})
    assert (usual["rtsp_transport"], usual["allowed_media_types"]) == ("tcp", "video")
    assert "nobuffer" not in usual.get("fflags", "")
    assert demuxer_options("rtsps", {"rtsp_transport": "udp"})["rtsp_transport"] == "udp"
    assert "rtsp_transport" not in demuxer_options("", {})
