"""The page of measurements is what its command makes from the committed files, and follows every figure of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib")

from click.testing import CliRunner
from PIL import Image

from cmsn_benchmarks.device.figures import BackendFigures, BenchReport, BenchSettings, BundleFacts, FirstResult, Memory
from cmsn_benchmarks.device.report_file import write_report
from cmsn_benchmarks.growth.fitting import fit_growth, fit_slope
from cmsn_benchmarks.growth.series import Part, Series
from cmsn_benchmarks.pages.__main__ import main, page
from cmsn_benchmarks.pages.growth import growth_report, picture_name
from cmsn_benchmarks.pages.markdown import figure, ways_tables
from cmsn_benchmarks.pages.pictures import draw_growth, fingerprint
from cmsn_benchmarks.pages.sections import SECTIONS

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "benchmarks/results"
SPREAD = {"median": 1.25, "least": 1.2, "most": 1.3}


def written(folder: Path, name: str, content: dict[str, Any]) -> Path:
    """A folder of results with one file."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(content))
    return folder


def test_the_committed_page_is_what_the_committed_files_make() -> None:
    assert (ROOT / "docs/benchmarks.md").read_text() == page(RESULTS), "run `make benchmarks-page`"


def test_the_committed_pictures_show_the_committed_figures() -> None:
    path = RESULTS / "growth.json"
    if not path.is_file():
        pytest.skip("growth has not been measured")
    for name, part in growth_report(json.loads(path.read_text())).parts.items():
        with Image.open(ROOT / "docs/benchmarks" / picture_name(name)) as picture:
            assert picture.info["Source"] == fingerprint(part), "run `make benchmarks-page`"


@pytest.mark.parametrize(
    ("name", "content", "change"),
    [
        ("backends.json", {"extractor_8_frames": {"demo": {"a": {"frames_per_second": SPREAD}}}}, ("1.25", "9.75")),
        ("peers.json", {"full": {"torch": {"frames_per_second": SPREAD}}}, ("1.25", "9.75")),
        ("cost.json", {"cases": {"demo": {"this": {"whole": SPREAD, "steady.decode": SPREAD}}}}, ("1.25", "9.75")),
        ("live_cameras.json", {"loads": [{"cameras": 8, "cores": 0.25}], "most_that_fit": 8}, ("0.25", "0.75")),
        ("memory.json", {"peak_megabytes_by_minutes": {"1": 241.4}}, ("241", "341")),
        ("aarch64.json", {"events_equal": True, "seconds": 12.5}, ("12.5", "99.5")),
        ("gpu.json", {"hop": {"p50": 2.5}}, ("2.5", "9.5")),
    ],
)
def test_a_changed_figure_changes_the_page(
    tmp_path: Path, name: str, content: dict[str, Any], change: tuple[str, str]
) -> None:
    before = page(written(tmp_path / "before", name, content))
    after = page(written(tmp_path / "after", name, json.loads(json.dumps(content).replace(*change))))
    assert change[0] in before
    assert change[1] in after
    assert before != after


def test_a_section_without_its_file_is_one_line_that_names_the_command(tmp_path: Path) -> None:
    lines = page(tmp_path).splitlines()
    for section in SECTIONS:
        begin = lines.index(f"## {section.title}")
        assert lines[begin + 2] == f"Not measured yet: `{section.command}` writes `{section.files}`."
    assert sum(line.startswith("Not measured") for line in lines) == len(SECTIONS)


def test_every_file_is_named_with_its_command_date_and_machine(tmp_path: Path) -> None:
    content = {
        "began": "2026-11-27T09:00:00+00:00",
        "machine": {"processor": "AMD EPYC", "cores": 2, "load_at_begin": 0.1},
        "peak_megabytes_by_minutes": {"1": 241.4},
    }
    text = page(written(tmp_path / "results", "memory.json", content))
    assert "2026-11-27 09:00; AMD EPYC, 2 cores; load 0.1 at the begin" in text
    assert "[all figures](../benchmarks/results/memory.json)" in text
    assert "`python -m cmsn_benchmarks.speed.memory" in text


