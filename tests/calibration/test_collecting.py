"""Distributions of the values between layers: of the stretches, with states as they are, and as far as one got."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from cmsn_calibration.collecting import Collected, collect
from cmsn_calibration.excerpts import Excerpt
from cmsn_calibration.kept import KeptCollection
from cmsn_calibration.layers import Layer
from cmsn_calibration.stretches import Stretch
from cmsn_calibration.watching import Watcher
from cmsn_runtime.bundle_files import read_manifest
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.pictures.example import moving_picture

RUN_IN = 96


def stretch(begin: int, frames: int) -> Stretch:
    """begin: in frames, 25 a second."""
    return Stretch(Excerpt(Path("one"), Fraction(begin, 25), frames), 100.0, 40.0, 5.0, 0.9)


@pytest.fixture(scope="module")
def frames(folder: Path) -> np.ndarray:
    height, width, _ = read_manifest(folder).input_shape
    return moving_picture(np.random.default_rng(3), (height, width), 240)


@pytest.fixture(scope="module")
def tensors(layers: tuple[Layer, ...]) -> list[str]:
    return [layers[1].activation, layers[-1].activation]


def counted(extractor: bytes, tensors: list[str], frames: np.ndarray, *wanted: Stretch, run_in: int = 0) -> Collected:
    def read(stretch: Stretch) -> tuple[np.ndarray, int]:
        begin = int(stretch.excerpt.begin * 25)
        before = min(run_in, begin)
        return frames[begin - before : begin + stretch.excerpt.frames], before

    return collect(Watcher(extractor, tensors), tensors, wanted, read, stride=8)


def test_the_values_are_those_of_the_stretch_in_the_midst_of_its_video(
    extractor: bytes, tensors: list[str], frames: np.ndarray
) -> None:
    found = counted(extractor, tensors, frames, stretch(RUN_IN, 80), run_in=RUN_IN)
    watcher = Watcher(extractor, tensors)
    parts = [watcher.run(frames[begin : begin + 8]) for begin in range(0, RUN_IN + 80, 8)][RUN_IN // 8 :]
    for name in tensors:
        values = np.concatenate([part[name].ravel() for part in parts])
        assert found.histograms[name].largest == pytest.approx(np.abs(values).max())
        assert found.histograms[name].counts.sum() == values.size


def test_without_a_run_in_the_states_are_others(extractor: bytes, tensors: list[str], frames: np.ndarray) -> None:
    warm = counted(extractor, tensors, frames, stretch(RUN_IN, 80), run_in=RUN_IN)
    cold = counted(extractor, tensors, frames, stretch(RUN_IN, 80))
    assert any((warm.histograms[name].counts != cold.histograms[name].counts).any() for name in tensors)


def test_a_last_incomplete_step_repeats_its_last_frame(
    extractor: bytes, tensors: list[str], frames: np.ndarray
) -> None:
    padded = np.concatenate([frames[:20], np.repeat(frames[19:20], 4, axis=0)])
    found = counted(extractor, tensors, frames, stretch(0, 20))
    expected = counted(extractor, tensors, padded, stretch(0, 24))
    for name in tensors:
        np.testing.assert_array_equal(found.histograms[name].counts, expected.histograms[name].counts)


@pytest.mark.parametrize("signal", [KeyboardInterrupt()])
def test_an_interrupt_keeps_what_is_done(
    extractor: bytes, tensors: list[str], frames: np.ndarray, signal: BaseException
) -> None:
    def interrupted(done: int) -> None:
        if done == 2:
            raise signal

    wanted = [stretch(0, 40), stretch(40, 40), stretch(80, 40)]
    watcher = Watcher(extractor, tensors)
    found = collect(watcher, tensors, wanted, lambda stretch: (frames[:40], 0), stride=8, progress=interrupted)
    assert found.stretches == tuple(wanted[:2])
    expected = counted(extractor, tensors, np.concatenate([frames[:40]] * 2), *wanted[:2])
    for name in tensors:
        np.testing.assert_array_equal(found.histograms[name].counts, expected.histograms[name].counts)


def test_values_that_are_not_finite_are_refused_with_their_video(
    extractor: bytes, tensors: list[str], frames: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = Watcher(extractor, tensors)
    broken = dict.fromkeys(tensors, np.array([np.nan], np.float32))
    monkeypatch.setattr(watcher, "run", lambda pixels: broken)
    with pytest.raises(SettingsError, match="one: the network computes values that are not finite at second 0"):
        collect(watcher, tensors, [stretch(0, 8)], lambda stretch: (frames[:8], 0), stride=8)


def test_what_an_earlier_call_has_kept_is_continued_to_the_same_end(
    extractor: bytes, tensors: list[str], frames: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CMSN_CACHE_DIR", str(tmp_path / "cache"))
    video = tmp_path / "one.mp4"
    video.write_bytes(b"a video")
    wanted = [
        replace(stretch(8 * number, 8), excerpt=Excerpt(video, Fraction(8 * number, 25), 8)) for number in range(14)
    ]

    def read(item: Stretch) -> tuple[np.ndarray, int]:
        begin = int(item.excerpt.begin * 25)
        return frames[begin : begin + 8], 0

    def run(count: int) -> Collected:
        kept = KeptCollection(extractor, tensors, wanted)
        before = kept.read()
        return collect(
            Watcher(extractor, tensors), tensors, wanted[:count], read, stride=8, before=before, keep=kept.write
        )

    assert KeptCollection(extractor, tensors, wanted).read() is None
    run(5)
    continued = run(14)
    whole = collect(Watcher(extractor, tensors), tensors, wanted, read, stride=8)
    assert continued.stretches == whole.stretches == tuple(wanted)
    for found, expected in ((continued.histograms, whole.histograms), (continued.tenth, whole.tenth)):
        for name in tensors:
            np.testing.assert_array_equal(found[name].counts, expected[name].counts)
            assert (found[name].top, found[name].largest) == (expected[name].top, expected[name].largest)


@pytest.mark.parametrize("change", ["file", "video", "graph"])
def test_what_was_kept_of_anything_else_is_not_taken(
    extractor: bytes,
    tensors: list[str],
    frames: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    monkeypatch.setenv("CMSN_CACHE_DIR", str(tmp_path / "cache"))
    video = tmp_path / "one.mp4"
    video.write_bytes(b"a video")
    wanted = [replace(stretch(0, 8), excerpt=Excerpt(video, Fraction(0), 8))]
    kept = KeptCollection(extractor, tensors, wanted)
    collect(Watcher(extractor, tensors), tensors, wanted, lambda _: (frames[:8], 0), stride=8, keep=kept.write)
    assert kept.read() is not None
    if change == "file":
        (path,) = (tmp_path / "cache" / "calibration").iterdir()
        path.write_bytes(path.read_bytes()[:1000])
    elif change == "video":
        video.write_bytes(b"another video")
    graph = extractor + b"" if change != "graph" else b"another graph"
    assert KeptCollection(graph, tensors, wanted).read() is None


def test_every_tenth_stretch_is_also_counted_apart(extractor: bytes, tensors: list[str], frames: np.ndarray) -> None:
    wanted = [stretch(8 * number, 8) for number in range(11)]
    found = counted(extractor, tensors, frames, *wanted)
    tenth = counted(extractor, tensors, frames, wanted[0], wanted[10])
    for name in tensors:
        np.testing.assert_array_equal(found.tenth[name].counts, tenth.histograms[name].counts)
