"""What is cut short, damaged or no video at all ends in one clear line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import increasing, pictures, read, read_until_broken, spoil_packets, write_clip

from cmsn_runtime.errors import DecodeError, SourceError
from cmsn_runtime.sources.opening import open_source
from cmsn_runtime.sources.video import VideoSource

DECORD = "dmlc+decord/tests/test_data"


def test_a_file_cut_short_gives_its_frames_and_then_an_error_with_the_time_reached(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    shown = [noise.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(100)]
    whole = write_clip(tmp_path / "whole.mp4", shown, muxing={"movflags": "faststart"})
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    everything = read(whole)
    frames, error = read_until_broken(cut)
    assert 30 < len(frames) < 70
    assert [frame.seconds for frame in frames] == [frame.seconds for frame in everything[: len(frames)]]
    np.testing.assert_array_equal(frames[5].pixels, everything[5].pixels)
    assert error.seconds == frames[-1].seconds
    assert str(cut) in str(error)
    assert "of 4.00 s" in str(error)


def test_a_matroska_file_cut_short_is_an_error_with_the_time_reached(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mkv", pictures(100), codec="mjpeg", pixel_format="yuvj420p")
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    frames, error = read_until_broken(cut)
    assert error.seconds == frames[-1].seconds


def test_a_tail_that_cannot_be_decoded_is_an_error(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", pictures(60), codec="mjpeg", pixel_format="yuvj420p")
    spoil_packets(clip, after=Fraction(1))
    frames, error = read_until_broken(clip)
    assert error.seconds == frames[-1].seconds == Fraction(1)


@pytest.mark.parametrize("name", ["a.mkv", "a.avi"])
def test_a_file_is_read_past_any_number_of_bad_packets(tmp_path: Path, name: str) -> None:
    """Twelve seconds at 25 per second, where 250 packets in a row used to end it."""
    clip = write_clip(tmp_path / name, pictures(350), codec="mjpeg", pixel_format="yuvj420p")
    spoil_packets(clip, after=Fraction(1), until=Fraction(13))
    with open_source(clip) as source:
        times = [frame.seconds for frame in source]
    assert times == [Fraction(n, 25) for n in (*range(26), *range(325, 350))]
    assert source.losses.damaged == 299


def test_a_stream_that_is_joined_just_behind_a_key_frame_begins_at_the_next(tmp_path: Path) -> None:
    """Groups of 300 pictures: more packets than were once read before giving up."""
    options = {"g": "300", "keyint_min": "300", "sc_threshold": "0", "bf": "0"}
    whole = write_clip(tmp_path / "whole.ts", pictures(400), options=options)
    joined = tmp_path / "joined.ts"
    content = whole.read_bytes()
    with av.open(str(whole)) as container:
        second = [packet.pos or 0 for packet in container.demux(video=0)][2]
    joined.write_bytes(content[second // 188 * 188 :])
    with open_source(joined) as source:
        frames = list(source)
    assert [frame.seconds for frame in frames] == [frame.seconds for frame in read(whole)[300:]]
    assert 11 < source.losses.unseen_seconds < 12
    assert str(source.losses).endswith("s before the first key frame could not be shown")
    assert not source.losses.damaged


def test_a_whole_file_has_lost_nothing(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv", "a.ts", "a.avi"):
        with open_source(write_clip(tmp_path / name, pictures(60), options={"bf": "3", "b-adapt": "0"})) as source:
            assert len(list(source)) == 60
        assert not source.losses
        assert str(source.losses) == ""


def test_a_live_stream_that_stays_broken_ends_in_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cmsn_runtime.sources.video._LOST_SECONDS", 0)
    clip = write_clip(tmp_path / "a.mkv", pictures(60), codec="mjpeg", pixel_format="yuvj420p")
    spoil_packets(clip, after=Fraction(1))
    with VideoSource(str(clip), live=True) as source, pytest.raises(DecodeError, match="check the network") as caught:
        list(source)
    assert caught.value.seconds == 1
    assert source.losses.damaged == 1


def test_single_bad_packets_are_passed_over_and_counted(shared: Path) -> None:
    with VideoSource(str(shared / "data/odd" / DECORD / "corrupted.mp4")) as source:
        times = [frame.seconds for frame in source]
        assert source.losses.damaged == 1
    assert len(times) == 49
    assert increasing(times)


def test_sound_that_is_longer_than_the_pictures_is_no_fault(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv"):
        assert len(read(write_clip(tmp_path / name, pictures(25), tone_seconds=5))) == 25


def test_a_live_source_may_end_at_any_time(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mkv", pictures(100), codec="mjpeg", pixel_format="yuvj420p")
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with VideoSource(str(cut), live=True) as source:
        assert source.duration is None
        assert 40 < len(list(source)) < 60


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.mp4", b"", "empty"),
        ("noise.mp4", bytes(range(256)) * 64, "not a video"),
        ("notes.txt", b"Nothing to see here.\n" * 20, "only text"),
        ("nothing.srt", b"1\n00:00:01,000 --> 00:00:02,000\nHello\n", "only subtitle"),
    ],
)
def test_a_file_that_is_no_video_is_refused(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError, match=says) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_with_sound_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), format="s16", layout="mono")
        tone.sample_rate = 16000
        container.mux(stream.encode(tone))
    with pytest.raises(SourceError, match="only audio"):
        read(path)


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="name a video inside it"):
        read(tmp_path)
    with pytest.raises(SourceError, match=r"missing\.mp4.*check the path"):
        read(tmp_path / "missing.mp4")
