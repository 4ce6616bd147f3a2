"""The cache of decoded videos: whole after a kill, a full disk or a race, bounded in memory, honest about breaks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmsn_runtime.errors import SettingsError, SourceError
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.timegrid import TimeGrid
from cmsn_training.data.cache import FrameCache
from cmsn_training.data.decoding import ensure_all
from cmsn_training.data.rows_file import map_rows, write_rows

SIZE = (16, 24)

# Programs of their own: what they import must be importable in the processes they start, as this file is not.
PROGRAM = """
import os, sys, time
from fractions import Fraction
from pathlib import Path
from cmsn_runtime.errors import CmsnError
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.timegrid import TimeGrid
from cmsn_training.data.cache import FrameCache
from cmsn_training.data.decoding import ensure_all

class Cache(FrameCache):
    def _decode(self, video, faults):
        for number, crop in enumerate(super()._decode(video, faults)):
            if number == 30 and what != "decode":
                os.write(1, b"middle\\n")  # in one piece: print would give two, and two processes may mix theirs
                os._exit(3) if what == "die" else time.sleep(600)
            yield crop

what, folder, processes, *videos = sys.argv[1:]
picture = Preprocessing(resize=(16, 24), crop=(16, 24), mean=(0.0, 0.0, 0.0))
cache = Cache(Path(folder), grid=TimeGrid(Fraction(25)), preprocessing=picture)

if __name__ == "__main__":
    try:
        list(ensure_all(cache, [Path(video) for video in videos], decoders=int(processes)))
    except CmsnError as error:
        sys.exit(str(error))
