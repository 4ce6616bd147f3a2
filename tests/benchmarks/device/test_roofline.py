"""Ceilings that are measured, shares of limits, and their picture."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from bench_reports import backend, report

pytest.importorskip("onnx")

from cmsn_benchmarks.device.ceilings import fastest, measure_ceilings
from cmsn_benchmarks.device.child_settings import ChildSettings, Measurement
from cmsn_benchmarks.device.costs import Cost
from cmsn_benchmarks.device.figures import BenchSettings, Ceilings, ProductCeiling
from cmsn_benchmarks.device.libraries import OnnxRuntimeLibrary, Repeatable, copied_by_threads, libraries_of
from cmsn_benchmarks.device.measuring import measure as measure_all
from cmsn_benchmarks.device.roofline import limit, roofline
from cmsn_runtime.backends.base import Arithmetic
from cmsn_runtime.errors import MissingExtraError, SettingsError

small = partial(measure_ceilings, sides=(16, 32), nbytes=4096, seconds=0.002)


def ceiling(rate: float, side: int = 64) -> ProductCeiling:
    return ProductCeiling(by="ours", operations_per_second=rate, side=side)


CEILINGS = Ceilings(products={"fp32": ceiling(1e9), "int8": ceiling(4e9)}, bytes_per_second=1e8, threads=2)


def cost(nbytes: int, **products: int) -> Cost:
    return Cost(products=products, others=0, layers={}, nbytes=nbytes)


def test_a_network_of_many_operations_per_byte_is_bound_by_compute() -> None:
    found = limit(cost(1000, fp32=10**9), CEILINGS, seconds=4.0)
    assert (found.least_seconds, found.share, found.bound) == (1.0, 0.25, "compute")


def test_a_network_of_few_operations_per_byte_is_bound_by_memory() -> None:
    found = limit(cost(10**8, fp32=10**6), CEILINGS, seconds=2.0)
    assert (found.least_seconds, found.share, found.bound) == (1.0, 0.5, "memory")


def test_operations_of_each_precision_take_their_own_ceiling() -> None:
    found = limit(cost(1, fp32=10**9, int8=4 * 10**9), CEILINGS, seconds=2.0)
    assert (found.least_seconds, found.share) == (2.0, 1.0)


def test_a_share_above_one_is_not_cut_off() -> None:
    assert limit(cost(1, fp32=10**9), CEILINGS, seconds=0.5).share == 2.0


def test_a_precision_without_a_ceiling_is_refused_by_its_name() -> None:
    with pytest.raises(SettingsError, match="multiplies matrices in bf16; the ceilings are those of fp32, int8"):
        limit(cost(1, bf16=1), CEILINGS, seconds=1.0)


def test_the_limit_of_the_whole_is_the_sum_of_its_networks() -> None:
    costs = {"extractor": cost(1000, fp32=10**9), "stages": cost(2 * 10**8, fp32=10**6), "evaluator": cost(1, fp32=1)}
    found = roofline(costs, CEILINGS, {"extractor": 2.0, "stages": 4.0}).networks
    assert list(found) == ["extractor", "stages", "whole"]
    whole = found["whole"]
    assert (whole.seconds, whole.least_seconds, whole.share) == (6.0, 3.0, 0.5)
    assert (whole.operations, whole.nbytes, whole.bound) == ({"fp32": 10**9 + 10**6}, 2 * 10**8 + 1000, "memory")


def test_networks_that_are_not_waited_for_have_one_time_together() -> None:
    costs = {"extractor": cost(1, fp32=10**9), "stages": cost(1, fp32=10**9)}
    assert list(roofline(costs, CEILINGS, {"extractor": 0.1, "stages": 9.0}, parted=False).networks) == ["whole"]


class Counting:
    """Multiplies in no time, for precisions that are asked for; notes what was."""

    def __init__(self, name: str, *precisions: str) -> None:
        self.name = name
        self.precisions = frozenset(precisions)
        self.asked: list[tuple[str, int]] = []

    @contextmanager
    def product(self, precision: str, side: int) -> Iterator[Repeatable]:
        self.asked.append((precision, side))
        yield Repeatable(lambda: None)

    @contextmanager
    def copy(self, nbytes: int) -> Iterator[Repeatable]:
        yield Repeatable(lambda: None)


def test_every_library_is_asked_for_the_precisions_that_it_has() -> None:
    ours, theirs = Counting("ours", "fp32"), Counting("theirs", "fp32", "bf16")
    found = small([ours, theirs], ["bf16", "fp32", "int8"], threads=3)
    assert ours.asked == [("fp32", 16), ("fp32", 32)]
    assert theirs.asked == [("bf16", 16), ("bf16", 32), ("fp32", 16), ("fp32", 32)]
    assert set(found.products) == {"bf16", "fp32"}
    assert found.products["bf16"].by == "theirs"
    assert found.threads == 3
    assert found.bytes_per_second > 0


def test_the_fastest_burst_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clock readings: the end, then begin and end of three bursts of 4, with what the loop reads between them."""
    readings = iter([0.0, 0.0, 8.0, 10.0, 14.0, 20.0, 28.0, 99.0])
    monkeypatch.setattr("cmsn_benchmarks.device.ceilings.time.perf_counter", lambda: next(readings))
    assert fastest(Repeatable(lambda: None), seconds=1.0) == 1.0


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_copy_every_byte(threads: int) -> None:
    with copied_by_threads(1000, threads) as copying:
        copying.run()


