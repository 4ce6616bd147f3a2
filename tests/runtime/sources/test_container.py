"""Which stream of a container is shown, and what is said of one that cannot be opened."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from clips import numbered, pictures, read, write_clip

from cmsn_runtime.errors import SourceError


def write_streams(path: Path, sizes: list[tuple[int, int]], *, covers: int = 0, sound: bool = False) -> Path:
    """A video stream for each (height, width); the first `covers` of them are cover pictures."""
    with av.open(str(path), "w") as container:
        streams: list[Any] = []
        for number, (height, width) in enumerate(sizes):
            stream: Any = container.add_stream("mjpeg" if number < covers else "libx264", rate=25)
            stream.height, stream.width = height, width
            stream.pix_fmt = "yuvj420p" if number < covers else "yuv420p"
            if number < covers:
                stream.disposition = Disposition.attached_pic
            streams.append(stream)
        audio: Any = container.add_stream("mp3" if path.suffix == ".mp3" else "aac", rate=44100) if sound else None
        for number, stream in enumerate(streams):
            for index in range(1 if number < covers else 5):
                picture = np.full((stream.height, stream.width, 3), 40 * (number + 1), np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        for index in range(20 if sound else 0):
            tone = av.AudioFrame.from_ndarray(np.zeros((2, 1152), np.float32), format="fltp", layout="stereo")
            tone.sample_rate, tone.pts = 44100, index * 1152
            container.mux(audio.encode(tone))
        if sound:
            container.mux(audio.encode(None))
    return path


def test_a_file_with_only_a_cover_picture_is_refused(tmp_path: Path) -> None:
    song = write_streams(tmp_path / "song.mp3", [(300, 300)], covers=1, sound=True)
    with pytest.raises(SourceError, match="holds no video, only a cover picture, audio"):
        read(song)


def test_the_video_stream_is_chosen_over_a_larger_cover_picture(tmp_path: Path) -> None:
    clip = write_streams(tmp_path / "a.mp4", [(480, 640), (48, 64)], covers=1)
    frames = read(clip)
    assert [frame.pixels.shape for frame in frames] == [(48, 64, 3)] * 5


@pytest.mark.parametrize("number", [0, 1])
def test_one_of_several_streams_can_be_chosen(tmp_path: Path, number: int) -> None:
    sizes = [(48, 64), (96, 128)]
    clip = write_streams(tmp_path / "a.mkv", sizes)
    assert {frame.pixels.shape for frame in read(clip, video_stream=number)} == {(*sizes[number], 3)}
    assert len(read(clip)) == 5


def test_an_absent_video_stream_is_refused_with_a_list_of_those_present(tmp_path: Path) -> None:
    clip = write_streams(tmp_path / "a.mkv", [(48, 64), (96, 128)])
    with pytest.raises(SourceError, match="no video stream 2; it has 0: 64x48, 1: 128x96"):
        read(clip, video_stream=2)


def test_cover_pictures_are_not_counted_among_the_video_streams(tmp_path: Path) -> None:
    clip = write_streams(tmp_path / "a.mp4", [(480, 640), (48, 64)], covers=1)
    assert len(read(clip, video_stream=0)) == 5
    with pytest.raises(SourceError, match="it has 0: 64x48"):
        read(clip, video_stream=1)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("cam.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n", "protocol_whitelist=file,rtp"),
        ("h.m3u8", "#EXTM3U\n#EXTINF:2,\nhttp://127.0.0.1:9/v0.ts\n", "protocol_whitelist=file,http"),
        ("gone.m3u8", "#EXTM3U\n#EXTINF:2,\nv0.ts\n#EXT-X-ENDLIST\n", "segments are beside it"),
        ("list.ffconcat", "ffconcat version 1.0\nfile /nowhere/a.mp4\n", "--option safe=0"),
        ("m.mpd", '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>\n', "DASH"),
        ("page.mp4", "<!DOCTYPE html>\n<html><body>Sign in</body></html>\n", "web page"),
    ],
)
def test_the_cause_of_a_failed_opening_is_named(tmp_path: Path, name: str, content: str, says: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(SourceError, match=says) as caught:
        read(path)
    assert "damaged" not in str(caught.value) and "who may read" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_option_reaches_the_demuxer(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", numbered(5))
    listing = tmp_path / "list.ffconcat"
    listing.write_text(f"ffconcat version 1.0\nfile {clip}\n")
    assert len(read(listing, demuxer={"safe": "0"})) == 5


def test_a_given_demuxer_option_overrides_the_default(tmp_path: Path) -> None:
    """FFmpeg's own wrap correction, which reports a restarted camera 26.5 hours late, can be had back."""
    for name, begin in (("a.ts", 4000), ("b.ts", 1)):
        write_clip(tmp_path / name, pictures(50), times=[begin + Fraction(n, 25) for n in range(50)])
    both = tmp_path / "both.ts"
    both.write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    assert max(frame.seconds for frame in read(both)) < 5000
    assert max(frame.seconds for frame in read(both, demuxer={"correct_ts_overflow": "1"})) > 90_000