"""


def open_cache(folder: Path, *, fps: int = 25, size: tuple[int, int] = SIZE) -> FrameCache:
    picture = Preprocessing(resize=size, crop=size, mean=(0.0, 0.0, 0.0))
    return FrameCache(folder, grid=TimeGrid(Fraction(fps)), preprocessing=picture)


@pytest.fixture
def cache(tmp_path: Path) -> FrameCache:
    return open_cache(tmp_path / "cache")


def write_clip(path: Path, *, frames: int = 75, rate: int = 25, times: Callable[[int], Fraction] | None = None) -> Path:
    """Grey pictures, lighter by one each; intra only, so that each can be decoded alone."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mjpeg", rate=rate)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuvj420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(frames):
            shade = np.full((32, 48, 3), number % 250, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(shade, format="rgb24")
            frame.time_base = Fraction(1, 1000)
            frame.pts = round((times(number) if times else Fraction(number, rate)) * 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mkv")


def shades(frames: np.ndarray) -> list[int]:
    return [round(float(frame.mean())) for frame in frames]


def litter(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


class TestContent:
    @pytest.mark.parametrize("rate", [10, 25, 50])
    def test_videos_of_any_rate_are_resampled_to_the_rate_of_the_model(
        self, tmp_path: Path, cache: FrameCache, rate: int
    ) -> None:
        found = shades(cache.frames(write_clip(tmp_path / "clip.mkv", frames=2 * rate, rate=rate)))
        assert found == pytest.approx([i * rate // 25 for i in range(50)], abs=1)

    def test_a_cached_video_is_not_decoded_again(
        self, cache: FrameCache, clip: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = np.array(cache.frames(clip))
        monkeypatch.setattr(FrameCache, "_decode", None)
        np.testing.assert_array_equal(cache.frames(clip), first)
        assert litter(cache.folder) == []

    def test_changed_settings_and_changed_videos_are_decoded_anew(self, tmp_path: Path, clip: Path) -> None:
        assert len(open_cache(tmp_path).frames(clip)) == 75
        assert len(open_cache(tmp_path, fps=5).frames(clip)) == 15
        assert open_cache(tmp_path, size=(16, 20)).frames(clip).shape == (75, 16, 20, 3)
        write_clip(clip, frames=30)
        assert len(open_cache(tmp_path).frames(clip)) == 30

    def test_memory_does_not_grow_with_the_video(self, tmp_path: Path) -> None:
        """Held in memory at once, the crops alone would be 15 times what is allowed here."""
        clip = write_clip(tmp_path / "clip.mkv", frames=600)
        cache = open_cache(tmp_path / "cache", size=(112, 112))
        cache.ensure(write_clip(tmp_path / "first.mkv", frames=2))  # imports and tables
        tracemalloc.start()
        try:
            path = cache.ensure(clip)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        frame = 112 * 112 * 3
        assert path.stat().st_size == 128 + 600 * frame
        assert peak < 600 * frame / 15


class TestBroken:
    def test_a_broken_video_is_used_up_to_the_break_and_reported_each_time(
        self, cache: FrameCache, clip: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
        for attempt in (1, 2):
            found = shades(cache.frames(clip))
            assert 20 < len(found) < 55
            assert found == pytest.approx(list(range(len(found))), abs=1)
            assert len(caplog.messages) == attempt
            assert str(clip) in caplog.messages[-1]
            assert "broke at" in caplog.messages[-1]

    @pytest.mark.parametrize("content", [b"", b"no video at all"])
    def test_a_video_that_cannot_be_opened_is_an_error(self, cache: FrameCache, clip: Path, content: bytes) -> None:
        clip.write_bytes(content)
        with pytest.raises(SourceError, match=r"clip\.mkv"):
            cache.frames(clip)
        assert list(cache.folder.glob("*.npy")) == []
        assert [name for name in litter(cache.folder) if not name.endswith(".lock")] == []

    def test_a_missing_video_is_an_error(self, cache: FrameCache, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match=r"nowhere\.mp4"):
            cache.frames(tmp_path / "nowhere.mp4")

    def test_a_wrong_timestamp_does_not_fill_the_disk(
        self, tmp_path: Path, cache: FrameCache, caplog: pytest.LogCaptureFixture
    ) -> None:
        clip = write_clip(tmp_path / "clip.mkv", times=lambda i: Fraction(i, 25) + (95443 if i >= 50 else 0))
        assert shades(cache.frames(clip)) == pytest.approx(list(range(50)), abs=1)
        (line,) = caplog.messages
        assert "clip.mkv: no frames for 95443" in line

    def test_a_short_gap_holds_the_last_picture(
        self, tmp_path: Path, cache: FrameCache, caplog: pytest.LogCaptureFixture
    ) -> None:
        clip = write_clip(tmp_path / "clip.mkv", times=lambda i: Fraction(i, 25) + (20 if i >= 50 else 0))
        found = shades(cache.frames(clip))
        assert found == pytest.approx([*range(50), *[49] * 500, *range(50, 75)], abs=1)
        assert caplog.messages == []

    @pytest.mark.parametrize("late", [Fraction(14, 10), Fraction(95443)])
    def test_a_late_first_frame_is_reported(
        self, tmp_path: Path, cache: FrameCache, caplog: pytest.LogCaptureFixture, late: Fraction
    ) -> None:
        clip = write_clip(tmp_path / "clip.mkv", times=lambda i: Fraction(i, 25) + late)
        assert shades(cache.frames(clip)) == pytest.approx(list(range(75)), abs=1)
        (line,) = caplog.messages
        assert f"clip.mkv: its first frame is at {float(late):.2f} s" in line
        assert f"{float(-late):+.2f} s makes them agree" in line

    def test_every_odd_video_gives_frames_or_an_error_that_names_it(self, shared: Path, cache: FrameCache) -> None:
        readable = 0
        for video in sorted((shared / "data/odd").rglob("*.m*")):
            try:
                frames = cache.frames(video)
            except SourceError as error:
                assert video.name in str(error)
            else:
                assert frames.shape[1:] == (*SIZE, 3)
                assert len(frames) > 0
                readable += 1
        assert readable > 10


class TestDamage:
    @pytest.mark.parametrize("kept", [0, 5, 60, 128, 5000, -1])
    def test_a_shortened_file_is_made_anew(
        self, cache: FrameCache, clip: Path, kept: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        whole = np.array(cache.frames(clip))
        (path,) = cache.folder.glob("*.npy")
        path.write_bytes(path.read_bytes()[:kept])
        np.testing.assert_array_equal(cache.frames(clip), whole)
        assert "is damaged" in caplog.text

    def test_a_full_disk_is_one_line_and_leaves_nothing(
        self, cache: FrameCache, clip: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*args: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(SettingsError, match=r"clip-.*No space left on device.*data\.cache"):
                cache.frames(clip)
        assert not any(name.endswith("unfinished") for name in litter(cache.folder))
        assert len(cache.frames(clip)) == 75

    def test_a_folder_that_cannot_be_made_is_one_line(self, tmp_path: Path, clip: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(SettingsError, match="cannot be written"):
            open_cache(tmp_path / "file/cache").frames(clip)

    @given(st.integers(0, 40), st.integers(1, 5), st.data())
    def test_rows_come_back_as_they_were_and_any_cut_is_noticed(
        self, tmp_path_factory: pytest.TempPathFactory, count: int, width: int, data: st.DataObject
    ) -> None:
        path = tmp_path_factory.mktemp("rows") / "rows.npy"
        rows = np.random.default_rng(count).integers(0, 256, (count, width), dtype=np.uint8)
        assert write_rows(path, iter(rows), shape=(width,)) == count
        np.testing.assert_array_equal(np.load(path), rows)
        found = map_rows(path)
        assert found is not None
        np.testing.assert_array_equal(found, rows)
        content = path.read_bytes()
        path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
        assert map_rows(path) is None


def start(tmp_path: Path, what: str, *videos: Path, processes: int = 1) -> subprocess.Popen[str]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    arguments = [sys.executable, program, what, tmp_path / "cache", processes, *videos]
    return subprocess.Popen([str(part) for part in arguments], stdout=-1, stderr=-1, text=True)


class TestProcesses:
    def test_a_process_killed_while_decoding_leaves_no_partial_cache(
        self, tmp_path: Path, cache: FrameCache, clip: Path
    ) -> None:
        run = start(tmp_path, "sleep", clip)
        assert run.stdout is not None
        assert run.stdout.readline() == "middle\n"
        run.send_signal(signal.SIGKILL)
        run.communicate()
        assert any(name.endswith("unfinished") for name in litter(cache.folder))
        assert list(cache.folder.glob("*.npy")) == []
        other = write_clip(clip.with_name("other.mkv"), frames=10)
        assert len(cache.frames(other)) == 10
        assert not any(name.endswith("unfinished") for name in litter(cache.folder)), "whoever comes next cleans up"
        assert shades(cache.frames(clip)) == pytest.approx(list(range(75)), abs=1)
        assert litter(cache.folder) == []

    def test_of_two_that_want_the_same_video_one_decodes_it(
        self, cache: FrameCache, clip: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        inside, second_came, decoded, lengths = threading.Event(), threading.Event(), [], []
        decode, clean = FrameCache._decode, FrameCache._remove_leftovers

        def slow(self: FrameCache, video: Path, faults: list[str]) -> Iterator[np.ndarray]:
            decoded.append(video)
            inside.set()
            second_came.wait()
            yield from decode(self, video, faults)

        def noticed(self: FrameCache) -> None:
            clean(self)
            if inside.is_set():
                assert any(name.endswith("unfinished") for name in litter(self.folder)), "it is still in use"
                second_came.set()

        monkeypatch.setattr(FrameCache, "_decode", slow)
        monkeypatch.setattr(FrameCache, "_remove_leftovers", noticed)

        def look() -> None:
            lengths.append(len(cache.frames(clip)))

        first, second = threading.Thread(target=look), threading.Thread(target=look)
        first.start()
        inside.wait()
        second.start()
        first.join()
        second.join()
        assert lengths == [75, 75]
        assert decoded == [clip]

    def test_a_pool_decodes_what_is_missing_and_keeps_the_order(self, tmp_path: Path, cache: FrameCache) -> None:
        clips = [write_clip(tmp_path / f"{number}.mkv", frames=10 + number) for number in range(4)]
        cache.ensure(clips[1])
        before = cache.path_of(clips[1]).stat().st_mtime_ns
        counts = [len(cache.frames(clip)) for clip, _ in zip(clips, ensure_all(cache, clips, decoders=2), strict=True)]
        assert counts == [10, 11, 12, 13]
        assert cache.path_of(clips[1]).stat().st_mtime_ns == before
        assert litter(cache.folder) == []

    def test_an_error_in_a_pool_names_the_video(self, tmp_path: Path, cache: FrameCache, clip: Path) -> None:
        broken = tmp_path / "broken.mp4"
        broken.write_bytes(b"nothing")
        with pytest.raises(SourceError, match=r"broken\.mp4"):
            list(ensure_all(cache, [broken, clip], decoders=2))

    def test_a_process_of_a_pool_that_dies_is_one_error(self, tmp_path: Path, clip: Path) -> None:
        run = start(tmp_path, "die", clip, processes=2)
        _, said = run.communicate()
        assert run.returncode == 1
        assert said.count("\n") == 1
        assert "clip.mkv: a decoding process died" in said

    def test_pool_processes_end_when_their_program_is_killed(self, tmp_path: Path, clip: Path) -> None:
        """The output pipe is at its end only when everybody who holds it has gone."""
        run = start(tmp_path, "sleep", clip, write_clip(tmp_path / "other.mkv"), processes=2)
        assert run.stdout is not None
        assert [run.stdout.readline() for _ in range(2)] == ["middle\n"] * 2
        run.kill()
        assert run.communicate()[0] == ""


def test_notes_of_an_old_break_are_replaced_with_the_cached_video(
    tmp_path: Path, cache: FrameCache, caplog: pytest.LogCaptureFixture
) -> None:
    """A file made anew from a video that is whole now says nothing of the old break."""
    clip = write_clip(tmp_path / "clip.mkv")
    path = cache.ensure(clip)
    path.with_suffix(".txt").write_text(json.dumps("old"))
    path.write_bytes(b"")
    cache.ensure(clip)
    caplog.clear()
    cache.frames(clip)
    assert caplog.messages == []
