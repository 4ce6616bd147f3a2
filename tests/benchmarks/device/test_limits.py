"""`--fail-over` and `--fail-under`: what is over is named, what is missing is no success, wrong texts are refused."""

from __future__ import annotations

from dataclasses import replace

import bench_reports
import pytest

from cmsn_benchmarks.device.backend_names import named
from cmsn_benchmarks.device.figures import BenchReport
from cmsn_benchmarks.device.limits import exceeded, read_limits, require_backends
from cmsn_runtime.errors import SettingsError


def _report() -> BenchReport:
    """Hops of exactly 8 and 4 ms; four cameras at once take 30 and 20."""
    pairs = (("onnxruntime", 8.0, 30.0), ("openvino", 4.0, 20.0))
    return bench_reports.report(
        *(
            replace(
                bench_reports.backend(name, most=most),
                single_stream=bench_reports.scenario([single] * 50),
                multi_stream=bench_reports.scenario([multi] * 50, cameras=4),
            )
            for most, (name, single, multi) in zip((3, 9), pairs, strict=True)
        )
    )


REPORT = _report()


@pytest.mark.parametrize(
    "over",
    [
        *("p50=8ms", "p90=0.008s", "p95=8000us", "multi:p99=30ms", "openvino:p99=4ms", "openvino:multi:p99=20 ms"),
        *("memory=164MB", "memory=0.2GB", "first_result=590ms", "first_result=0.59s"),
    ],
)
def test_a_figure_at_its_limit_is_not_over_it(over: str) -> None:
    assert exceeded(REPORT, read_limits([over], [])) == []


@pytest.mark.parametrize("under", ["cameras=3", "openvino:cameras=9", "fps=1000", "fps=1000fps", "multi:fps=1000"])
def test_a_figure_at_its_lower_limit_is_not_under_it(under: str) -> None:
    assert exceeded(REPORT, read_limits([], [under])) == []


def test_each_figure_that_is_over_is_named_with_its_value_and_its_limit() -> None:
    found = exceeded(REPORT, read_limits(["p99=7ms", "multi:p99=19ms", "memory=100MB"], ["openvino:cameras=10"]))
    assert found == [
        "onnxruntime: latency p99 of the single-stream scenario is 8.00 ms; --fail-over p99=7ms allows at most 7.00 ms",
        "onnxruntime: latency p99 of the multi-stream scenario is 30.0 ms; "
        "--fail-over multi:p99=19ms allows at most 19.0 ms",
        "openvino: latency p99 of the multi-stream scenario is 20.0 ms; "
        "--fail-over multi:p99=19ms allows at most 19.0 ms",
        "onnxruntime: memory of the process, peak is 164 MB; --fail-over memory=100MB allows at most 100 MB",
        "openvino: memory of the process, peak is 164 MB; --fail-over memory=100MB allows at most 100 MB",
        "openvino: cameras sustained is 9; --fail-under openvino:cameras=10 allows at least 10",
    ]


def test_a_figure_or_a_backend_that_was_not_measured_is_not_within_its_limit() -> None:
    report = bench_reports.report(replace(bench_reports.backend("auto"), name="onnxruntime", multi_stream=None))
    limits = read_limits(["multi:p99=1s", "gpu_memory=1GB", "tensorrt:p99=1s", "onnxruntime:p99=1s"], [])
    assert exceeded(report, limits) == [
        "onnxruntime (auto): latency p99 of the multi-stream scenario was not measured, "
        "so --fail-over multi:p99=1s is not met",
        "onnxruntime (auto): memory of the GPU was not measured, so --fail-over gpu_memory=1GB is not met",
        "tensorrt was not measured, only onnxruntime (auto), so --fail-over tensorrt:p99=1s is not met",
    ]


@pytest.mark.parametrize("name", ["openvino", "openvino-bf16", "onnxruntime", "of-another-package"])
def test_auto_is_named_by_what_it_took_and_a_limit_for_that_holds_for_it(name: str) -> None:
    report = bench_reports.report(replace(bench_reports.backend("auto", milliseconds=9.0), name=name))
    (line,) = exceeded(report, read_limits([f"{name}:p50=1ms"], []))
    assert line.startswith(f"{name} (auto): latency p50 of the single-stream scenario is ")
    assert len(exceeded(report, read_limits(["auto:p50=1ms"], []))) == 1


def test_a_report_of_old_names_its_backends_as_they_were_asked_for() -> None:
    assert named(bench_reports.backend("auto")) == "auto"
    assert named(replace(bench_reports.backend("openvino"), name="openvino")) == "openvino"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p99", "it must be NAME=VALUE such as p99=40ms"),
        ("p99=fast", "it must be NAME=VALUE"),
        ("p99=-1ms", "it must be NAME=VALUE"),
        ("p99=nanms", "it must be NAME=VALUE"),
        ("", "it must be NAME=VALUE"),
        ("p99=40", "the unit of p99 is ms or s or us"),
        ("p99=40MB", "the unit of p99 is ms or s or us"),
        ("memory=1", "the unit of memory is MB or GB"),
        ("p98=1ms", "'p98' is unknown; it must be one of p50, p90, p95, p99, first_result, memory, gpu_memory"),
        ("multi:memory=1MB", "memory belongs to no scenario; omit multi:"),
        ("cameras=4", "more cameras is better; use --fail-under"),
    ],
)
def test_a_wrong_limit_is_refused_with_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match="--fail-over") as raised:
        read_limits([text], [])
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p99=4ms", "less p99 is better; use --fail-over"),
        ("cameras=4fps", "the unit of cameras is none"),
        ("frames=4", "'frames' is unknown; it must be one of fps, cameras"),
        ("many", "it must be NAME=VALUE such as cameras=4"),
    ],
)
def test_a_wrong_lower_limit_is_refused_with_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match="--fail-under") as raised:
        read_limits([], [text])
    assert message in str(raised.value)


def test_a_limit_for_a_backend_that_is_not_asked_for_is_refused_before_measuring() -> None:
    limits = read_limits(["openvino:p99=1ms"], [])
    require_backends(limits, ["openvino", "onnxruntime"])
    require_backends(limits, ["auto"])
    with pytest.raises(SettingsError, match=r"'openvino' is not measured, only onnxruntime; name one of these"):
        require_backends(limits, ["onnxruntime"])
