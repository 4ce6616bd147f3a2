"""The file of `cmsn bench`: read as it was written; anything else is refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import bench_reports
import pytest

from cmsn_benchmarks.device.report_file import read_report, report_text, write_report
from cmsn_runtime.errors import AnnotationError

Content = dict[str, Any]


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    written = bench_reports.report(
        bench_reports.backend(), bench_reports.gpu_backend(), replace(bench_reports.backend("x"), sustained=None)
    )
    write_report(path, written)
    assert read_report(path) == written


def test_a_frame_that_came_later_than_any_bound_is_valid_json() -> None:
    text = report_text(bench_reports.report())
    parsed = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert parsed["backends"][0]["sustained"]["loads"][-1]["frame_to_event"]["p99"] is None


def test_a_query_takes_one_line_of_the_file() -> None:
    lines = report_text(bench_reports.report(bench_reports.backend(count=40))).splitlines()
    assert sum('"taken"' in line for line in lines) == 50  # 40 of the single-stream scenario, 10 of the multi-stream
    assert all(line.count('"taken"') <= 1 for line in lines)


def test_an_infinite_figure_is_not_written_and_what_was_there_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("before")
    broken = bench_reports.report()
    with pytest.raises(ValueError, match="JSON"):
        write_report(path, replace(broken, settings=replace(broken.settings, limit=float("inf"))))
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def _without_bundle(content: Content) -> None:
    del content["bundle"]


def _text_for_a_number(content: Content) -> None:
    content["backends"][0]["single_stream"]["queries"][3]["taken"] = "fast"


def _unknown_field(content: Content) -> None:
    content["settings"]["colour"] = 1


def _newer(content: Content) -> None:
    content["format"] = 2


def _no_format(content: Content) -> None:
    del content["format"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without_bundle, "bundle is missing"),
        (_text_for_a_number, r"backends\[0\].single_stream.queries\[3\].taken is 'fast'; it must be a number"),
        (_unknown_field, "settings holds 'colour', which is unknown"),
        (_newer, "its format is 2, and this cmsn reads 1"),
        (_no_format, "another kind of JSON file"),
    ],
)
def test_a_file_that_is_no_report_is_refused_in_one_line(
    tmp_path: Path, change: Callable[[Content], None], message: str
) -> None:
    path = tmp_path / "a.json"
    write_report(path, bench_reports.report(bench_reports.backend(count=8)))
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match=message) as raised:
        read_report(path)
    assert str(raised.value).startswith(f"{path}: cannot be read as a report of `cmsn bench` (")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", ["", "no JSON", "[1]", '"text"'])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(AnnotationError, match=r"a\.json: cannot be read as"):
        read_report(path)