def test_a_report_of_bench_has_a_column_for_each_backend(tmp_path: Path) -> None:
    first = FirstResult(start=0.1, opening=0.2, warming=0.3, first_hop=0.4, total=1.5, cold=False)
    backend = BackendFigures(asked="openvino", backend="OpenVINO", first_result=first)
    other = BackendFigures(asked="onnxruntime", backend="ORT", memory=Memory(host=200.0, host_peak=250.0))
    report = BenchReport(
        format=1,
        cmsn="0.1.0",
        began="2026-11-27T09:00:00+00:00",
        command="cmsn bench demo",
        machine={},
        bundle=BundleFacts(name="demo", sha256="", width=0.2, input_shape=(48, 64, 3), rate=25.0, hop_frames=8),
        settings=BenchSettings(warm_up=1.0, duration=5.0, cameras=4, limit=500.0, threads=None),
        backends=(backend, other),
    )
    write_report(tmp_path / "bench_demo.json", report)
    text = page(tmp_path)
    assert "|  | openvino | onnxruntime |" in text
    assert "| time to the first result | 1.50 s | - |" in text
    assert "| memory, peak | - | 250 MB |" in text


def part_of(exponent: float) -> Part:
    sizes = (1.0, 2.0, 4.0, 8.0)
    costs = tuple((3 * size**exponent, 3.1 * size**exponent) for size in sizes)
    growth = fit_growth(sizes, costs)
    series = Series(name="time", unit="s", values=costs, growth=growth, most=1.05, slope=fit_slope(sizes, costs))
    return Part(size="cameras", sizes=sizes, series=(series,), beside={"lag": (0.1, 0.2, 0.3, 0.4), "left out": (0.0,)})


@pytest.mark.parametrize(("exponent", "word"), [(1.0, "to 1.05: holds"), (1.3, "to 1.05: missed")])
def test_growth_has_exponents_bounds_and_a_picture(tmp_path: Path, exponent: float, word: str) -> None:
    report = {
        "began": "2026-11-27T09:00:00+00:00",
        "command": "python -m cmsn_benchmarks.growth",
        "machine": {},
        "rounds": 2,
        "parts": {"cameras": asdict(part_of(exponent))},
    }
    results = written(tmp_path / "results", "growth.json", report)
    done = CliRunner().invoke(main, ["--results", str(results), "--docs", str(tmp_path / "docs")])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "docs/benchmarks.md").read_text()
    assert word in text
    assert f"| time | {exponent:.3f} (" in text
    assert "](benchmarks/growth-cameras.png)" in text
    with Image.open(tmp_path / "docs/benchmarks/growth-cameras.png") as picture:
        assert picture.width == 900


def test_a_picture_of_other_figures_has_another_fingerprint(tmp_path: Path) -> None:
    found = []
    for exponent in (1.0, 1.1):
        draw_growth(part_of(exponent), tmp_path / "picture.png")
        with Image.open(tmp_path / "picture.png") as picture:
            found.append(picture.info["Source"])
    assert found == [fingerprint(part_of(1.0)), fingerprint(part_of(1.1))]
    assert found[0] != found[1]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (SPREAD, "1.25 (1.20 to 1.30)"),
        ({"median": 1.0, "least": 1.0, "most": 1.0}, "1.00"),
        (2.3e-06, "2.3e-06"),
        (0.0, "0.0"),
        (1234, "1,234"),
        ("INT8", "INT8"),
        (True, "True"),
    ],
)
def test_figures_have_three_digits_and_their_spread(value: object, text: str) -> None:
    assert figure(value) == text


def test_ways_are_found_wherever_they_are() -> None:
    lines = ways_tables(
        {"rounds": 5, "width_1": {"eager": {"frames_per_second": 8.0}, "compiled": {"frames_per_second": 9.5}}}
    )
    assert lines[0] == "**width 1**"
    assert lines[2] == "|  | frames per second |"
    assert lines[4:6] == ["| eager | 8.00 |", "| compiled | 9.50 |"]
