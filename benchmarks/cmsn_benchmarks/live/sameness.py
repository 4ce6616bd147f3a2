"""Whether a clip gives the same proposals as a file, over RTSP, and by GStreamer.

    python -m cmsn_benchmarks.live.sameness [--seconds 40] [--decoder openh264dec] [--json OUT]

Ends with status 1 unless those over RTSP are equal, and those by GStreamer within one frame and 0.01 of the score.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import click

from cmsn_benchmarks.live.servers import RtspServer, clip
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.capture.capture import Capture
from cmsn_runtime.capture.items import CapturedFrame, CaptureItem, SourceEnded, SourceLost
from cmsn_runtime.capture.settings import CaptureSettings
from cmsn_runtime.events import Event, Proposal
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.secrets import Address
from cmsn_runtime.sources.opening import open_source
from cmsn_runtime.sources.options import SourceOptions
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams

_FRAME = Fraction(1, 25)
_SCORE = 0.01
_PATIENCE = 120.0  # seconds beyond the clip's own


def _captured(address: str, size: tuple[int, int], seconds: float) -> list[Frame]:
    """All frames until the end of the first connection."""
    frames: list[Frame] = []
    ended = threading.Event()

    def deliver(item: CaptureItem) -> None:
        if isinstance(item, SourceLost | SourceEnded):
            ended.set()
        elif isinstance(item, CapturedFrame) and not ended.is_set():
            frames.append(item.frame)

    camera = Capture(
        Address(address),
        name="yard",
        size=size,
        deliver=deliver,
        options=SourceOptions(),
        settings=CaptureSettings(stall_seconds=30),
        pictures=False,
        packets=False,
    )
    with camera:
        if not ended.wait(seconds + _PATIENCE):
            raise SystemExit(f"{address}: it does not end")
    return frames


def _events(bundle: Bundle, frames: Iterable[Frame]) -> list[Event]:
    with bundle.stream() as stream:
        reports = [*chain.from_iterable(stream.push(frame) for frame in frames), *stream.flush()]
    return [report for report in reports if isinstance(report, Event)]


def _finals(events: list[Event]) -> list[Proposal]:
    return [event.proposal for event in events if event.kind == "final"]


def _apart(ones: list[Proposal], others: list[Proposal]) -> dict[str, float]:
    """The largest differences of two lists of equal length."""
    pairs = list(zip(ones, others, strict=True))
    return {
        "finals": len(pairs),
        "seconds_apart": max(float(max(abs(a.start - b.start), abs(a.end - b.end))) for a, b in pairs),
        "score_apart": max(abs(a.score - b.score) for a, b in pairs),
    }


@click.command()
@click.option("--seconds", default=40.0, show_default=True, help="Length of the clip.")
@click.option("--decoder", default="openh264dec", show_default=True, help="GStreamer's element that decodes H.264.")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(seconds: float, decoder: str, output: Path | None) -> None:
    """Render a clip, read it in each way, compare the events."""
    with tempfile.TemporaryDirectory() as folder, open_bundle() as bundle:
        render_streams(Path(folder), RenderSettings(seconds=seconds, seed=3), streams=1)
        path, size = next(Path(folder).glob("*.mp4")), bundle.preprocessing.resize
        with open_source(path) as source:
            expected = _events(bundle, source)
        with RtspServer({"yard": clip(path)}) as server:
            rtsp = _events(bundle, _captured(server.url("yard"), size, seconds))
        pipeline = f"gst:filesrc location={path} ! qtdemux ! h264parse ! {decoder}"
        gstreamer = _events(bundle, _captured(pipeline, size, seconds))
    report = {
        "events": len(expected),
        "rtsp_equal": rtsp == expected,
        "gstreamer": _apart(_finals(gstreamer), _finals(expected)),
    }
    click.echo(json.dumps(report, indent=2))
    if output is not None:
        output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    apart = report["gstreamer"]
    assert isinstance(apart, dict)
    if rtsp != expected or apart["seconds_apart"] > _FRAME or apart["score_apart"] > _SCORE:
        sys.exit("the proposals differ")


if __name__ == "__main__":
    main()