def test_onnx_runtime_multiplies_on_the_cpu() -> None:
    found = small([OnnxRuntimeLibrary("cpu", threads=1)], ["fp32"])
    assert found.products["fp32"].by == "ONNX Runtime"
    assert found.products["fp32"].side in (16, 32)


def test_openvino_multiplies_in_every_precision_of_the_processor() -> None:
    pytest.importorskip("openvino")
    libraries = libraries_of(Arithmetic(library="onnxruntime", device="cpu", variant="fp32", threads=1))
    assert [library.name for library in libraries] == ["ONNX Runtime", "OpenVINO"]
    found = small(libraries[1:], libraries[1].precisions)
    assert set(found.products) == libraries[1].precisions >= {"fp32", "int8"}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ceilings that take no time."""
    monkeypatch.setattr("cmsn_benchmarks.device.roofline.CPU_SIDES", (16,))
    monkeypatch.setattr("cmsn_benchmarks.device.roofline.COPIED_BYTES", 4096)
    monkeypatch.setattr("cmsn_benchmarks.device.ceilings._SECONDS", 0.002)


def figures_of(*measure: Measurement) -> dict[str, Any]:
    """What a child would write about the demo on ONNX Runtime."""
    bench = BenchSettings(warm_up=0.0, duration=0.01, cameras=1, limit=40.0, threads=1)
    settings = ChildSettings(
        bundle="demo",
        backend="onnxruntime",
        engines=None,
        measure=measure,
        film="",
        picture=(64, 48),
        search=0.0,
        begun=0.0,
        bench=bench,
    )
    told: dict[str, Any] = {}
    measure_all(settings, started=0.0, tell=told.update, progress=lambda line: None)
    return told


def test_a_backend_is_compared_with_the_ceilings_after_its_single_stream(quick: None) -> None:
    found = figures_of("single-stream", "roofline")
    networks = found["roofline"].networks
    assert list(networks) == ["extractor", "stages", "evaluator", "whole"]
    parts = found["single_stream"].parts
    assert networks["extractor"].seconds == parts["extract"].p50 / 1e3
    assert networks["whole"].seconds == pytest.approx(
        sum(parts[name].p50 for name in ("extract", "stages", "evaluate")) / 1e3
    )
    assert found["roofline"].ceilings.threads == 1
    assert "notes" not in found


def test_without_onnx_a_note_says_why_there_is_no_roofline(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr("cmsn_runtime.extras.find_spec", lambda name: None if name == "onnx" else real(name))
    found = figures_of("single-stream", "roofline")
    assert "roofline" not in found
    (note,) = found["notes"]
    assert note.startswith("no roofline: ")
    assert note.endswith("needs onnx, which is not installed: pip install 'cmsn[bench]'")
    assert found["single_stream"].latency.count > 0


def test_a_library_that_fails_costs_no_other_figure(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("no kernel\nat line 3")

    monkeypatch.setattr("cmsn_benchmarks.device.roofline.measure_ceilings", failing)
    assert figures_of("single-stream", "roofline")["notes"] == ["no roofline: RuntimeError: no kernel at line 3"]


def test_a_roofline_alone_says_what_it_lacks(quick: None) -> None:
    assert "measure them too" in figures_of("roofline")["notes"][0]


def test_the_picture_shows_every_backend_that_has_a_roofline(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from cmsn_benchmarks.device.roofline_picture import draw_roofline

    given = report(backend("onnxruntime"), backend("openvino"), replace(backend("tensorrt"), roofline=None))
    draw_roofline(given, tmp_path / "roofline.png")
    assert (tmp_path / "roofline.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SettingsError, match="no backend of this report has a roofline"):
        draw_roofline(replace(given, backends=given.backends[2:]), tmp_path / "none.png")


def test_a_picture_without_matplotlib_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cmsn_benchmarks.device.roofline_picture import draw_roofline

    monkeypatch.setattr("cmsn_runtime.extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"needs matplotlib, which is not installed: pip install 'cmsn\[bench"):
        draw_roofline(report(backend()), tmp_path / "roofline.png")
