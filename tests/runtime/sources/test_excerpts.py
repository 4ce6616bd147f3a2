"""--from and --for: the part that is asked for, frame by frame as the whole file has it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import pictures, read, write_clip

from cmsn_runtime.errors import SettingsError, SourceError
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.sources import seeking
from cmsn_runtime.sources.excerpt import Excerpt
from cmsn_runtime.sources.opening import SourceOptions, open_source

# Key frames two seconds apart, with frames before them that need the group of pictures before (an open one).
OPEN_GROUPS = {"g": "50", "bf": "3", "b-adapt": "0", "sc_threshold": "0", "x264-params": "open-gop=1"}


def same(frames: Sequence[Frame], expected: Sequence[Frame]) -> bool:
    return [frame.seconds for frame in frames] == [frame.seconds for frame in expected] and all(
        np.array_equal(one.pixels, other.pixels) for one, other in zip(frames, expected, strict=True)
    )


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi", "a.flv"])
@pytest.mark.parametrize("begin", [Fraction(0), Fraction(7), Fraction(9, 2), Fraction(399, 50), Fraction(20)])
def test_an_excerpt_has_the_frames_of_the_whole_file(tmp_path: Path, name: str, begin: Fraction) -> None:
    clip = write_clip(tmp_path / name, pictures(600), options=OPEN_GROUPS)
    whole = read(clip)
    end = max(begin, whole[0].seconds) + 1
    wanted = [frame for frame in whole if begin <= frame.seconds < end]
    found = read(clip, begin=begin, length=Fraction(1))
    assert found and found[0].seconds - max(begin, whole[0].seconds) < Fraction(1, 20)
    assert same(found, wanted)


def test_an_excerpt_seeks_in_place_of_decoding_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "a.mkv", pictures(600), options=OPEN_GROUPS)
    packets = []
    monkeypatch.setattr(
        "cmsn_runtime.sources.video.Completeness.packet", lambda self, packet, ours: packets.append(packet)
    )
    assert len(read(clip, begin=Fraction(20), length=Fraction(1))) == 25
    assert len(packets) < 100


def test_an_excerpt_decodes_from_the_beginning_where_seeking_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "a.mkv", pictures(200), options=OPEN_GROUPS)
    expected = read(clip, begin=Fraction(6))
    monkeypatch.setattr(seeking, "_PACKETS_LOOKED_AT", 0)
    assert same(read(clip, begin=Fraction(6)), expected)


@pytest.mark.parametrize("begin", [4001, 60_000])
def test_an_excerpt_before_a_restarted_clock_is_found(tmp_path: Path, begin: int) -> None:
    """The clock falls back to 1 s in mid-file, so that a search by time would land behind the fall."""
    first = write_clip(tmp_path / "a.ts", pictures(250), times=[begin + Fraction(n, 25) for n in range(250)])
    second = write_clip(tmp_path / "b.ts", pictures(50), times=[1 + Fraction(n, 25) for n in range(50)])
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    frames = read(both, begin=Fraction(begin + 8), length=Fraction(3))
    # 2 s up to the fall, and one more from the last frame before it.
    assert [frame.seconds for frame in frames] == [
        *(begin + 8 + Fraction(n, 25) for n in range(50)),
        *(1 + Fraction(n, 25) for n in range(26)),
    ]


def test_the_length_of_an_excerpt_counts_from_a_late_first_frame(tmp_path: Path) -> None:
    times = [3 + Fraction(n, 25) for n in range(100)]
    clip = write_clip(tmp_path / "a.mkv", pictures(100), times=times)
    assert [frame.seconds for frame in read(clip, length=Fraction(1, 5))] == times[:5]
    assert [frame.seconds for frame in read(clip, begin=Fraction(1), length=Fraction(1, 5))] == times[:5]


def test_a_file_cut_short_behind_the_excerpt_is_no_error(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    shown = [noise.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(100)]
    whole = write_clip(tmp_path / "whole.mp4", shown, muxing={"movflags": "faststart"})
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert len(read(cut, length=Fraction(1))) == 25


def test_an_excerpt_behind_the_end_is_refused(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", pictures(50))
    with pytest.raises(SourceError, match=r"nothing at 9 s or later; its last frame is at 1\.96 s"):
        read(clip, begin=Fraction(9))


def test_the_duration_of_a_source_is_that_of_its_excerpt(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", pictures(100))
    for options, seconds in (
        (SourceOptions(), 4),
        (SourceOptions(begin=Fraction(1)), 3),
        (SourceOptions(length=Fraction(2)), 2),
        (SourceOptions(begin=Fraction(3), length=Fraction(2)), 1),
    ):
        with open_source(clip, options=options) as source:
            assert source.duration == seconds


def test_the_length_of_an_excerpt_goes_on_over_a_clock_set_back() -> None:
    excerpt = Excerpt(SourceOptions(begin=Fraction(10), length=Fraction(5)))
    steps = [(9, False), (10, False), (13, False), (2, True), (3, False), (4, False)]
    found = [excerpt.place(Fraction(seconds), jumped=jumped) for seconds, jumped in steps]
    assert found == ["before", "inside", "inside", "inside", "inside", "after"]


@pytest.mark.parametrize(
    "options", [{"fps": Fraction(0)}, {"fps": Fraction(-1)}, {"video_stream": -1}, {"length": Fraction(0)}]
)
def test_source_options_outside_their_range_are_refused(options: dict[str, Fraction]) -> None:
    with pytest.raises(SettingsError):
        SourceOptions(**options)  # type: ignore[arg-type]


def test_options_for_the_demuxer_are_not_printed() -> None:
    assert "secret" not in repr(SourceOptions(demuxer={"headers": "Authorization: secret"}))
