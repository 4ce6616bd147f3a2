"""`cmsn` from the outside: what is written where, and with which exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import av
import pytest
from command_line import at_terminal, cmsn

from cmsn_runtime import cli


def best(lines: str) -> dict[str, Any]:
    events = [json.loads(line) for line in lines.splitlines()]
    found: dict[str, Any] = next(event for event in events if event["kind"] == "final" and event["rank"] == 1)
    return found


def test_json_lines_are_the_default_output_to_a_pipe(video: Path, tiny_bundle: Path) -> None:
    done = cmsn("run", video, "--bundle", tiny_bundle)
    assert done.returncode == 0, done.stderr
    assert best(done.stdout)["start"] == pytest.approx(64 * 1001 / 30000, abs=1e-6)
    assert best(done.stdout)["end"] == pytest.approx(128 * 1001 / 30000, abs=1e-6)
    assert done.stderr == ""


def test_every_kind_of_output_is_written_in_one_run(video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    files = {name: tmp_path / f"out.{name}" for name in ("json", "csv", "results")}
    options = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    done = cmsn("run", video, "--bundle", tiny_bundle, *options)
    assert (done.returncode, done.stdout) == (0, "")
    assert best(files["json"].read_text())["kind"] == "final"
    assert files["csv"].read_text().startswith("source,action,rank")
    assert json.loads(files["results"].read_text())["results"]["action"]


@pytest.mark.parametrize("chunk", ["16", "40", "768"])
def test_chunk_sizes_do_not_change_final_events(video: Path, tiny_bundle: Path, chunk: str) -> None:
    plain = cmsn("run", video, "--bundle", tiny_bundle, "--events", "final")
    chunked = cmsn("run", video, "--bundle", tiny_bundle, "--events", "final", "--chunk-frames", chunk)
    keys = ("action", "rank", "start", "end")
    ours, theirs = (
        [{key: json.loads(line)[key] for key in keys} for line in done.stdout.splitlines()] for done in (plain, chunked)
    )
    assert ours == theirs != []


def test_a_broken_source_does_not_stop_the_others(video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    done = cmsn("run", tmp_path / "nothing.mp4", video, "--bundle", tiny_bundle)
    assert done.returncode == 1
    assert best(done.stdout)["source"] == str(video)
    (line,) = done.stderr.splitlines()
    assert line.startswith("cmsn: error: ") and "nothing.mp4" in line


def test_a_video_that_breaks_halfway_keeps_its_proposals(video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    """The index is at the front, so the file plays until its data ends."""
    whole = tmp_path / "whole.mp4"
    with av.open(str(video)) as source, av.open(str(whole), "w", options={"movflags": "faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    raw = whole.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(raw[: len(raw) * 9 // 10])
    done = cmsn("run", cut, "--bundle", tiny_bundle)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert "broke at" in line and "of 7.4" in line and "kept" in line
    assert best(done.stdout)["start"] == pytest.approx(64 * 1001 / 30000, abs=1e-6)


def test_a_wrong_bundle_or_truth_file_is_one_line(video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    truth = tmp_path / "truth.json"
    truth.write_text('{"database": {"other": {"annotations": []}}}')
    wrong: list[list[str | Path]] = [["--bundle", tmp_path / "no.cmsn"], ["--bundle", tiny_bundle, "--truth", truth]]
    for arguments in wrong:
        done = cmsn("run", video, *arguments)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
    assert cmsn("run", "--nonsense").returncode == 2


def test_truth_may_cover_only_some_of_the_sources(video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    truth, other = tmp_path / "truth.json", tmp_path / "other.mp4"
    other.write_bytes(video.read_bytes())
    entries = {f"v_{video.stem}": {"subset": "validation", "annotations": [{"segment": [1, 2]}, {"segment": [0, 0]}]}}
    truth.write_text(json.dumps({"database": {**entries, "other": {"subset": "training"}}}))
    options: list[str | Path] = ["--bundle", tiny_bundle, "--truth", truth, "--quiet", "--results", tmp_path / "r.json"]
    done = cmsn("run", video, other, *options, "--subset", "validation")
    assert done.returncode == 0, done.stderr
    left_out, unknown = done.stderr.splitlines()
    assert "left out, of no length or reversed: 1 (v_action [0, 0])" in left_out
    assert "1 of 2 sources are not in" in unknown and unknown.endswith(": other")
    assert set(json.loads((tmp_path / "r.json").read_text())["results"]) == {"action", "other"}
    done = cmsn("run", other, *options, "--subset", "validation")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 2)
    assert "--truth" in cmsn("run", other, "--bundle", tiny_bundle, "--subset", "validation").stderr


def test_two_sources_of_one_name_are_refused_for_results_files(video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    done = cmsn("run", video, video, "--bundle", tiny_bundle, "--results", tmp_path / "r.json")
    assert done.returncode == 1
    assert "several sources are called action" in done.stderr


def test_a_closed_standard_output_is_one_line(video: Path, tiny_bundle: Path) -> None:
    command = f'exec "{sys.executable}" -m cmsn_runtime run "{video}" --bundle "{tiny_bundle}" >&-'
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert "--json PATH" in line


@pytest.mark.parametrize(("options", "table", "lines"), [([], True, False), (["--json", "-"], False, True)])
def test_people_at_a_terminal_get_a_table(
    video: Path, tiny_bundle: Path, options: list[str], table: bool, lines: bool
) -> None:
    status, shown = at_terminal("run", video, "--bundle", tiny_bundle, *options)
    assert status == 0
    assert ("┏" in shown) == table
    assert ('"kind": "final"' in shown) == lines


def test_low_scores_can_be_left_out(video: Path, tiny_bundle: Path) -> None:
    done = cmsn("run", video, "--bundle", tiny_bundle, "--events", "final", "--min-score", "0.9")
    scores = [json.loads(line)["score"] for line in done.stdout.splitlines()]
    assert scores and min(scores) >= 0.9
    everything = cmsn("run", video, "--bundle", tiny_bundle, "--events", "final").stdout.splitlines()
    assert len(everything) > len(scores)


def test_a_picture_for_each_of_several_sources(video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    other = video.rename(tmp_path / "a.mp4").parent / "b.mp4"
    other.write_bytes((tmp_path / "a.mp4").read_bytes())
    timeline = tmp_path / "time.png"
    done = cmsn("run", tmp_path / "a.mp4", other, "--bundle", tiny_bundle, "--timeline", timeline, "--quiet")
    assert (done.returncode, done.stdout) == (0, "")
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["time-a.png", "time-b.png"]


def test_a_command_that_cannot_be_imported_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = EntryPoint("train", "no_such_package.commands:train", "cmsn.commands")
    monkeypatch.setattr(cli, "entry_points", lambda group: [entry])
    for arguments, status in ((["--help"], 0), (["train", "config.toml", "--resume"], 1)):
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        assert ended.value.code == status
        shown = capsys.readouterr()
        assert "pip install 'cmsn[train]'" in (shown.err if status else shown.out)
    assert "no_such_package" in shown.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve", "site.toml"),
        ("inspect", "demo"),
        ("run", "a.mp4", "--fps"),
        ("run", "a.mp4", "--site", "x", "--threads"),
    ],
)
def test_a_usage_error_does_not_repeat_a_password(arguments: tuple[str, ...]) -> None:
    done = cmsn(*arguments, "rtsp://guard:c4nary-word@door/live")
    assert done.returncode == 2
    assert "c4nary" not in done.stderr and "rtsp://***@door/live" in done.stderr
