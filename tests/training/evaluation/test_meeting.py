"""`cmsn evaluate`: which videos and subsets are measured, and what is reported of the rest."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CMSN = (sys.executable, "-m", "cmsn_runtime", "evaluate")
ACTION = {"segment": [1, 5], "label": "x"}
HIT = {"score": 1, "segment": [1, 5]}


def entry(subset: str | None = None, *segments: tuple[float, float]) -> dict[str, Any]:
    items = [{"segment": list(one), "label": "x"} for one in segments] or [ACTION]
    return {"annotations": items} if subset is None else {"annotations": items, "subset": subset}


def write(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    path.write_text(json.dumps(content))
    return path


def run(folder: Path, truth: dict[str, Any], *results: dict[str, Any], more: tuple[str, ...] = (), **env: str) -> Any:
    """stdout, stderr, exit status and figures of the command over files of results r0.json, r1.json ..."""
    files = [write(folder, f"r{number}.json", {"results": one}) for number, one in enumerate(results)]
    write(folder, "t.json", {"database": truth})
    command = [*CMSN, *(path.name for path in files), "--truth", "t.json", "--json", "out.json", "--an", "1", *more]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, **env}, check=False)
    out = folder / "out.json"
    figures = json.loads(out.read_text()) if out.exists() else {}
    out.unlink(missing_ok=True)
    return done, figures.get("results", figures)


def recall(figures: Any, name: str = "r0") -> float:
    value: float = figures[name]["activitynet"]["AR@1"]
    return value


def test_every_form_of_a_name_meets_the_truth(tmp_path: Path) -> None:
    truth = {name: entry() for name in ("a", "v_b", "c.mp4", "2020.01.02_cam", "2020.01.03_cam")}
    names = ("v_a", "b.mkv", "x/c", "2020.01.02_cam.avi", "2020.01.03_cam")
    done, figures = run(tmp_path, truth, {name: [HIT] for name in names})
    assert recall(figures) == 100
    assert done.stderr == (
        "cmsn: warning: 4 of 5 videos of r0.json are taken by another name than the truth's: "
        "v_a is a, b.mkv is v_b, x/c is c.mp4, 2020.01.02_cam.avi is 2020.01.02_cam\n"
    )
    done, _ = run(tmp_path, truth, {name: [HIT] for name in ("v_a", "b", "c", "v_2020.01.02_cam", "v_2020.01.03_cam")})
    assert done.stderr == ""


def test_videos_that_do_not_meet_are_counted_on_both_sides(tmp_path: Path) -> None:
    truth = {f"a{number}": entry() for number in range(10)}
    results = {("b" if number > 4 else "a") + str(number): [HIT] for number in range(10)}
    done, figures = run(tmp_path, truth, results)
    assert recall(figures) == 50
    assert done.stderr.splitlines() == [
        "cmsn: warning: 5 of 10 videos of r0.json are not in the truth: b5, b6, b7, b8, b9",
        "cmsn: warning: 5 of 10 videos of the truth are not in r0.json, and missed: a5, a6, a7, a8, a9",
    ]


def test_two_names_of_one_video_count_once(tmp_path: Path) -> None:
    done, figures = run(tmp_path, {"a": entry()}, {"v_a": [{"score": 1, "segment": [7, 8]}], "a": [HIT]})
    assert recall(figures) == 100
    assert done.stderr == "cmsn: warning: 1 of 2 videos of r0.json are left out, named as another is: v_a (a)\n"


def test_no_video_in_common_is_an_error(tmp_path: Path) -> None:
    done, figures = run(tmp_path, {"a": entry()}, {"b": [HIT]})
    assert (done.returncode, figures) == (1, {})
    assert "r0.json: none of its 1 videos (b) is among the 1 of t.json (a)" in done.stderr
    assert done.stderr.count("\n") == 1


def test_only_subsets_with_results_count(tmp_path: Path) -> None:
    truth = {"a": entry("training"), "b": entry("validation"), "c": entry("validation"), "d": entry("testing")}
    done, figures = run(tmp_path, truth, {"v_b": [HIT], "c": []})
    assert recall(figures) == 50
    assert done.stderr.startswith(
        "cmsn: warning: t.json: evaluated on validation (2 of 2 videos have results); "
        "not on testing: 1, training: 1; choose one by --subset\n"
    )


def test_a_subset_by_choice(tmp_path: Path) -> None:
    truth = {"a": entry("training"), "b": entry("Validation"), "c": entry("Validation")}
    results = {"a": [HIT], "b": [HIT]}
    _, figures = run(tmp_path, truth, results)
    assert recall(figures) == pytest.approx(200 / 3, abs=1e-3)
    done, figures = run(tmp_path, truth, results, more=("--subset", "validation"))
    assert recall(figures) == 50
    assert done.stderr.splitlines() == [
        "cmsn: warning: 1 of 2 videos of r0.json are of subsets that do not count, and left out: a",
        "cmsn: warning: 1 of 2 videos of the truth are not in r0.json, and missed: c",
    ]
    done, _ = run(tmp_path, truth, results, more=("--subset", "test"))
    assert "no entry is of subset 'test'; it holds Validation: 2, training: 1" in done.stderr


def test_detections_of_another_subset_are_no_errors_of_this_one(tmp_path: Path) -> None:
    truth = {"a": entry("training"), "b": entry("validation")}
    found = {name: [{**HIT, "score": score, "label": "x"}] for name, score in (("a", 1), ("v_b", 0.5), ("z", 0.1))}
    _, figures = run(tmp_path, truth, found, more=("--subset", "validation"))
    assert figures["r0"]["mAP"]["0.5"] == 100
    found["z"][0]["score"] = 0.9  # in no video of the truth: wrong, as THUMOS14's own evaluation has it
    _, figures = run(tmp_path, truth, found, more=("--subset", "validation"))
    assert figures["r0"]["mAP"]["0.5"] == 50


def test_truth_with_segments_that_cannot_be_used_is_evaluated(tmp_path: Path) -> None:
    done, figures = run(tmp_path, {"a": entry(None, (1, 5), (0, 0), (6, 2))}, {"a": [HIT]})
    assert recall(figures) == 100
    assert done.stderr == "cmsn: warning: t.json: left out, of no length or reversed: 2 (a [0, 0], a [6, 2])\n"


def test_a_file_that_found_nothing_has_no_recall(tmp_path: Path) -> None:
    done, figures = run(tmp_path, {"a": entry(), "b": entry()}, {"a": [], "b": []}, {"a": [HIT], "b": []})
    assert done.returncode == 0, done.stderr
    assert (figures["r0"]["activitynet"]["area"], figures["r0"]["thumos"]["average_number"]) == (0, 0)
    assert figures["r1"]["activitynet"]["area"] == pytest.approx(50, abs=1)


LONG = "thumos14_val_two_stream_features_of_the_second_attempt_with_many_letters_"


@pytest.mark.parametrize("count", [1, 2, 4, 10])
def test_no_figure_and_no_name_is_cut_where_there_is_no_terminal(tmp_path: Path, count: int) -> None:
    names = [f"{LONG}{number}" for number in range(count)]
    for name in names:
        write(tmp_path, f"{name}.json", {"results": {"a": [{**HIT, "label": "x"}, {"score": 0, "segment": [1, 3]}]}})
    truth = write(tmp_path, "t.json", {"database": {"a": entry()}})
    files = [str(tmp_path / f"{name}.json") for name in names]
    command = [*CMSN, *files, "--truth", str(truth), "--an", "1", "--an", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "40"})
    assert "…" not in done.stdout
    rows = [line.split() for line in done.stdout.splitlines()]
    for name in names:
        assert [row[1] for row in rows if row[:1] == [name] and len(row) == 6] == ["thumos", "activitynet"]
        assert [name, "thumos", *["100.00"] * 11] in rows
        assert [name, *["100.00"] * 7] in rows  # mAP


def test_tables_on_a_terminal(tmp_path: Path) -> None:
    """One file fits 80 columns, turned where it must; ten files of long names keep every figure in one piece."""
    write(tmp_path, "t.json", {"database": {"a": entry()}})
    names = ["r", *(f"{LONG}{number}" for number in range(10))]
    for name in names:
        write(tmp_path, f"{name}.json", {"results": {"a": [HIT]}})
    for files in (names[:1], names[1:]):
        command = [*CMSN, *(f"{name}.json" for name in files), "--truth", "t.json", "--an", "1"]
        ours, theirs = pty.openpty()
        env = {**os.environ, "TERM": "dumb", "COLUMNS": "80"}
        with subprocess.Popen(command, cwd=tmp_path, stdout=theirs, stderr=subprocess.DEVNULL, env=env) as process:
            os.close(theirs)
            lines = read_to_its_end(ours).decode().splitlines()
            assert process.wait() == 0
        assert not any("…" in line for line in lines)
        assert max(map(len, lines)) <= 80 or len(files) > 1
        assert sum(line.count("100.00") for line in lines) >= 21 * len(files)


def read_to_its_end(descriptor: int) -> bytes:
    content = b""
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # Linux's end of a terminal that nobody writes to any more
            part = b""
        if not part:
            os.close(descriptor)
            return content
        content += part


def test_a_terminal_that_is_not_utf_8_and_names_that_are_no_latin(tmp_path: Path) -> None:
    write(tmp_path, "Ergebnis_Köln_試験.json", {"results": {"試験": [HIT], "z": []}})
    write(tmp_path, "t.json", {"database": {"試験": entry(), "ж": entry()}})
    command = [*CMSN, "Ergebnis_Köln_試験.json", "--truth", "t.json"]
    env = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert "Ergebnis_Köln_".encode("latin-1") in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_standard_output_on_a_full_disk_is_one_line(tmp_path: Path) -> None:
    write(tmp_path, "r.json", {"results": {"a": [HIT]}})
    write(tmp_path, "t.json", {"database": {"a": entry()}})
    with Path("/dev/full").open("w") as full:
        command = [*CMSN, "r.json", "--truth", "t.json"]
        done = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "No space left" in done.stderr


def test_rates_and_events_follow_the_same_rule(tmp_path: Path) -> None:
    event = {"kind": "final", "source": "videos/v_a.mp4", "action": 1, "start": 1, "end": 5, "score": 0.5, "at": 6}
    (tmp_path / "e.jsonl").write_text("\ufeff" + json.dumps(event) + "\n", encoding="utf-8")
    (tmp_path / "rates.csv").write_text("video-name,frame-rate\na.mp4,25\nv_b,30\n")
    truth = {"a": entry("validation"), "b": entry("validation"), "c": entry("training")}
    more = ("--events", "e.jsonl", "--rates", "rates.csv")
    done, figures = run(tmp_path, truth, {"a": [HIT], "b": [HIT]}, more=more)
    assert done.returncode == 0, done.stderr
    assert recall(figures) == 100
    assert "1 of 2 videos of the truth are not in e.jsonl, and missed: b" in done.stderr
