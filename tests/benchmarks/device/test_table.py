"""The table of `cmsn bench`: what it says, and that it fits where it goes."""

from __future__ import annotations

from dataclasses import replace

import bench_reports
import pytest

from cmsn_benchmarks.device.figures import BackendFigures, BenchReport
from cmsn_benchmarks.device.table import print_report
from cmsn_benchmarks.device.wording import per_second, worded
from cmsn_runtime.manifest.quality import Quality, Recall

BACKENDS = (
    bench_reports.backend(),
    bench_reports.backend("openvino-bf16", milliseconds=2.0, most=23),
    bench_reports.gpu_backend(),
)


def shown(capsys: pytest.CaptureFixture[str], report: BenchReport) -> str:
    print_report(report)
    return capsys.readouterr().out


def row(text: str, label: str) -> str:
    """The only line that begins with a label, without it."""
    (found,) = [line for line in text.splitlines() if line.strip().startswith(label)]
    return " ".join(found.strip().removeprefix(label).split())


def test_backends_are_side_by_side_and_each_result_of_mlperf_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    constant = tuple(
        replace(each, single_stream=bench_reports.scenario([taken] * 100), multi_stream=None)
        for each, taken in zip(BACKENDS, (8.0, 4.0, 1.25), strict=True)
    )
    text = shown(capsys, bench_reports.report(*constant))
    assert row(text, "latency p90 *") == "8.00 ms 4.00 ms 1.25 ms"
    assert row(text, "frames per second") == "1,000 2,000 6,400"
    assert row(text, "times real time (25 fps)") == "40.0 x 80.0 x 256 x"
    assert row(text, "extract (network)") == "4.96 4.96 ms 62 % 2.48 2.48 ms 62 % 0.78 0.78 ms 62 %"
    assert "multi-stream" not in text


def test_cameras_are_shown_with_their_limit_and_what_was_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, bench_reports.report(bench_reports.backend(most=12)))
    assert "Live cameras at 25 fps, 640x480 H.264: p99 of frame-to-event at most 500 ms" in text
    assert row(text, "cameras sustained") == "12"
    assert row(text, "their frame-to-event p99") == "<= 200 ms"
    assert row(text, "too many") == "13: frames lost"


def test_a_search_that_ended_early_and_one_that_found_no_camera_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    early, none = bench_reports.backend(most=12), bench_reports.backend("slow", most=0)
    assert early.sustained is not None
    assert none.sustained is not None
    early = replace(early, sustained=replace(early.sustained, exact=False, loads=early.sustained.loads[:-1]))
    late = replace(none.sustained.loads[-1], left_out=0)
    none = replace(none, sustained=replace(none.sustained, loads=(late,)))
    text = shown(capsys, bench_reports.report(early, none))
    assert row(text, "cameras sustained") == "12 or more 0"
    assert row(text, "their frame-to-event p99") == "<= 200 ms -"
    assert row(text, "too many") == "- 1: over 5 s"


def test_without_a_terminal_it_is_plain_text_of_100_columns_at_most(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    note = "the machine was busy " * 20
    text = shown(capsys, bench_reports.report(*BACKENDS, *BACKENDS, notes=(note,)))
    assert max(map(len, text.splitlines())) <= 100
    assert "\x1b" not in text
    assert not any("\u2500" <= letter <= "\u259f" for letter in text)
    assert text.count("tensorrt") >= 2


def test_on_80_columns_backends_that_do_not_fit_come_below_with_their_labels(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    text = shown(capsys, bench_reports.report(*BACKENDS))
    assert text.count("cameras sustained") == 2
    assert "…" not in text


def test_what_no_backend_has_is_left_out_and_what_one_lacks_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    bare = BackendFigures(asked="auto", backend="onnxruntime", notes=("no camera could be captured",))
    text = shown(capsys, bench_reports.report(bare, bench_reports.gpu_backend()))
    assert row(text, "memory of the GPU") == "- 288 MB"
    assert row(text, "slowed down by heat or power") == "- yes"
    assert "auto: onnxruntime" in text
    assert "Note: auto: no camera could be captured" in text
    alone = shown(capsys, bench_reports.report(bare))
    assert "memory" not in alone
    assert "Sensors" not in alone


def test_what_a_backend_turned_out_to_be_is_said_above_and_leaves_the_columns_narrow(
    capsys: pytest.CaptureFixture[str],
) -> None:
    long = "OpenVINO 2026.4.1 (CPU, FP32; scores: ONNX Runtime 1.32.0)"
    text = shown(capsys, bench_reports.report(*(replace(each, backend=long) for each in BACKENDS)))
    assert f"tensorrt: {long}" in text.splitlines()
    assert len(row(text, "cameras sustained").split()) == len(BACKENDS)


def test_the_machine_and_the_bundle_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, bench_reports.report()).splitlines()
    assert lines[0].startswith("cmsn 0.1.0 on AMD EPYC, 2 cores, Linux")
    assert lines[1] == "demo: width 0.125, input 112x112x3 at 25 fps"
    empty = shown(capsys, replace(bench_reports.report(), machine={})).splitlines()
    assert empty[0] == "cmsn 0.1.0 on an unknown machine"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0123, "0.012 ms"),
        (0.9996, "1.00 ms"),
        (9.996, "10.0 ms"),
        (99.96, "100 ms"),
        (12345.6, "12,346 ms"),
        (None, "-"),
    ],
)
def test_figures_have_three_digits(value: float | None, text: str) -> None:
    assert worded(value, "ms") == text


def test_rates_take_the_prefix_that_fits() -> None:
    assert [per_second(rate, "B") for rate in (1.4e10, 2.5e12, 3e6, 12)] == [
        "14.0 GB/s",
        "2.50 TB/s",
        "3.00 MB/s",
        "12.0 B/s",
    ]


def test_what_int8_costs_is_what_the_bundle_says(capsys: pytest.CaptureFixture[str]) -> None:
    quality = Quality(
        backend="x", videos=20, steps=900, stages=0.98, signal_to_noise=30.0, recall=Recall(10, 89.63, 90.1)
    )
    report = bench_reports.report(bench_reports.backend(), replace(bench_reports.backend("int8"), quality=quality))
    assert row(shown(capsys, report), "average recall") == "- 89.6 of 90.1 %"
