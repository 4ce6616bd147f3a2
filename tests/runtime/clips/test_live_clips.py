"""Clips of real captures on a real fleet are replayed to the digit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from command_line import ACTION
from external import require_gstreamer
from mjpeg_server import jpegs, serving_mjpeg
from rtsp import RtspServer, endless
from waiting import wait_for

from cmsn_runtime.bundle import Bundle
from cmsn_runtime.capture.capture import Capture
from cmsn_runtime.capture.settings import CaptureSettings
from cmsn_runtime.clips.comparing import Comparer, Comparison
from cmsn_runtime.clips.replaying import read_clip
from cmsn_runtime.clips.sink import ClipSettings, ClipSink
from cmsn_runtime.live.fleet import Fleet
from cmsn_runtime.live.settings import CameraSettings
from cmsn_runtime.secrets import Secret
from cmsn_runtime.sinks.outlets import Outlets


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    """One action in 4 s, dim enough for scores that depend on every frame."""
    colours = [*ACTION[:24], *ACTION[64:], *ACTION[:8]][:104]
    shown = [
        np.full((48, 64, 3), [level * (6 + index % 7) // 255 for level in colour], np.uint8)
        for index, colour in enumerate(colours)
    ]
    return write_clip(tmp_path / "yard.mp4", shown, options={"g": "26", "bf": "0"})


def replayed(folder: Path, bundle: Bundle) -> list[Comparison]:
    with Comparer(bundle=bundle.path) as comparer:
        return [comparer.compare(read_clip(path)) for path in sorted(folder.glob("*.clip.json"))]


def camera(address: str, *, paced: bool = False) -> CameraSettings:
    capture = CaptureSettings(stall_seconds=1.0, first_retry_seconds=0.1, last_retry_seconds=0.2)
    return CameraSettings(name="yard", address=Secret(address), capture=capture, paced=paced)


def test_of_a_file_that_is_played_as_a_camera(bundle: Bundle, tmp_path: Path, yard: Path) -> None:
    folder = tmp_path / "clips"
    sink = ClipSink(ClipSettings(folder="unused"), folder, site="mill")
    with Outlets([sink]) as outlets, Fleet(bundle, outlets, capture=Capture, site="mill") as fleet:
        fleet.add(camera(str(yard), paced=True))
        fleet.run(until_ended=True)
    (found,) = replayed(folder, bundle)
    assert found.equal and found.notes == () and found.id.startswith("mill/yard/")


def test_of_a_camera_without_times_of_its_own(bundle: Bundle, tmp_path: Path) -> None:
    """Multipart MJPEG: frames have the times of their arrival."""
    folder = tmp_path / "clips"
    sink = ClipSink(ClipSettings(folder="unused"), folder, site="mill")
    shown = [np.full((48, 64, 3), [level // 8 for level in colour], np.uint8) for colour in ACTION]
    with (
        serving_mjpeg(jpegs(shown[24:]), fps=25) as address,
        Outlets([sink]) as outlets,
        Fleet(bundle, outlets, capture=Capture, site="mill") as fleet,
    ):
        fleet.add(camera(address))
        with running(fleet):
            wait_for(lambda: sink.counts["saved"] >= 1, seconds=60)
    found = replayed(folder, bundle)
    assert found and [(each.equal, each.notes) for each in found] == [(True, ())] * len(found)


@contextmanager
def running(fleet: Fleet) -> Iterator[None]:
    thread = threading.Thread(target=fleet.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        fleet.stop()
        thread.join(30)
    assert not thread.is_alive()


def test_of_an_rtsp_camera_that_loses_its_connection(bundle: Bundle, tmp_path: Path, yard: Path) -> None:
    """Of both sessions: the second one has a phase of its own, and the first is still in the ring when it ends."""
    require_gstreamer()
    folder = tmp_path / "clips"
    sink = ClipSink(ClipSettings(folder="unused"), folder, site="mill")
    with (
        RtspServer({"yard": endless(yard, seconds=120)}) as server,
        Outlets([sink]) as outlets,
        Fleet(bundle, outlets, capture=Capture, site="mill") as fleet,
    ):
        fleet.add(camera(server.url("yard")))
        with running(fleet):
            wait_for(lambda: sink.counts["saved"] >= 1, seconds=60)
            server.restart()
            wait_for(lambda: fleet.statuses()[0].returns == 1, seconds=60)
            before = sink.counts["saved"]
            wait_for(lambda: sink.counts["saved"] >= before + 1, seconds=60)
    found = replayed(folder, bundle)
    assert len(found) >= 2 and [each.equal for each in found] == [True] * len(found)
    assert sink.counts["inexact"] == 0
