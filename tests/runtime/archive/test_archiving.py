"""`cmsn archive` on real clips: what is computed, what is not computed again, and where it may lie."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from clips import pictures, write_clip
from s3_server import S3Server

from cmsn_runtime.archive.identity import stamp_of
from cmsn_runtime.archive.listing import addresses_of
from cmsn_runtime.archive.shards import Shard, shard_from
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.commands.archive import archive
from cmsn_runtime.errors import SettingsError, SourceError
from cmsn_runtime.sources.remote import RemoteFile
from cmsn_runtime.sources.video import VideoSource

BACKEND = ["--backend", "onnxruntime", "--on", "local:1"]


def run(*arguments: str | Path, bundle: Path) -> Result:
    return CliRunner().invoke(archive, [*map(str, arguments), "--bundle", str(bundle), *BACKEND])


def results(place: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in (place / "results").iterdir()]
    return {Path(one["video"]["address"]).name: one for one in found}


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Three clips, one in a folder of its own, a text, and a file that is no video."""
    folder = tmp_path / "videos"
    (folder / "deep").mkdir(parents=True)
    for index, name in enumerate(("a.mp4", "b.mkv", "deep/c.mp4")):
        write_clip(folder / name, pictures(40 + 8 * index))
    (folder / "notes.txt").write_text("no video")
    (folder / "broken.mp4").write_bytes(b"no video either")
    return folder


def test_one_result_per_video_and_nothing_is_computed_twice(videos: Path, tmp_path: Path, tiny_bundle: Path) -> None:
    out = tmp_path / "out"
    first = run(videos, "-o", out, bundle=tiny_bundle)
    assert first.exit_code == 1, "one video was set aside"
    assert "4 videos to compute, 0 have a result" in first.output
    assert "3 of 4 videos done" in first.output
    found = results(out)
    assert sorted(found) == ["a.mp4", "b.mkv", "c.mp4"]
    assert found["a.mp4"]["duration"] == pytest.approx(39 / 25)
    assert found["a.mp4"]["frame_rate"] == 25.0
    with open_bundle(tiny_bundle) as bundle:
        assert found["a.mp4"]["setup"]["bundle"] == bundle.sha256
    before = {path: path.stat().st_mtime_ns for path in (out / "results").iterdir()}
    again = run(videos, "-o", out, bundle=tiny_bundle)
    assert "0 videos to compute, 3 have a result, 1 are set aside" in again.output
    assert {path: path.stat().st_mtime_ns for path in (out / "results").iterdir()} == before


def test_a_moved_video_is_known_by_its_content_and_a_setting_makes_another_result(
    videos: Path, tmp_path: Path, tiny_bundle: Path
) -> None:
    out = tmp_path / "out"
    run(videos / "a.mp4", "-o", out, bundle=tiny_bundle)
    shutil.copy(videos / "a.mp4", videos / "copy.mp4")
    assert "0 videos to compute, 1 have a result" in run(videos / "copy.mp4", "-o", out, bundle=tiny_bundle).output
    changed = run(videos / "a.mp4", "-o", out, "--set", "proposals.min_score=0.5", bundle=tiny_bundle)
    assert "1 videos to compute" in changed.output
    assert len(list((out / "results").iterdir())) == 2
    both = run(videos / "a.mp4", videos / "copy.mp4", "-o", tmp_path / "new", bundle=tiny_bundle)
    assert "1 videos to compute, 0 have a result, 1 are copies" in both.output


def test_what_was_set_aside_is_tried_again_when_asked(videos: Path, tmp_path: Path, tiny_bundle: Path) -> None:
    out = tmp_path / "out"
    run(videos / "broken.mp4", "-o", out, bundle=tiny_bundle)
    (record,) = (json.loads(path.read_text()) for path in (out / "failed").iterdir())
    assert "broken.mp4: cannot be opened" in record["reason"]
    assert "1 are set aside" in run(videos / "broken.mp4", "-o", out, bundle=tiny_bundle).output
    assert "1 videos to compute" in run(videos / "broken.mp4", "-o", out, "--again", bundle=tiny_bundle).output
    joined = run(videos / "broken.mp4", "-o", out, "--again", "--join", bundle=tiny_bundle).output
    assert "1 set aside" in joined, "it was tried, and not taken for settled by another"


