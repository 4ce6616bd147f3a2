"""Times in a clip are valid for any muxer, whatever those of the camera are."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmsn_runtime.capture.items import CapturedPacket, Codec
from cmsn_runtime.clips.bitstream import Bitstream
from cmsn_runtime.clips.remuxing import clip_times, container_of, write_packets
from cmsn_runtime.errors import OutputError

CODEC = Codec("mjpeg", 64, 48, "yuvj420p", b"", Fraction(1, 10**9), 1)


def packet(seconds: Fraction | None, *, codec: Codec = CODEC, data: bytes = b"x") -> CapturedPacket:
    return CapturedPacket(data, None, None, 0, True, seconds, codec, 0.0)


@given(
    st.lists(st.one_of(st.none(), st.fractions(-100, 100)), min_size=1, max_size=30),
    st.sampled_from([Fraction(1, 1000), Fraction(1, 90000)]),
)
def test_times_differ_increase_and_are_never_shown_before_they_are_decoded(
    seconds: list[Fraction | None], tick: Fraction
) -> None:
    times = clip_times([packet(each) for each in seconds], tick)
    assert times[0][1] == 0 and all(pts >= dts for pts, dts in times)
    assert all(before < after for (_, before), (_, after) in pairwise(times))
    assert len({pts for pts, _ in times}) == len(times)


def test_frames_that_are_decoded_early_keep_their_order() -> None:
    """I P B B, as they come: shown 0, 3, 1, 2."""
    times = clip_times([packet(Fraction(each, 10)) for each in (0, 3, 1, 2)], Fraction(1, 1000))
    assert times == [(100, 0), (400, 100), (200, 200), (300, 300)]


@pytest.mark.parametrize(
    ("codec", "found"),
    [
        ("h264", "mp4"),
        ("hevc", "mp4"),
        ("mjpeg", "mp4"),
        ("libdav1d", "mp4"),
        ("vp9", "matroska"),
        ("none such", "matroska"),
    ],
)
def test_browsers_get_mp4_where_it_takes_the_codec(codec: str, found: str) -> None:
    assert container_of(codec)[0] == found


def test_a_codec_that_ffmpeg_does_not_know_is_an_error_of_one_line(tmp_path: Path) -> None:
    codec = Codec("none such", 64, 48, "", b"", Fraction(1, 1000), 1)
    with pytest.raises(OutputError, match="none such packets cannot be written as matroska"):
        write_packets(tmp_path / "clip.mkv", [packet(Fraction(0), codec=codec)], format="matroska")


def test_extradata_that_end_early_are_refused() -> None:
    with pytest.raises(ValueError, match="within a parameter set"):
        Bitstream.of("h264", bytes([1, 100, 0, 10, 255, 225, 0, 50, 103]))


def test_vp9_is_written_as_matroska_with_every_frame(tmp_path: Path) -> None:
    source = tmp_path / "source.webm"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libvpx-vp9", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(10):
            frame = av.VideoFrame(64, 48, "rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with av.open(str(source)) as container:
        tick = Fraction(container.streams.video[0].time_base or 1)
        codec = Codec("vp9", 64, 48, "yuv420p", b"", tick, 1)
        packets = [
            CapturedPacket(bytes(each), each.pts, each.dts, 0, each.is_keyframe, (each.pts or 0) * tick, codec, 0.0)
            for each in container.demux(video=0)
            if each.size
        ]
    write_packets(tmp_path / "clip.mkv", packets, format="matroska")
    with av.open(str(tmp_path / "clip.mkv")) as container:
        assert len(list(container.decode(video=0))) == 10
