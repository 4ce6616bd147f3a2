"""A long video in parts gives the result of the whole, byte by byte, or is computed whole."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from clips import pictures, write_clip

from cmsn_runtime.archive.identity import stamp_of
from cmsn_runtime.archive.splitting.computing import PartFeatures, part_features, read_part
from cmsn_runtime.archive.splitting.joining import joined
from cmsn_runtime.archive.splitting.parts import parts_of
from cmsn_runtime.archive.working import Job, VideoWorker, WorkSettings
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.bundle_files import DEMO_BUNDLE, read_manifest
from cmsn_runtime.commands.archive import archive
from cmsn_runtime.errors import SourceError

SECONDS = 5.0


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 seconds at 30 frames per second, which is not the model's rate, with few key frames."""
    return write_clip(tmp_path_factory.mktemp("long") / "long.mp4", pictures(725), rate=30, options={"g": "70"})


def result_of(place: Path) -> dict[str, Any]:
    (path,) = (place / "results").iterdir()
    found: dict[str, Any] = json.loads(path.read_text())
    del found["took"]
    return found


def run(video: Path, place: Path, *options: str) -> str:
    arguments = [str(video), "-o", str(place), "--backend", "onnxruntime", "--on", "local:1", *options]
    outcome = CliRunner().invoke(archive, [*arguments, "--set", "proposals.min_score=0.0"])
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def test_the_result_in_parts_is_that_of_the_whole(video: Path, tmp_path: Path) -> None:
    run(video, tmp_path / "whole")
    run(video, tmp_path / "parts", "--split", f"{SECONDS:g}s")
    assert result_of(tmp_path / "parts") == result_of(tmp_path / "whole")
    assert not list((tmp_path / "parts").rglob("*.npy")), "features are removed once they are joined"


def test_features_of_every_part_are_those_of_the_whole(video: Path) -> None:
    parts = parts_of(str(video), read_manifest(DEMO_BUNDLE), SECONDS)
    assert [(part.first, part.last) for part in parts] == [(0, 12), (12, 24), (24, 36), (36, 48), (48, 60), (60, None)]
    with open_bundle(backend="onnxruntime", threads=1) as bundle:
        whole = part_features(bundle, str(video), parts[0].__class__(0, 1, parts[0].origin, 0, None))
        found = [read_part(part_features(bundle, str(video), part).content()) for part in parts]
    features = joined(found)
    assert features is not None
    np.testing.assert_array_equal(features, whole.features)
    assert (found[-1].frames, found[-1].last_seconds) == (whole.frames, whole.last_seconds)
    assert found[0].frames is None


def test_short_videos_are_not_divided(video: Path) -> None:
    manifest = read_manifest(DEMO_BUNDLE)
    assert parts_of(str(video), manifest, 13.0) == []
    assert len(parts_of(str(video), manifest, 12.0)) == 2


def test_parts_that_do_not_fit_are_found_out_and_the_video_is_computed_whole(video: Path, tmp_path: Path) -> None:
    """As where seeking leads to another place than it says."""
    run(video, tmp_path / "whole")
    place, changed = str(tmp_path / "parts"), {"proposals.min_score": 0.0}
    settings = WorkSettings(place=place, bundle="demo", backend="onnxruntime", threads=1, settings=changed)
    parts = parts_of(str(video), read_manifest(DEMO_BUNDLE), SECONDS)
    job = Job(result_of(tmp_path / "whole")["key"], stamp_of(str(video)))
    with VideoWorker(settings) as worker:
        for part in parts:
            worker.work(Job(job.key, job.stamp, part=part))
        file = tmp_path / "parts" / parts[2].name(job.key)
        third = read_part(file.read_bytes())
        file.write_bytes(PartFeatures(third.features + np.float32(1e-6), third.frames, None).content())
        worker.work(Job(job.key, job.stamp, join=tuple(parts)))
    assert result_of(tmp_path / "parts") == result_of(tmp_path / "whole")


def test_a_video_with_a_gap_is_computed_whole_and_it_is_said(tmp_path: Path) -> None:
    times = [Fraction(index, 25) + (20 if index > 300 else 0) for index in range(500)]
    video = write_clip(tmp_path / "gap.mkv", pictures(500), times=times)
    run(video, tmp_path / "whole")
    said = run(video, tmp_path / "parts", "--split", "5s")
    assert "no frames for" in said
    assert "computed whole" in said
    assert not list((tmp_path / "parts").rglob("*.npy")), "nor are features left of parts that were of no use"
    assert result_of(tmp_path / "parts") == result_of(tmp_path / "whole")


def test_a_part_beyond_the_end_is_an_error(video: Path) -> None:
    part = parts_of(str(video), read_manifest(DEMO_BUNDLE), SECONDS)[-2]
    beyond = part.__class__(part.index, part.count, part.origin, part.first, 1000)
    with open_bundle(backend="onnxruntime") as bundle, pytest.raises(SourceError, match="ends in part 5 of 6"):
        part_features(bundle, str(video), beyond)


def test_joined_features_need_equal_steps_where_parts_meet() -> None:
    rows = np.arange(12, dtype=np.float32).reshape(6, 2)
    first, second = PartFeatures(rows[:4], None, None), PartFeatures(rows[3:], 6, Fraction(1))
    np.testing.assert_array_equal(joined([first, second]), rows)
    assert joined([first, PartFeatures(rows[3:] + 1, 6, Fraction(1))]) is None
    assert joined([first, PartFeatures(rows[:0], 6, Fraction(1))]) is None
