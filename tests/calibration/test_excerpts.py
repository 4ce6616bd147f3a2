"""Excerpts of videos: where they are, and that their frames are those of the whole video."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from cmsn_calibration.excerpts import Excerpt, excerpts_of, read_excerpt
from cmsn_runtime.bundle_files import read_manifest
from cmsn_runtime.errors import SourceError
from cmsn_runtime.manifest.contents import Manifest
from cmsn_training.data.cache import FrameCache
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    render_streams(folder, RenderSettings(seconds=20.0, seed=5), streams=1)
    return next(folder.glob("*.mp4"))


@pytest.fixture(scope="module")
def manifest(folder: Path) -> Manifest:
    return read_manifest(folder)


@pytest.fixture(scope="module")
def whole(video: Path, manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    assert manifest.preprocessing is not None
    cache = FrameCache(tmp_path_factory.mktemp("cache"), grid=manifest.grid, preprocessing=manifest.preprocessing)
    return cache.frames(video)


@pytest.mark.parametrize(("begin", "frames", "run_in"), [(0, 40, 96), (2, 40, 96), (8, 100, 96), (18, 80, 0)])
def test_the_frames_are_those_of_the_whole_video(
    video: Path, manifest: Manifest, whole: np.ndarray, begin: int, frames: int, run_in: int
) -> None:
    found, before = read_excerpt(Excerpt(video, Fraction(begin), frames), manifest, run_in=run_in)
    first = int(begin * manifest.grid.fps)
    assert before == run_in
    np.testing.assert_array_equal(found[run_in:], whole[first : first + frames])
    there = min(run_in, first)
    np.testing.assert_array_equal(found[run_in - there : run_in], whole[first - there : first])


def test_before_the_beginning_time_runs_backwards(video: Path, manifest: Manifest, whole: np.ndarray) -> None:
    found, before = read_excerpt(Excerpt(video, Fraction(0), 20), manifest, run_in=30)
    assert (before, len(found)) == (30, 50)
    np.testing.assert_array_equal(found[29:10:-1], whole[1:20])  # ... 2, 1, and then 0, 1, 2 ...


def test_excerpts_are_spread_over_the_video_and_do_not_overlap(video: Path, manifest: Manifest) -> None:
    found = list(excerpts_of(video, manifest, frames=50, most=5, rng=np.random.default_rng(0)))
    length = 50 / manifest.grid.fps
    assert len(found) == 5
    assert [int(item.begin / 4) for item in found] == [0, 1, 2, 3, 4]
    assert all(one.begin + length <= two.begin for one, two in pairwise(found))
    assert found[-1].begin + length <= 20


def test_a_short_video_is_one_excerpt(video: Path, manifest: Manifest) -> None:
    (found,) = excerpts_of(video, manifest, frames=100_000, most=5, rng=np.random.default_rng(0))
    assert found.begin == 0


def test_a_place_beyond_the_end_is_refused(video: Path, manifest: Manifest) -> None:
    with pytest.raises(SourceError):
        read_excerpt(Excerpt(video, Fraction(1000), 40), manifest, run_in=0)
