"""`cmsn bench` with files of earlier runs, and what it refuses before it measures."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bench_reports
import click
import pytest
from command_line import cmsn

from cmsn_benchmarks.commands.bench import bench
from cmsn_benchmarks.commands.figure_options import FigureChoice
from cmsn_benchmarks.device.figures import BackendFigures, BenchReport
from cmsn_benchmarks.device.report_file import write_report


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The file of a run whose hops took 8 ms each."""
    path = tmp_path / "a.json"
    steady = replace(bench_reports.backend(), single_stream=bench_reports.scenario([8.0] * 50))
    write_report(path, bench_reports.report(steady))
    return path


def test_an_earlier_run_is_shown_again(earlier: Path, tmp_path: Path) -> None:
    for suffix, begin in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        plot = tmp_path / f"a.{suffix}"
        done = cmsn("bench", "--from", earlier, "--plot", plot)
        assert (done.returncode, done.stderr) == (0, "")
        assert "times real time" in done.stdout
        assert plot.read_bytes().startswith(begin)


def test_a_run_without_queries_and_cameras_is_drawn_too(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    bare = replace(bench_reports.backend("$x_"), single_stream=None, sustained=None)
    write_report(path, bench_reports.report(bare))
    assert cmsn("bench", "--from", path, "--plot", tmp_path / "a.png").returncode == 0


def test_a_figure_over_its_limit_makes_the_status_1_and_one_line(earlier: Path) -> None:
    good = cmsn("bench", "--from", earlier, "--fail-over", "p99=8ms", "--fail-under", "cameras=12")
    assert (good.returncode, good.stderr) == (0, "")
    bad = cmsn("bench", "--from", earlier, "--fail-over", "p99=7ms", "--fail-under", "fps=1001")
    assert bad.returncode == 1
    assert [line.partition(" is ")[0] for line in bad.stderr.splitlines()] == [
        "cmsn: error: onnxruntime: latency p99 of the single-stream scenario",
        "cmsn: error: onnxruntime: frames per second of the single-stream scenario",
    ]
    assert "times real time" in bad.stdout


def test_two_earlier_runs_are_compared(earlier: Path) -> None:
    done = cmsn("bench", "--compare", earlier, earlier)
    assert done.returncode == 0
    assert "within the noise" in done.stdout
    missing = cmsn("bench", "--compare", earlier, earlier.parent / "b.json")
    assert missing.returncode == 1
    assert len(missing.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--from", "a.json", "--backend", "onnxruntime"], "--from measures nothing; omit --backend"),
        (["--from", "a.json", "--json", "b.json"], "--from measures nothing; omit --json"),
        (["--compare", "a.json", "b.json", "--from", "c.json"], "--compare measures nothing; omit --from"),
        (["--compare", "a.json", "b.json", "--fail-over", "p99=1ms"], "--compare measures nothing; omit --fail-over"),
        (["demo", "--from", "a.json"], "--from measures nothing; omit bundle"),
    ],
)
def test_options_without_effect_beside_a_file_are_refused(options: list[str], message: str) -> None:
    done = cmsn("bench", *options)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fail-over", "p99=40"], "the unit of p99 is ms or s or us"),
        (["--backend", "onnxruntime", "--fail-over", "openvino:p99=4ms"], "'openvino' is not measured"),
        (["--plot", "a.pdf"], "it must end in .png or .svg"),
        (["--plot", "/nowhere/a.png"], "/nowhere/a.png: cannot be written"),
        (["--json", "/nowhere/a.json"], "/nowhere/a.json: cannot be written"),
    ],
)
def test_what_could_only_fail_later_is_refused_before_measuring(
    monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.setattr("cmsn_benchmarks.device.running.run_bench", lambda *_: pytest.fail("it measured"))
    done = cmsn("bench", *options)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_picture_without_matplotlib_names_the_extra(earlier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cmsn_runtime.extras.find_spec", lambda name: None)
    assert importlib.util.find_spec("matplotlib") is not None
    done = cmsn("bench", "--from", earlier, "--plot", earlier.parent / "a.png")
    assert done.returncode == 1
    assert "pip install 'cmsn[bench]'" in done.stderr


def test_a_file_has_the_figures_so_far_and_standard_output_those_of_the_whole_run_once(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    report = bench_reports.report(bench_reports.backend(count=8))
    file, stdout = (FigureChoice(path, None, (), (), None, None) for path in (tmp_path / "a.json", Path("-")))
    for finished in (False, True):
        for choice in (file, stdout):
            choice.keep(report, finished=finished)
    assert (tmp_path / "a.json").exists()
    assert json.loads(capsysbinary.readouterr().out)["format"] == 1


def test_a_run_that_is_stopped_shows_and_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped = replace(bench_reports.backend(count=8), multi_stream=None, sustained=None, notes=("the run was stopped",))

    def run_bench(run: object, collect: Callable[[BenchReport], None]) -> BenchReport:
        collect(bench_reports.report(stopped))
        raise KeyboardInterrupt

    monkeypatch.setattr("cmsn_benchmarks.device.running.run_bench", run_bench)
    with pytest.raises(click.exceptions.Abort):
        bench.main(["demo", "--json", str(tmp_path / "a.json")], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "times real time" in shown
    assert "Note: onnxruntime: the run was stopped" in shown
    assert (tmp_path / "a.json").exists()


def test_a_run_that_is_stopped_before_its_first_figure_shows_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    choice = FigureChoice(None, None, (), (), None, None)
    choice.show_stopped([])
    choice.show_stopped([bench_reports.report(BackendFigures(asked="auto", backend="none"))])
    assert capsys.readouterr().out == ""
