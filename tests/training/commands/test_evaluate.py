"""`cmsn evaluate`: results and events in, tables, pictures and figures out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cmsn_runtime.cli import cmsn
from cmsn_runtime.errors import SettingsError
from cmsn_training.evaluation.results_file import read_results

TRUTH = {
    "a": {"annotations": [{"segment": [1, 6], "label": "run"}, {"segment": [10, 20], "label": "jump"}]},
    "b": {"annotations": []},
}
RESULTS = {"a": [{"segment": [50, 60], "score": 0.1}, {"segment": [1, 6], "score": 0.8}]}


def written(folder: Path, **files: Any) -> Path:
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def evaluate(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cmsn, ["evaluate", *map(str, arguments)], env={"COLUMNS": "160"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    labelled = {"a": [{"segment": [1, 6], "score": 0.8, "label": "run"}]}
    return written(tmp_path, truth={"database": TRUTH}, mine={"results": RESULTS}, named={"results": labelled})


def test_two_results_files_are_compared_side_by_side(folder: Path) -> None:
    done = evaluate(
        *(folder / "mine.json", folder / "named.json", "--truth", folder / "truth.json", "--an", "1", "--an", "5"),
        *("--json", folder / "out.json", "--pictures", folder / "pictures"),
    )
    assert done.exit_code == 0, done.output
    found = json.loads((folder / "out.json").read_text())["results"]
    assert found["mine"]["activitynet"]["AR@1"] == pytest.approx(50)
    assert found["mine"]["activitynet"]["AR@5"] == pytest.approx(50)
    assert found["mine"]["thumos"]["AR@5"] is None  # the lists end at one a video
    assert "mAP" not in found["mine"]
    assert found["named"]["mAP"] == {f"{k / 10:g}": 50 for k in range(1, 8)}
    assert all(name in done.output for name in ("mine", "named", "thumos", "activitynet", "mAP", "area"))
    pictures = sorted(path.name for path in (folder / "pictures").iterdir())
    assert pictures == ["ar-an-activitynet.png", "ar-an-thumos.png", "recall-activitynet.png", "recall-thumos.png"]
    assert all((folder / "pictures" / name).read_bytes().startswith(b"\x89PNG") for name in pictures)


def test_only_the_best_of_each_video(folder: Path) -> None:
    options = ("--truth", folder / "truth.json", "--json", folder / "out.json", "--an", "0.5")
    assert evaluate(folder / "mine.json", *options, "--max-per-video", "1").exit_code == 0
    assert json.loads((folder / "out.json").read_text())["results"]["mine"]["thumos"]["average_number"] == 0.5


def test_events_files_can_be_evaluated_without_results(folder: Path) -> None:
    event = {
        "kind": "provisional",
        "source": "videos/a.mp4",
        "action": 1,
        "start": 1,
        "end": 6,
        "score": 0.5,
        "at": 6.5,
    }
    (folder / "events.jsonl").write_text(json.dumps(event) + "\n")
    options = ("--truth", folder / "truth.json", "--events", folder / "events.jsonl", "--json", folder / "out.json")
    done = evaluate(*options, "--an", "1")
    assert done.exit_code == 0, done.output
    delay = json.loads((folder / "out.json").read_text())["delay"]
    assert list(delay["AR@1"]) == ["0 s", "0.5 s", "1 s", "2 s", "5 s", "10 s", "final"]
    assert list(delay["AR@1"].values()) == [0, 50, 50, 50, 50, 50, 0]
    assert "in proportion to time" in done.output
    assert list(delay["in_proportion"]["AR@1"].values()) == [0, 50, 50, 50, 50, 50, 0]
    assert (delay["median_seconds_to_first_hit"], delay["percent_ever_hit"]) == (0.5, 50)


def test_evaluate_without_files_is_a_usage_error(folder: Path) -> None:
    done = evaluate("--truth", folder / "truth.json")
    assert done.exit_code == 2
    assert "RESULTS.json" in done.output


def test_two_files_of_one_name_go_by_their_paths(folder: Path) -> None:
    (folder / "x").mkdir()
    written(folder / "x", mine={"results": RESULTS})
    both = (folder / "mine.json", folder / "x/mine.json")
    done = evaluate(*both, folder / "named.json", "--truth", folder / "truth.json", "--json", folder / "out.json")
    assert done.exit_code == 0, done.output
    assert list(json.loads((folder / "out.json").read_text())["results"]) == [*map(str, both), "named"]
    twice = evaluate(both[0], both[0], "--truth", folder / "truth.json")
    assert isinstance(twice.exception, SettingsError)
    assert "given twice" in str(twice.exception)


def test_figures_go_to_standard_output_and_never_over_an_input(folder: Path) -> None:
    done = evaluate(folder / "mine.json", "--truth", folder / "truth.json", "--json", "-")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["results"]["mine"]["activitynet"]["average_number"]
    for name in ("mine", "truth"):
        before = (folder / f"{name}.json").read_bytes()
        refused = evaluate(folder / "mine.json", "--truth", folder / "truth.json", "--json", folder / f"{name}.json")
        assert isinstance(refused.exception, SettingsError)
        assert "would overwrite" in str(refused.exception)
        assert (folder / f"{name}.json").read_bytes() == before


def test_thumos_annotations_as_truth(shared: Path, tmp_path: Path) -> None:
    """The official annotations, proposed as they are: everything is found. The Ambiguous ones do not count."""
    official = shared / "data/thumos14/temporal_annotations_test"
    results: dict[str, list[dict[str, object]]] = {}
    for path in official.glob("*_test.txt"):
        for line in path.read_text().splitlines():
            name, start, end = line.split()
            if path.name != "Ambiguous_test.txt":
                results.setdefault(name, []).append(
                    {"segment": [float(start), float(end)], "score": 1, "label": path.name.removesuffix("_test.txt")}
                )
    rates = shared / "data/thumos14/thumos14_test_groundtruth.csv"
    written(tmp_path, all={"results": results})
    done = evaluate(tmp_path / "all.json", "--truth", official, "--rates", rates, "--json", tmp_path / "out.json")
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out.json").read_text())["results"]["all"]
    assert found["thumos"]["AR@10"] is not None
    assert found["activitynet"]["AR@100"] == 100
    assert set(found["mAP"].values()) == {100}


def test_results_by_score_and_class(tmp_path: Path) -> None:
    rows = [(0, 1, 0.2, "x"), (2, 3, 0.9, "y"), (4, 5, 0.2, "x"), (6, 7, 0.5, "x")]
    items = [{"segment": [start, end], "score": score, "label": label} for start, end, score, label in rows]
    found = read_results(written(tmp_path, r={"results": {"a": items, "b": []}}) / "r.json", most=3)
    assert found.proposals["a"].tolist() == [[2, 3], [6, 7], [0, 1]]
    assert found.proposals["b"].shape == (0, 2)
    assert found.detections["x"]["a"].spans.tolist() == [[6, 7], [0, 1]]
    assert found.detections["y"]["a"].scores.tolist() == [0.9]


def test_evaluation_needs_no_torch() -> None:
    code = """
