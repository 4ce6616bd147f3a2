"""Videos of every kind: right times, upright pictures, one clear line where there is nothing to see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from cmsn_runtime.errors import CmsnError, DecodeError, SourceError
from cmsn_runtime.pictures.fitting import Fitting, Scaler
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.sources.opening import open_source
from cmsn_runtime.sources.video import VideoSource

ODD = Path(__file__).resolve().parents[3] / "shared" / "data" / "odd"
ODD_FILES = sorted(path for path in ODD.rglob("*") if path.is_file())
DECORD = "dmlc+decord/tests/test_data"


def pictures(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Smooth pictures without any symmetry, each different from the one before."""
    rows, columns = np.mgrid[0:height, 0:width]
    ramp = np.stack([columns * 3, rows * 4, (rows + columns) * 2], axis=2).clip(0, 255)
    return [np.roll(ramp, i, axis=1).astype(np.uint8) for i in range(count)]


def write_clip(
    path: Path,
    shown: Sequence[np.ndarray],
    *,
    times: Sequence[Fraction] | None = None,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    muxing: dict[str, str] | None = None,
    tone_seconds: int = 0,
) -> Path:
    times = times or [Fraction(i, 25) for i in range(len(shown))]
    with av.open(str(path), "w", options=muxing or {}) as container:
        stream: Any = container.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width = shown[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.time_base = stream.codec_context.time_base = Fraction(1, 12800)
        sound: Any = container.add_stream("aac", rate=16000, layout="mono") if tone_seconds else None
        for picture, time in zip(shown, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.time_base, frame.pts = Fraction(1, 12800), round(time * 12800)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            for i in range(tone_seconds * 16000 // 1024):
                tone = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                tone.sample_rate, tone.pts = 16000, i * 1024
                container.mux(sound.encode(tone))
            container.mux(sound.encode(None))
    return path


def read(path: Path | str) -> list[Frame]:
    with open_source(path) as source:
        return list(source)


def read_until_broken(path: Path) -> tuple[list[Frame], DecodeError]:
    frames = []
    with open_source(path) as source, pytest.raises(DecodeError) as caught:
        for frame in source:
            frames.append(frame)
    return frames, caught.value


def decoded_by_pyav(path: Path) -> list[Any]:
    """What PyAV gives with nothing of ours in between."""
    found: list[Any] = []
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        for packet in container.demux(stream):
            try:
                found += packet.decode()
            except av.error.InvalidDataError:
                continue
    return found


def increasing(times: Iterable[Fraction]) -> bool:
    return all(earlier < later for earlier, later in pairwise(times))


class TestTimes:
    def test_b_frames_and_a_variable_rate_keep_the_written_times(self, tmp_path: Path) -> None:
        times = [Fraction(n, 12800) for n in (0, 512, 900, 4000, 4001, 9000, 20000, 20512, 21024, 30000)]
        clip = write_clip(tmp_path / "a.mp4", pictures(10), times=times, options={"bf": "3", "b-adapt": "0"})
        assert any(frame.pict_type == av.video.frame.PictureType.B for frame in decoded_by_pyav(clip))
        assert [frame.seconds for frame in read(clip)] == times

    @pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.ts"])
    def test_a_late_start_is_kept_and_is_no_fault(self, tmp_path: Path, name: str) -> None:
        times = [Fraction(3) + Fraction(i, 25) for i in range(5)]
        clip = write_clip(tmp_path / name, pictures(5), times=times)
        stored = [frame.pts * frame.time_base for frame in decoded_by_pyav(clip)]
        assert stored[0] >= 3
        assert [frame.seconds for frame in read(clip)] == stored

    def test_a_stream_without_timestamps_runs_at_its_average_rate(self, tmp_path: Path) -> None:
        clip = write_clip(tmp_path / "a.h264", pictures(6), options={"bf": "0"})
        times = [frame.seconds for frame in read(clip)]
        assert len(times) == 6
        assert {later - earlier for earlier, later in pairwise(times)} == {Fraction(1, 25)}

    def test_a_clock_that_is_set_back_is_a_discontinuity(self, tmp_path: Path) -> None:
        first = write_clip(tmp_path / "a.ts", pictures(50), times=[Fraction(9) + Fraction(i, 25) for i in range(50)])
        second = write_clip(tmp_path / "b.ts", pictures(50))
        both = tmp_path / "both.ts"
        both.write_bytes(first.read_bytes() + second.read_bytes())
        frames = read(both)
        assert [i for i, frame in enumerate(frames) if frame.discontinuity] == [50]
        assert increasing(frame.seconds for frame in frames[:50])
        assert increasing(frame.seconds for frame in frames[50:])

    def test_length_and_kind(self, tmp_path: Path) -> None:
        with open_source(write_clip(tmp_path / "a.mp4", pictures(50))) as source:
            assert source.duration == 2
            assert not source.live


class TestPictures:
    @pytest.mark.parametrize(
        ("pixel_format", "codec"),
        [
            ("yuv420p10le", "ffv1"),
            ("yuva420p", "ffv1"),
            ("gbrp16le", "ffv1"),
            ("yuv411p", "ffv1"),
            ("bgra", "ffv1"),
            ("pal8", "png"),
        ],
    )
    def test_every_pixel_format_becomes_rgb(self, tmp_path: Path, pixel_format: str, codec: str) -> None:
        colour = np.full((48, 64, 3), (200, 80, 40), dtype=np.uint8)
        if pixel_format == "pal8":
            clip = _palette_clip(tmp_path / "a.mov", (200, 80, 40))
        else:
            clip = write_clip(tmp_path / "a.mkv", [colour] * 2, codec=codec, pixel_format=pixel_format)
        assert decoded_by_pyav(clip)[0].format.name == pixel_format
        for frame in read(clip):
            assert frame.pixels.dtype == np.uint8
            np.testing.assert_allclose(frame.pixels, colour, atol=4)

    def test_grey_becomes_grey(self, tmp_path: Path) -> None:
        grey = np.full((48, 64, 3), 90, dtype=np.uint8)
        clip = write_clip(tmp_path / "a.mkv", [grey], codec="ffv1", pixel_format="gray")
        np.testing.assert_allclose(read(clip)[0].pixels, grey, atol=2)

    @pytest.mark.parametrize("size", [None, (20, 30)])
    @pytest.mark.parametrize(
        "matrix",
        [
            (1, 0, 0, 1),
            (0, 1, -1, 0),
            (-1, 0, 0, -1),
            (0, -1, 1, 0),
            (-1, 0, 0, 1),
            (1, 0, 0, -1),
            (0, 1, 1, 0),
            (0, -1, -1, 0),
        ],
    )
    def test_all_eight_display_matrices_come_out_upright(
        self, tmp_path: Path, matrix: tuple[int, int, int, int], size: tuple[int, int] | None
    ) -> None:
        plain = write_clip(tmp_path / "plain.mp4", pictures(1))
        turned = tmp_path / "turned.mp4"
        turned.write_bytes(_with_matrix(plain.read_bytes(), matrix))
        expected = _mapped(read(plain)[0].pixels, matrix)
        frame = read(turned)[0]
        pixels = frame.pixels if size is None else Scaler(size)(frame)
        assert pixels.flags.c_contiguous
        if size is None:
            np.testing.assert_array_equal(pixels, expected)
        else:
            resized = Scaler(size)(Frame(expected, Fraction(0)))
            assert pixels.shape == (*size, 3)
            assert np.abs(pixels.astype(int) - resized).mean() < 2

    @pytest.mark.parametrize("name", ["video_0.mov", "video_90.mov", "video_180.mov", "video_270.mov"])
    def test_videos_of_phones_come_out_as_ffmpeg_says(self, shared: Path, name: str) -> None:
        path = shared / "data/odd" / DECORD / name
        raw = decoded_by_pyav(path)
        frames = read(path)
        assert len(frames) == len(raw) == 3
        for frame, stored in zip(frames, raw, strict=True):
            # FFmpeg's angle is counter-clockwise, as rot90's turns are.
            upright = np.rot90(stored.to_ndarray(format="rgb24"), stored.rotation // 90)
            np.testing.assert_array_equal(frame.pixels, upright)

    @pytest.mark.parametrize(
        "name",
        [
            "Zulko+moviepy/media/big_buck_bunny_432_433.webm",
            "Zulko+moviepy/media/fire2.mp4",
            "dmlc+decord/examples/flipping_a_pancake.mkv",
            f"{DECORD}/video_90.mov",
        ],
    )
    def test_scaling_while_converting_equals_scaling_afterwards(self, shared: Path, name: str) -> None:
        path = shared / "data/odd" / name
        wanted = Preprocessing(resize=(128, 171), crop=(112, 112))
        fitting = Fitting(wanted)
        with open_source(path) as source:
            for frame, _ in zip(source, range(10), strict=False):
                at_once, afterwards = fitting(frame).values(), fitting(Frame(frame.pixels, frame.seconds)).values()
                assert at_once.shape == (112, 112, 3)
                assert np.abs(afterwards.astype(int) - at_once).mean() < 2


class TestBroken:
    def test_a_file_cut_short_gives_what_it_has_and_then_says_how_far_it_got(self, tmp_path: Path) -> None:
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

    def test_a_matroska_file_cut_short_is_told_too(self, tmp_path: Path) -> None:
        whole = write_clip(tmp_path / "whole.mkv", pictures(100), codec="mjpeg", pixel_format="yuvj420p")
        cut = tmp_path / "cut.mkv"
        cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        frames, error = read_until_broken(cut)
        assert error.seconds == frames[-1].seconds

    def test_a_tail_that_cannot_be_decoded_is_told(self, tmp_path: Path) -> None:
        clip = write_clip(tmp_path / "a.mkv", pictures(60), codec="mjpeg", pixel_format="yuvj420p")
        _spoil_packets(clip, after=Fraction(1))
        frames, error = read_until_broken(clip)
        assert error.seconds == frames[-1].seconds == Fraction(1)

    @pytest.mark.parametrize(("period", "all_of_it"), [(2, True), (1, False)])
    def test_only_an_unbroken_row_of_bad_packets_ends_the_reading(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, period: int, all_of_it: bool
    ) -> None:
        monkeypatch.setattr("cmsn_runtime.sources.video._LOST_PACKETS", 5)
        clip = write_clip(tmp_path / "a.mkv", pictures(40), codec="mjpeg", pixel_format="yuvj420p")
        _spoil_packets(clip, after=Fraction(1), period=period)
        with VideoSource(str(clip)) as source:
            frames = iter(source)
            good = [next(frames) for _ in range(26)]
            assert good[-1].seconds == 1
            if all_of_it:
                assert len(list(frames)) == source.damaged == 7
            else:
                with pytest.raises(DecodeError, match="Invalid data"):
                    next(frames)
                assert source.damaged == 5

    def test_single_bad_packets_are_passed_over_and_counted(self, shared: Path) -> None:
        with VideoSource(str(shared / "data/odd" / DECORD / "corrupted.mp4")) as source:
            times = [frame.seconds for frame in source]
            assert source.damaged == 1
        assert len(times) == 49
        assert increasing(times)

    def test_sound_that_is_longer_than_the_pictures_is_no_fault(self, tmp_path: Path) -> None:
        for name in ("a.mp4", "a.mkv"):
            assert len(read(write_clip(tmp_path / name, pictures(25), tone_seconds=5))) == 25

    def test_a_live_source_may_end_at_any_time(self, tmp_path: Path) -> None:
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
    def test_what_is_no_video_is_refused(self, tmp_path: Path, name: str, content: bytes, says: str) -> None:
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(SourceError, match=says) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_sound_alone_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "tone.wav"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=16000, layout="mono")
            tone = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), format="s16", layout="mono")
            tone.sample_rate = 16000
            container.mux(stream.encode(tone))
        with pytest.raises(SourceError, match="only audio"):
            read(path)

    def test_a_folder_and_a_missing_file_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="name a video inside it"):
            read(tmp_path)
        with pytest.raises(SourceError, match=r"missing\.mp4.*check the path"):
            read(tmp_path / "missing.mp4")


