"""One process per backend: what it measures reaches the report whatever happens to it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cmsn_benchmarks.commands.bench import bench
from cmsn_benchmarks.device.child_process import Measured, measure_in_child
from cmsn_benchmarks.device.child_settings import ChildSettings
from cmsn_benchmarks.device.figures import BackendFigures, BenchSettings
from cmsn_benchmarks.device.report_file import read_report
from cmsn_benchmarks.device.running import check_backends
from cmsn_runtime.errors import SettingsError

SETTINGS = ChildSettings(
    bundle="demo",
    backend="onnxruntime",
    engines=None,
    measure=(),
    film="",
    picture=(64, 48),
    search=1.0,
    begun=0.0,
    bench=BenchSettings(warm_up=0.1, duration=0.1, cameras=2, limit=500.0, threads=1),
)
ONE_FIGURE = 'import sys; sys.stdin.read(); print(\'{"error": 0.5, "notes": ["first"]}\', flush=True); '


def child(code: str, *, silence: float = 30.0) -> BackendFigures:
    measured = Measured("onnxruntime")
    measure_in_child(SETTINGS, measured, command=(sys.executable, "-c", code), silence=silence)
    return measured.figures()


def test_figures_of_a_child_that_crashes_are_kept() -> None:
    found = child(ONE_FIGURE + "import os; os.kill(os.getpid(), 11)")
    assert found.error == 0.5
    assert found.notes[0] == "first"
    assert "by signal 11" in found.notes[1]
    assert "with status 3" in child(ONE_FIGURE + "sys.exit(3)").notes[1]


def test_a_child_that_hangs_is_ended() -> None:
    found = child(ONE_FIGURE + "import time; time.sleep(600)", silence=0.5)
    assert found.error == 0.5
    assert "was silent for" in found.notes[1]


def test_a_child_that_ends_before_it_reads_is_reported() -> None:
    assert "with status 1" in child("import sys; sys.exit(1)").notes[0]


def test_anything_else_on_standard_output_is_reported() -> None:
    assert "instead of figures" in child("import sys; sys.stdin.read(); print('hello')").notes[0]


def test_unknown_backends_are_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="--backend has jax; name one or more of auto, "):
        check_backends(["onnxruntime", "jax"])


def test_the_command_measures_one_backend_and_reports_the_other_that_cannot_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "bench.json"
    options = ["--backend", "onnxruntime,tensorrt", "--measure", "single-stream,multi-stream", "--threads", "1"]
    times = ["--seconds", "0.1", "--warm-up", "0.05", "--cameras", "2", "--json", str(output)]
    done = CliRunner().invoke(bench, ["demo", *options, *times])
    assert done.exit_code == 1  # of tensorrt
    report = read_report(output)
    measured, missing = report.backends
    assert measured.single_stream is not None and measured.multi_stream is not None
    assert measured.multi_stream.cameras == 2
    assert measured.first_result is not None and measured.first_result.total > measured.first_result.opening > 0
    assert measured.memory is not None and measured.memory.host_peak >= measured.memory.host > 10
    assert measured.notes == ()
    assert missing.first_result is None and missing.notes
    assert "/" not in json.dumps(report.machine)
    assert "single-stream" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--measure", "speed"], "unknown; there are single-stream"),
        (["--limit", "500"], "give one such as 500ms"),
        (["--picture", "641x480"], "two even numbers"),
        (["--film", "nothing.mp4"], "does not exist"),
    ],
)
def test_wrong_options_are_refused(options: list[str], message: str) -> None:
    done = CliRunner().invoke(bench, options)
    assert done.exit_code == 2
    assert message in done.output
