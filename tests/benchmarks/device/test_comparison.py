"""`cmsn bench --compare`: ratios, what of them is noise, and what else differs between two runs."""

from __future__ import annotations

from dataclasses import replace

import bench_reports
import numpy as np
import pytest

from cmsn_benchmarks.device.comparing.conditions import backend_warnings, warnings_of
from cmsn_benchmarks.device.comparing.differences import Difference, Pair, differences, pairs
from cmsn_benchmarks.device.comparing.noise import Times, ratio_interval
from cmsn_benchmarks.device.comparing.table import print_comparison
from cmsn_benchmarks.device.figures import BackendFigures


def compared(first: BackendFigures, second: BackendFigures) -> dict[str, Difference]:
    """Differences by the path of their figure."""
    return {each.figure.path: each for each in differences(Pair(first, second))}


def drifting(seed: int, *, count: int = 2000) -> Times:
    """Latencies whose level wanders, as with a clock that changes every 100 queries or so."""
    random = np.random.default_rng(seed)
    level = np.repeat(random.normal(10.0, 1.0, count // 100), 100)
    drifts: Times = level + random.normal(0.0, 0.1, count)
    return drifts


def test_two_runs_of_the_same_thing_differ_by_noise() -> None:
    found = compared(bench_reports.backend(seed=1), bench_reports.backend(seed=40))
    for name in ("p50", "p90", "p95"):
        assert found[f"single_stream.latency.{name}"].verdict == "noise"


def test_a_faster_run_is_better_in_latency_and_in_frames_per_second() -> None:
    found = compared(bench_reports.backend(milliseconds=6.0), bench_reports.backend(milliseconds=4.0, seed=8))
    latency, frames = found["single_stream.latency.p50"], found["single_stream.frames_per_second"]
    assert latency.verdict == frames.verdict == "better"
    assert latency.ratio == pytest.approx(0.67, abs=0.03)
    for each in (latency, frames):
        assert each.interval is not None
        assert each.ratio is not None
        assert each.interval.low < each.ratio < each.interval.high
    slower = compared(bench_reports.backend(milliseconds=4.0), bench_reports.backend(milliseconds=6.0, seed=8))
    assert slower["single_stream.latency.p50"].verdict == slower["single_stream.frames_per_second"].verdict == "worse"


def test_a_percentile_that_few_queries_lie_beyond_is_not_judged() -> None:
    found = compared(bench_reports.backend(count=300), bench_reports.backend(milliseconds=1.0, count=300))
    assert found["single_stream.latency.p95"].verdict == "better"  # 15 of 300 lie beyond
    assert found["single_stream.latency.p99"].verdict == "too few"  # 3 do


def test_a_figure_of_which_a_run_has_one_value_has_a_ratio_and_no_verdict() -> None:
    found = compared(bench_reports.backend(most=12), bench_reports.backend(most=18))
    cameras = found["sustained.most"]
    assert (cameras.ratio, cameras.verdict, cameras.interval) == (1.5, "single", None)
    assert compared(bench_reports.backend(most=0), bench_reports.backend())["sustained.most"].ratio is None


def test_queries_that_share_the_state_of_the_machine_widen_the_interval() -> None:
    one, other = drifting(1), drifting(2)
    random = np.random.default_rng(3)
    as_measured = ratio_interval(one, other, percent=None)
    shuffled = ratio_interval(random.permutation(one), random.permutation(other), percent=None)
    assert as_measured is not None
    assert shuffled is not None
    assert as_measured.high - as_measured.low > 2 * (shuffled.high - shuffled.low)


def test_the_same_files_give_the_same_interval() -> None:
    assert ratio_interval(drifting(1), drifting(2), percent=90) == ratio_interval(drifting(1), drifting(2), percent=90)


def test_backends_are_paired_by_name_and_the_only_ones_whatever_their_names() -> None:
    ort, vino, trt = (bench_reports.backend(name) for name in ("onnxruntime", "openvino", "tensorrt"))
    auto = replace(vino, asked="auto", name="openvino")
    found = pairs(bench_reports.report(ort, auto), bench_reports.report(trt, vino, ort))
    assert [(each.first.asked, each.second.asked) for each in found] == [
        ("onnxruntime", "onnxruntime"),
        ("auto", "openvino"),
    ]
    (only,) = pairs(bench_reports.report(ort), bench_reports.report(trt))
    assert list(backend_warnings(only.first, only.second)) == ["the backends differ: onnxruntime and tensorrt"]


def test_each_condition_that_differs_is_warned_of_and_those_of_the_moment_are_not() -> None:
    report = bench_reports.report()
    gpu = {"name": "Orin", "temperature.gpu": "51", "memory.used": "12 MiB"}
    before = replace(report, machine={**report.machine, "gpu": gpu})
    after = replace(
        report,
        cmsn="0.2.0",
        machine={**report.machine, "cores": 4, "gpu": {**gpu, "temperature.gpu": "70", "memory.used": "90 MiB"}},
        bundle=replace(report.bundle, name="cctv", sha256="b" * 64),
        settings=replace(report.settings, threads=2),
    )
    assert warnings_of(before, before) == []
    assert warnings_of(before, after) == [
        "the bundles differ: demo (sha256 aaaaaaaaaaaa...) and cctv (sha256 bbbbbbbbbbbb...); "
        "the figures are those of different networks",
        "the settings differ: threads - and 2",
        "the versions of cmsn differ: 0.1.0 and 0.2.0",
        "the machines differ: cores 2 and 4",
    ]


def test_scenarios_of_other_conditions_are_warned_of() -> None:
    first = bench_reports.backend()
    assert first.sustained is not None
    assert first.first_result is not None
    assert first.multi_stream is not None
    second = replace(
        first,
        first_result=replace(first.first_result, cold=True),
        multi_stream=replace(first.multi_stream, cameras=8),
        sustained=replace(first.sustained, picture="1920x1080 H.264"),
    )
    assert list(backend_warnings(first, first)) == []
    assert list(backend_warnings(first, second)) == [
        "multi-stream had 4 and 8 cameras",
        "the caches of compiled code were empty in one run only: the times to the first result differ by it",
        "the live cameras differ: picture 640x480 H.264 and 1920x1080 H.264",
    ]


def test_the_comparison_is_plain_text_of_100_columns_and_names_what_is_not_in_both(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = bench_reports.report(bench_reports.backend())
    second = bench_reports.report(bench_reports.backend(milliseconds=3.0), bench_reports.gpu_backend())
    print_comparison(first, second)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert any(" ".join(line.split()).startswith("single-stream latency p90 * 7.06 ms 3.53 ms 0.50") for line in lines)
    assert any(line.rstrip().endswith("better") for line in lines)
    assert "Warning: tensorrt is in B only" in [line.rstrip() for line in lines]