def test_folders_globs_and_lists_are_taken_and_each_video_once(videos: Path, tmp_path: Path) -> None:
    names = [videos / "a.mp4", videos / "b.mkv", videos / "broken.mp4", videos / "deep/c.mp4"]
    assert addresses_of([str(videos)]) == [str(name) for name in names]
    assert addresses_of([str(videos / "**/*.mp4")]) == [
        str(videos / name) for name in ("a.mp4", "broken.mp4", "deep/c.mp4")
    ]
    (tmp_path / "list.txt").write_text(f"# ours\n{videos}/deep\n\n{videos}/a.mp4\n")
    assert addresses_of([f"@{tmp_path}/list.txt", str(videos / "a.mp4")]) == [str(names[3]), str(names[0])]
    assert addresses_of([str(videos / "notes.txt")]) == [str(videos / "notes.txt")], "a file that is named is taken"
    (tmp_path / "empty").mkdir()
    for wrong in (tmp_path / "empty", tmp_path / "missing.mp4", tmp_path / "*.mp4"):
        with pytest.raises(SourceError, match=str(wrong).replace("*", r"\*")):
            addresses_of([str(wrong)])


def test_shards_divide_and_come_from_the_scheduler() -> None:
    items = list(range(10))
    parts = [shard_from(f"{index}/3", {}).of(items) for index in range(3)]
    assert sorted(item for part in parts for item in part) == items
    slurm = {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_MIN": "4", "SLURM_ARRAY_TASK_COUNT": "3"}
    assert shard_from(None, slurm) == Shard(1, 3)
    assert shard_from(None, {"JOB_COMPLETION_INDEX": "2", "JOB_COMPLETIONS": "4"}) == Shard(2, 4)
    assert shard_from(None, {}) == Shard(0, 1)
    for wrong in ("3/3", "a/b", "1"):
        with pytest.raises(SettingsError, match="shard"):
            shard_from(wrong, {})
    with pytest.raises(SettingsError, match="JOB_COMPLETIONS"):
        shard_from(None, {"JOB_COMPLETION_INDEX": "2"})
    with pytest.raises(SettingsError, match="SLURM_ARRAY_TASK_COUNT"):
        shard_from(None, {"SLURM_ARRAY_TASK_ID": "5"})


def test_s3_is_read_and_written_over_http(
    videos: Path, tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with S3Server(monkeypatch) as server:
        for path in (videos / "a.mp4", videos / "deep/c.mp4"):
            server.files().put_file(str(path), f"videos/in/{path.name}")
        address = "s3://videos/in"
        assert addresses_of([address]) == ["s3://videos/in/a.mp4", "s3://videos/in/c.mp4"]
        assert addresses_of(["s3://videos/in/*.mp4"]) == addresses_of([address])
        first = run(address, "-o", "s3://videos/out", bundle=tiny_bundle)
        assert "2 of 2 videos done" in first.output, first.output
        names = server.files().ls("videos/out/results")
        assert len(names) == 2
        again = run(address, "-o", "s3://videos/out", bundle=tiny_bundle)
        assert "0 videos to compute, 2 have a result" in again.output
        local = tmp_path / "local"
        run(videos / "a.mp4", "-o", local, bundle=tiny_bundle)
        remote = [json.loads(server.files().cat_file(name)) for name in names]
        proposals = {Path(one["video"]["address"]).name: one["proposals"] for one in remote}
        assert proposals["a.mp4"] == results(local)["a.mp4"]["proposals"]
        before = stamp_of("s3://videos/in/a.mp4")
        server.files().put_file(str(videos / "deep/c.mp4"), "videos/in/a.mp4")
        assert stamp_of("s3://videos/in/a.mp4") != before, "another content is another video"


def test_a_place_that_cannot_be_reached_is_one_line(videos: Path, tiny_bundle: Path) -> None:
    pytest.importorskip("fsspec")
    result = run(videos / "a.mp4", "-o", "nothing://here", bundle=tiny_bundle)
    assert result.exit_code == 1
    assert "nothing://here: cannot be opened" in str(result.exception)


def test_of_a_remote_video_little_more_than_its_own_bytes_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 240, 320, 3), np.uint8)
    path = write_clip(tmp_path / "large.mp4", list(noise), options={"qp": "24"})
    size = path.stat().st_size
    assert size > 4 << 20
    with S3Server(monkeypatch) as server:
        server.files().put_file(str(path), "videos/large.mp4")
        reader = RemoteFile("s3://videos/large.mp4")
        with VideoSource(reader, live=False) as source:
            assert len(list(source)) == 90
            fetched = reader._file.cache.total_requested_bytes
    assert fetched <= 1.3 * size, f"{fetched / size:.2f} times the file's bytes"
