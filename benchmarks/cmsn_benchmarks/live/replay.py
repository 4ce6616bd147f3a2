"""Saves a clip of each final that cameras lead to, and replays all of them: are start, end and score the same?

    python -m cmsn_benchmarks.live.replay [--cameras 6] [--seconds 75] [--cctv FOLDER] [--json OUT]

Rendered streams are played as cameras at their own speed, each by a capture process, all on the demo bundle; with
--cctv, the streams of that folder (the test split of `cmsn_benchmarks.datasets.cctv_streams`) on the cctv bundle too.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import click

from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.capture.capture import Capture
from cmsn_runtime.clips.comparing import Comparer
from cmsn_runtime.clips.record import SIDECAR_SUFFIX
from cmsn_runtime.clips.replaying import Clip, read_clip
from cmsn_runtime.clips.sink import ClipSettings, ClipSink
from cmsn_runtime.live.fleet import Fleet
from cmsn_runtime.live.settings import CameraSettings
from cmsn_runtime.secrets import Secret
from cmsn_runtime.sinks.outlets import Outlets
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams

_LEAST_CLIPS = 20


def film(name: str, videos: list[Path], folder: Path) -> ClipSink:
    """Play videos as cameras on a bundle, and save their clips into a folder."""
    sink = ClipSink(ClipSettings(folder=str(folder)), folder, site="benchmark")
    with (
        open_bundle(name, threads=1) as bundle,
        Outlets([sink]) as outlets,
        Fleet(bundle, outlets, capture=Capture, site="benchmark") as fleet,
    ):
        for video in videos:
            fleet.add(CameraSettings(name=video.stem, address=Secret(str(video)), paced=True))
        fleet.run(until_ended=True)
    return sink


def replayed(folder: Path) -> dict[str, Any]:
    """Replay every clip of a folder -> the figures."""
    clips = [read_clip(path) for path in sorted(folder.glob(f"*{SIDECAR_SUFFIX}"))]
    begin = time.perf_counter()
    with Comparer() as comparer:
        found = [comparer.compare(clip) for clip in clips]
    differing = [each.fields() for each in found if not each.equal]
    return {
        "clips": len(clips),
        "equal": sum(each.equal for each in found),
        "differing": differing,
        "exact_said": sum(clip.record.exact for clip in clips),
        "reported_by": dict(Counter(clip.record.provenance.how for clip in clips)),
        "from_within_their_segment": sum(clip.record.resume is not None for clip in clips),
        "distinct_scores": len({each.recorded.score for each in found}),
        "median_seconds_of_video": statistics.median(map(_seconds, clips)),
        "median_bytes": statistics.median(clip.path.stat().st_size for clip in clips),
        "replay_seconds_each": (time.perf_counter() - begin) / len(clips),
    }


def _seconds(clip: Clip) -> float:
    times = [seconds for seconds in clip.record.frames if seconds is not None]
    return float(max(times) - min(times))


@click.command()
@click.option("--cameras", default=6, show_default=True, type=click.IntRange(1), help="Per bundle.")
@click.option("--seconds", default=75.0, show_default=True, help="Length of the rendered streams.")
@click.option("--cctv", metavar="FOLDER", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(cameras: int, seconds: float, cctv: Path | None, output: Path | None) -> None:
    """Film, replay, compare; fails where a clip differs, or there are too few."""
    report: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        render_streams(folder / "demo", RenderSettings(seconds=seconds, seed=61), streams=cameras, workers=2)
        sources = {"demo": sorted((folder / "demo").glob("*.mp4"))}
        if cctv is not None:
            sources["cctv"] = sorted(cctv.glob("*.mp4"))[:cameras]
        for name, videos in sources.items():
            sink = film(name, videos, folder / f"{name}-clips")
            report[name] = {"cameras": len(videos), "saved": dict(sink.counts), **replayed(folder / f"{name}-clips")}
    click.echo(json.dumps(report, indent=2))
    if output is not None:
        output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    clips, equal = (sum(part[key] for part in report.values()) for key in ("clips", "equal"))
    if equal < clips or clips < _LEAST_CLIPS:
        raise SystemExit(f"{equal} of {clips} clips are equal; all of at least {_LEAST_CLIPS} must be")


if __name__ == "__main__":
    main()
