"""Queries of scenarios: whole hops with proposals, timed by parts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from cmsn_benchmarks.device.cameras import SteadyCameras
from cmsn_benchmarks.device.latencies import latency_of
from cmsn_benchmarks.device.scenarios import LEAST_QUERIES, first_hop, run_scenario
from cmsn_benchmarks.device.scripted import SCRIPT
from cmsn_benchmarks.device.scripted_bundle import ScriptedBundle
from cmsn_runtime.backends.asks import Stages
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.pictures.frame import Frame


@pytest.fixture(scope="module")
def bundle() -> Iterator[ScriptedBundle]:
    with open_bundle("demo", backend="onnxruntime", threads=1) as opened:
        yield ScriptedBundle(opened)


def test_percentiles_are_of_the_nearest_rank_in_milliseconds() -> None:
    latency = latency_of([number / 1000 for number in range(100, 0, -1)])
    found = (latency.least, latency.p50, latency.p90, latency.p95, latency.p99, latency.most)
    assert found == (1, 50, 90, 95, 99, 100)
    assert (latency.count, latency.mean) == (100, 50.5)
    assert latency_of([0.003]).p99 == latency_of([0.003]).p50 == 3.0


@pytest.mark.parametrize("cameras", [1, 3])
def test_a_query_has_every_part_and_its_latency_is_their_sum(bundle: ScriptedBundle, cameras: int) -> None:
    with SteadyCameras(bundle, cameras) as steady:
        scenario = run_scenario(steady, warm_up=0.01, duration=0.05)
    assert set(scenario.parts) == {"prepare", "extract", "stages", "propose", "evaluate", "rank"}
    assert scenario.cameras == cameras
    assert scenario.latency.count == len(scenario.queries) >= LEAST_QUERIES
    whole = sum(part.mean * part.count for part in scenario.parts.values())
    assert whole == pytest.approx(scenario.latency.mean * scenario.latency.count)
    assert scenario.queries[0].at >= 0
    assert [query.at for query in scenario.queries] == sorted(query.at for query in scenario.queries)
    # Of all frames, those that complete no hop too: at most as many as the latencies alone allow for.
    assert 0 < scenario.frames_per_second < 8 * cameras / (scenario.latency.mean / 1e3)


def test_all_cameras_ask_in_one_batch(bundle: ScriptedBundle) -> None:
    with SteadyCameras(bundle, 2) as steady:
        first_hop(steady)
        bundle.scripted.candidates.clear()
        for _ in range(2 * len(SCRIPT)):
            steady.query()
    assert len(bundle.scripted.candidates) > len(SCRIPT)  # proposals in most hops of both
    assert min(bundle.scripted.candidates) > 0


def test_a_fresh_stream_finds_the_actions_of_the_script(bundle: ScriptedBundle) -> None:
    """As one that has run for a while: they are reported with the first hop, and go on being found."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (4, *bundle.preprocessing.resize, 3), dtype=np.uint8)
    finals: list[float] = []
    with bundle.stream() as stream:
        for number in range(400):
            events = stream.push(Frame(pictures[number % 4], number / bundle.grid.fps))
            finals += [float(event.proposal.start) for event in events if event.kind == "final" and event.rank == 1]
    assert len([start for start in finals if start < 0]) >= 3
    assert len([start for start in finals if start > 0]) >= 1


def test_the_script_is_read_step_by_step(bundle: ScriptedBundle) -> None:
    state, window = bundle.backend.new_state(), bundle.backend.new_window(len(SCRIPT))
    with SteadyCameras(bundle, 1) as steady:
        first_hop(steady)  # opens another window, which changes nothing here
    features = np.zeros((1, bundle.manifest.network.feature_channels), np.float32)
    window.push(features)
    assert len(window) == len(SCRIPT)
    (before,) = bundle.backend.stages([Stages(window)])
    window.push(features)
    (after,) = bundle.backend.stages([Stages(window)])
    assert (before.argmax(axis=1)[1:] == after.argmax(axis=1)[:-1]).all()
    assert sorted(before.argmax(axis=1)) == sorted(SCRIPT)
    window.close()
    state.close()
