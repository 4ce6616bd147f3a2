"""`cmsn calibrate` from end to end: what it writes, what it says, what it refuses."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import CliRunner, Result

from cmsn_calibration.commands.calibrate import calibrate
from cmsn_runtime.bundle_files import read_manifest
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams

FEW = ["--stretches", "6", "--seconds", "2", "--method", "mse", "--method", "min-max"]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    render_streams(folder, RenderSettings(seconds=20.0, seed=3), streams=2)
    return folder


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(calibrate, [str(item) for item in arguments])


@pytest.fixture(scope="module")
def done(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result, dict[str, object]]:
    folder = tmp_path_factory.mktemp("out")
    out, report = folder / "demo8.cmsn", folder / "report"
    truth = videos / "annotations.json"
    options = ["--max-ar-drop", "100", "--sensitivity", "--drift", "3", *FEW]
    result = run("demo", "--videos", videos, "--annotations", truth, "-o", out, "--report", report, *options)
    assert result.exit_code == 0, result.output
    return out, result, json.loads((report / "report.json").read_text())


def test_the_bundle_has_the_variant_and_what_it_costs(done: tuple[Path, Result, dict[str, object]]) -> None:
    quality = read_manifest(done[0]).variant("int8").quality
    assert quality is not None and quality.recall is not None
    assert quality.videos == 2 and quality.steps > 40
    assert quality.stages > 0.9 and 15 < quality.signal_to_noise < 60
    assert quality.recall.number == 10 and quality.recall.full_precision > 0
    assert quality.videos_of == "videos0" and date.fromisoformat(quality.measured) <= datetime.now(timezone.utc).date()


def test_the_bundle_says_what_its_variant_comes_from(
    done: tuple[Path, Result, dict[str, object]], videos: Path
) -> None:
    origin = read_manifest(done[0]).training["int8"]
    assert {name for name, _ in origin["stretches"]} == {path.name for path in videos.glob("*.mp4")}
    assert len(origin["ranges"]) == 9 and origin["settings"]["seed"] == 0


def test_it_says_what_it_found(done: tuple[Path, Result, dict[str, object]]) -> None:
    lines = done[1].stdout.splitlines()
    assert len([line for line in lines if line.startswith(("  c3d.conv", "  encoder.conv"))]) == 9
    assert any(line.startswith("AR@10 ") for line in lines)
    assert any(
        line.startswith("  onnxruntime: ") and line.endswith(", 1.00 times onnxruntime (1.00 to 1.00)")
        for line in lines
    )
    assert lines[-1].endswith("demo8.cmsn: written; run it with --backend openvino-int8")


def test_the_file_has_the_stretches_and_ranges_that_led_to_it(
    done: tuple[Path, Result, dict[str, object]], videos: Path
) -> None:
    figures = done[2]
    assert isinstance(figures["stretches"], list) and len(figures["stretches"]) == 6
    assert {item["excerpt"]["video"] for item in figures["stretches"]} == {path.name for path in videos.glob("*.mp4")}
    assert isinstance(figures["layers"], list)
    assert {item["method"] for item in figures["layers"]} <= {"mse", "min-max"}


def test_the_report_shows_its_pictures(done: tuple[Path, Result, dict[str, object]]) -> None:
    folder = done[0].parent / "report"
    text = (folder / "report.md").read_text()
    for picture in ("layers.png", "delays.png"):
        assert f"({picture})" in text
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")
    assert "looks a little too good" in text  # mixes were chosen on the videos that judge them


def test_the_report_has_all_precisions_beside_each_other(done: tuple[Path, Result, dict[str, object]]) -> None:
    rows = done[2]["precisions"]
    assert isinstance(rows, dict) and {"fp32", "int8"} <= set(rows)
    for name, row in rows.items():
        assert set(row["recalls"]) == {"AR@1", "AR@5", "AR@10", "AR@50"}
        assert set(row["recall_by_delay"]) > {"0", "2", "finals"}
        assert "background" in row["same_stage"]
        assert (row["quality"]["signal_to_noise"] == 200) is (name == "fp32")  # which is equal to itself
    assert rows["fp32"]["quality"]["stages"] == 1.0


def test_each_layer_is_also_measured_alone(done: tuple[Path, Result, dict[str, object]]) -> None:
    alone, precisions = done[2]["layers_alone"], done[2]["precisions"]
    assert isinstance(alone, dict) and isinstance(precisions, dict) and len(alone) == 9
    assert all(
        item["quality"]["signal_to_noise"] > precisions["int8"]["quality"]["signal_to_noise"] for item in alone.values()
    )


def test_ranges_of_few_stretches_are_found_not_to_be_enough(done: tuple[Path, Result, dict[str, object]]) -> None:
    tenth = done[2]["tenth"]
    assert isinstance(tenth, dict) and tenth["stretches"] == 1
    assert ("may not be enough" in done[1].stdout) is not tenth["agrees"]


def test_a_call_that_was_stopped_goes_on_where_it_was(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CMSN_CACHE_DIR", str(tmp_path / "cache"))

    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cmsn_calibration.calibrating.choose_ranges", stop)
        stopped = run("demo", "--videos", videos, "-o", tmp_path / "out.cmsn", *FEW)
    assert stopped.exit_code != 0 and not (tmp_path / "out.cmsn").exists()
    done = run("demo", "--videos", videos, "-o", tmp_path / "out.cmsn", *FEW)
    assert "6 of 6 stretches were run by an earlier call, and kept" in done.output
    assert read_manifest(tmp_path / "out.cmsn").variant("int8").quality is not None


def test_what_is_stopped_after_the_bundle_was_written_is_missing_in_the_report_only(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cmsn_calibration.making.timed", stop)
    out, report = tmp_path / "out.cmsn", tmp_path / "report"
    result = run("demo", "--videos", videos, "-o", out, "--report", report, *FEW)
    assert result.exit_code == 0, result.output
    assert "stopped; the bundle is written" in result.output
    assert read_manifest(out).variant("int8").quality is not None
    assert json.loads((report / "report.json").read_text())["speeds"] == {}


def test_the_same_seed_gives_the_same_graph(
    done: tuple[Path, Result, dict[str, object]], videos: Path, tmp_path: Path
) -> None:
    again = run("demo", "--videos", videos, "-o", tmp_path / "again.cmsn", *FEW)
    assert again.exit_code == 0, again.output
    assert "AR@10" not in again.stdout  # no labels were named

    def graph(folder: Path) -> str:
        return read_manifest(folder).variant("int8").graphs["extractor"].sha256

    assert graph(tmp_path / "again.cmsn") == graph(done[0])


@pytest.mark.parametrize("kind", ["noise", "black"])
def test_videos_that_no_camera_records_are_refused_and_nothing_is_written(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    pictures = np.random.default_rng(0).integers(0, 256 if kind == "noise" else 4, (60, 48, 64, 3), np.uint8)
    for name in "abcd":
        with av.open(str(folder / f"{name}.mkv"), "w") as container:
            stream = container.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr0"
            for picture in pictures:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            container.mux(stream.encode())
    result = run("demo", "--videos", folder, "-o", tmp_path / "out.cmsn", *FEW)
    assert result.exit_code == 1
    assert f"of 4 stretches, 4 {kind} (a.mkv, b.mkv, c.mkv ...)" in str(result.exception)
    assert not (tmp_path / "out.cmsn").exists()


def test_a_folder_without_videos_is_refused(tmp_path: Path) -> None:
    result = run("demo", "--videos", tmp_path, "-o", tmp_path / "out.cmsn")
    assert "there are no videos in it" in str(result.exception)


def test_a_budget_without_labels_is_a_usage_error(videos: Path, tmp_path: Path) -> None:
    result = run("demo", "--videos", videos, "-o", tmp_path / "out.cmsn", "--max-ar-drop", "0.5")
    assert result.exit_code == 2
    assert "--max-ar-drop needs --annotations" in result.output


def test_a_bundle_that_exists_is_kept(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "out.cmsn").mkdir()
    (tmp_path / "out.cmsn" / "manifest.json").write_text("{}")
    result = run("demo", "--videos", videos, "-o", tmp_path / "out.cmsn")
    assert "exists already" in str(result.exception)


def test_labels_that_mean_two_videos_are_refused(videos: Path, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "render-3-0000.mp4").symlink_to(videos / "render-3-0000.mp4")
    truth = videos / "annotations.json"
    result = run("demo", "--videos", tmp_path / "in", "--annotations", truth, "-o", tmp_path / "out.cmsn", *FEW)
    assert "render-3-0000 names more than one video" in str(result.exception)