class TestOpening:
    def test_a_name_that_looks_like_a_protocol(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        write_clip(tmp_path / "a.mp4", pictures(3)).rename(tmp_path / "take:2.mp4")
        with open_source("take:2.mp4") as source:
            assert source.name == "take:2.mp4"
            assert len(list(source)) == 3

    def test_passwords_are_not_told(self) -> None:
        with pytest.raises(SourceError, match=r"rtsp://\*\*\*@127\.0\.0\.1:1/door") as caught:
            open_source("rtsp://guard:s3cr@t@127.0.0.1:1/door")
        assert "s3cr" not in str(caught.value)

    def test_an_unknown_protocol_is_refused(self) -> None:
        with pytest.raises(SourceError, match=r"nonsense://x.*part before '://'"):
            open_source("nonsense://x")

    def test_closing_ends_the_iteration_and_may_be_done_twice(self, tmp_path: Path) -> None:
        source = open_source(write_clip(tmp_path / "a.mp4", pictures(30)))
        frames = iter(source)
        next(frames)
        source.close()
        source.close()
        assert list(frames) == []


def test_the_shared_videos_are_there(shared: Path) -> None:
    assert len([path for path in ODD_FILES if shared in path.parents]) > 60


@pytest.mark.parametrize("path", ODD_FILES, ids=lambda path: str(path.relative_to(ODD)))
def test_every_odd_video_ends_in_frames_or_in_one_line(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    frames: list[Frame] = []
    scaled = Scaler((32, 40))
    dropped = 0
    try:
        with VideoSource(str(path)) as source:
            for frame in source:
                assert scaled(frame).shape == (32, 40, 3)
                frames.append(Frame(np.empty((0, 40, 3), np.uint8), frame.seconds, frame.discontinuity))
            dropped = source.dropped
    except CmsnError as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)
        assert not frames
    else:
        raw = decoded_by_pyav(path)
        stamps = {frame.pts * frame.time_base for frame in raw if frame.pts is not None}
        times = [frame.seconds for frame in frames]
        assert times
        assert increasing(times)
        assert not any(frame.discontinuity for frame in frames)
        assert set(times) <= {Fraction(stamp) for stamp in stamps}
        assert len(times) + dropped == len(raw)
        assert dropped <= 3
    assert capfd.readouterr() == ("", "")


def _with_matrix(mp4: bytes, matrix: tuple[int, int, int, int]) -> bytes:
    """Write a display matrix into the header of the first track (ISO 14496-12, tkhd)."""
    a, b, c, d = matrix
    cells = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
    begin = mp4.index(b"tkhd") + 4 + 40
    return mp4[:begin] + np.array(cells, dtype=">i4").tobytes() + mp4[begin + 36 :]


def _mapped(picture: np.ndarray, matrix: tuple[int, int, int, int]) -> np.ndarray:
    """Move every pixel (x, y) to (a x + c y, b x + d y), then to where no coordinate is negative."""
    a, b, c, d = matrix
    y, x = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]]
    to_x, to_y = a * x + c * y, b * x + d * y
    to_x, to_y = to_x - to_x.min(), to_y - to_y.min()
    result = np.zeros((to_y.max() + 1, to_x.max() + 1, 3), dtype=np.uint8)
    result[to_y, to_x] = picture
    return result


def _palette_clip(path: Path, colour: tuple[int, int, int]) -> Path:
    palette = np.zeros((256, 4), dtype=np.uint8)
    palette[7] = (255, *colour)
    frame = av.VideoFrame.from_ndarray((np.full((48, 64), 7, dtype=np.uint8), palette), format="pal8")  # type: ignore[arg-type]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "pal8"
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _spoil_packets(path: Path, *, after: Fraction, period: int = 1) -> None:
    """Overwrite the content of every `period`-th of the later packets in place."""
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        later = [p for p in container.demux(video=0) if p.pts is not None and p.pts * p.time_base > after]
        for packet in later[::period]:
            data = bytes(packet)
            begin = content.index(data)
            content[begin : begin + len(data)] = bytes(len(data))
    path.write_bytes(content)
