"""Over ten minutes no state drifts; a thousand backends opened and closed leave device memory as it was."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from cmsn_benchmarks.gpu.agreement import features_by_hop
from cmsn_benchmarks.gpu.opening import RunnerName, open_on, reference_for
from cmsn_benchmarks.gpu.stacks import StackName
from cmsn_runtime.backends.answering import answer_alone
from cmsn_runtime.backends.asks import evaluate, extract, stages
from cmsn_runtime.backends.base import UNKNOWN_LENGTH
from cmsn_runtime.backends.tensorrt.cuda import Device
from cmsn_runtime.bundle import Bundle
from cmsn_runtime.bundle_files import DEMO_BUNDLE
from cmsn_runtime.pictures.fitting import Fitting
from cmsn_runtime.sources.opening import open_source
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams

Opener = Callable[[RunnerName, str], Bundle]

FRAMES = 15_000  # ten minutes at 25 a second
FEATURES = 1e-2
DRIFT = 1.5  # the last minute's error over the first's; what adds up hop by hop would be far beyond
OPENS = 1_000
WARM_UP = 20  # opens after which libraries have what they keep
GROWTH_BYTES = 8 * 2**20  # by all of them together; one leaked context or engine a round would be gigabytes

RUNNERS = [
    pytest.param(name, marks=pytest.mark.gpu(name)) for name in ("torch", "ort-cuda", "ort-tensorrt", "tensorrt")
]


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory, scale: Callable[[int], int]) -> npt.NDArray[np.uint8]:
    """A minute of a rendered stream, [1500, height, width, 3]; ten minutes are this one ten times.

    In a quick try it is 36 seconds, which is more than a window of 96 steps.
    """
    folder = tmp_path_factory.mktemp("minute")
    render_streams(folder, RenderSettings(seconds=max(36, scale(60)), seed=700101), streams=1)
    (video,) = folder.glob("*.mp4")
    with open_on("cpu", DEMO_BUNDLE, engines=folder) as bundle:
        fitting = Fitting(bundle.preprocessing)
    with open_source(str(video)) as source:
        return np.stack([fitting(frame).values() for frame in source])


@pytest.mark.parametrize("runner", RUNNERS)
def test_states_do_not_drift_over_ten_minutes(
    runner: RunnerName,
    opened: Opener,
    pictures: npt.NDArray[np.uint8],
    scale: Callable[[int], int],
    found: set[StackName],
) -> None:
    """Both run side by side over the same minute again and again, so that every minute is equally hard."""
    minutes = max(2, scale(FRAMES) // len(pictures))
    ours, theirs = opened(runner, "demo"), opened(reference_for(found, runner), "demo")
    errors: list[float] = []
    pairs = zip(features_by_hop(ours, pictures, minutes), features_by_hop(theirs, pictures, minutes), strict=True)
    for mine, other in pairs:
        errors.append(float(np.abs(mine - other).max() / np.abs(other).max()))
    hops = len(errors) // minutes
    assert max(errors) <= FEATURES
    assert np.mean(errors[-hops:]) <= DRIFT * np.mean(errors[:hops])


@pytest.mark.gpu("tensorrt")
def test_a_thousand_opens_and_closes_leak_no_device_memory(
    engines: Callable[[str], Path], pictures: npt.NDArray[np.uint8], scale: Callable[[int], int]
) -> None:
    """Each runs two hops and an evaluation, so that states, windows and CUDA graphs are made, too."""
    folder, device = engines("demo"), Device()

    def free_bytes() -> int:
        gc.collect()
        with device.current():
            free, _ = device.driver.mem_get_info()
        return int(free)

    left: list[int] = []
    opens = scale(OPENS)
    warm_up = min(WARM_UP, opens)
    for turn in range(warm_up + opens):
        with open_on("tensorrt", DEMO_BUNDLE, engines=folder) as bundle:
            open_and_use(bundle, pictures)
        if turn >= warm_up:
            left.append(free_bytes())
    device.close()
    quarter = max(1, len(left) // 4)
    assert np.median(left[:quarter]) - np.median(left[-quarter:]) <= GROWTH_BYTES, left[:: max(1, len(left) // 20)]


def open_and_use(bundle: Bundle, pictures: npt.NDArray[np.uint8]) -> None:
    """A full window of hops, so that what is captured for repeated work is there and is launched."""
    backend, grid = bundle.backend, bundle.grid
    state, window = backend.new_state(), backend.new_window(grid.window)
    rows = np.zeros((3, bundle.manifest.proposals.roi_bins), np.int64)
    for position in range(0, grid.window * grid.stride, grid.stride):
        chunk = pictures[position : position + grid.stride]
        window.push(answer_alone(extract(chunk, state, position=position, length=UNKNOWN_LENGTH), backend))
    for _ in range(2):
        answer_alone(stages(window), backend)
        answer_alone(evaluate(window, rows, rows), backend)