import importlib, pkgutil, sys
for name in ("torch", "lightning", "pandas", "scipy"):
    sys.modules[name] = None
import cmsn_training.commands.evaluate, cmsn_training.evaluation
for module in pkgutil.iter_modules(cmsn_training.evaluation.__path__):
    importlib.import_module("cmsn_training.evaluation." + module.name)
assert "matplotlib" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_command_loads_nothing_heavy_before_it_runs() -> None:
    code = """
import sys
import cmsn_training.commands.evaluate
print(sorted({"numpy", "numba", "rich", "matplotlib", "torch"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_faults_of_the_truth_are_reported_and_ambiguous_segments_can_be_kept(tmp_path: Path) -> None:
    truth = tmp_path / "test"
    truth.mkdir()
    (truth / "Billiards_test.txt").write_text("v  1.0 5.0\nv  9.0 8.0\n")
    (truth / "Ambiguous_test.txt").write_text("v  20.0 30.0\n")
    results = written(tmp_path, mine={"results": {"v": [{"segment": [1, 5], "score": 0.9}]}}) / "mine.json"
    for kept, recall in (("drop", 100.0), ("keep", 50.0)):
        out = tmp_path / f"{kept}.json"
        done = evaluate(results, "--truth", truth, "--an", "1", "--ambiguous", kept, "--json", out)
        assert done.exit_code == 0, done.output
        assert "left out, of no length or reversed: 1 (v Billiards [9, 8])" in done.stderr
        assert json.loads(out.read_text())["results"]["mine"]["activitynet"]["AR@1"] == pytest.approx(recall)
