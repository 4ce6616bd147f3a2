"""GStreamer pipelines as cameras."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from captured import Captured, capture
from clips import number_of, numbered, write_clip
from external import has_gstreamer, require_gstreamer
from rtsp import RtspServer, clip

from cmsn_runtime.capture.gstreamer_child import launch_line
from cmsn_runtime.capture.items import CapturedFrame, CapturedPicture, SourceBack, SourceEnded, SourceLost
from cmsn_runtime.sources.addresses import public_name, secret_parts
from cmsn_runtime.sources.options import SourceOptions
from cmsn_runtime.sources.order import has_no_end
from cmsn_runtime.sources.pipelines import secrets_of

DECODE = "rtph264depay ! h264parse ! openh264dec"


@pytest.fixture(autouse=True)
def _gstreamer() -> None:
    require_gstreamer()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = {"g": "20", "bf": "0"}
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", numbered(20) * 2, options=options, rate=20)


@pytest.fixture
def server(recorded: Path) -> Iterator[RtspServer]:
    with RtspServer({"clip": clip(recorded)}, user="admin", password="pass:w/rd") as serving:
        yield serving


def test_rtsp_by_gstreamer_gives_the_frames_of_the_file_with_exact_times(
    server: RtspServer, captured: Captured
) -> None:
    address = (
        f"gst:rtspsrc location=rtsp://127.0.0.1:{server.port}/clip user-id=admin user-pw=pass:w/rd protocols=tcp "
        f"latency=0 buffer-mode=none ! {DECODE}"
    )
    with capture(address, captured, pictures=True):
        captured.waited(SourceLost)
    frames = [item.frame for item in captured.of(CapturedFrame)]
    assert len(frames) >= 20  # rtspsrc throws away what it holds when a server ends the session
    assert [frame.seconds for frame in frames] == [Fraction(n, 20) for n in range(40)][: len(frames)]
    assert [number_of(frame) for frame in frames] == [*range(20), *range(20)][: len(frames)]
    pictures = captured.of(CapturedPicture)
    assert len(pictures) >= 5
    assert pictures[0].frame.pixels.shape == (48, 64, 3)


def test_a_part_of_a_pipeline_ends(captured: Captured) -> None:
    address = "gst:videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=20/1"
    with capture(address, captured, options=SourceOptions(begin=Fraction(1, 2), length=Fraction(1))):
        (ended,) = captured.waited(SourceEnded)
    seconds = [item.frame.seconds for item in captured.of(CapturedFrame)]
    assert ended.reason == "" and not captured.of(SourceLost)
    assert Fraction(1, 2) <= seconds[0] < seconds[-1] < Fraction(3, 2)


def test_a_server_that_ends_is_a_loss_and_a_return(server: RtspServer, captured: Captured) -> None:
    address = f"gst:rtspsrc location={server.url('clip')} protocols=tcp latency=0 buffer-mode=none ! {DECODE}"
    with capture(address, captured):
        captured.waited(CapturedFrame, count=5)
        server.restart()
        captured.waited(SourceBack)
        captured.more_frames(5)
    assert len(captured.of(SourceBack)) == 1


def test_a_file_is_played_at_its_own_speed_to_its_end(recorded: Path, captured: Captured) -> None:
    with capture(f"gst:filesrc location={recorded} ! qtdemux ! h264parse ! openh264dec", captured, paced=True):
        (ended,) = captured.waited(SourceEnded)
    frames = captured.of(CapturedFrame)
    assert [item.frame.seconds for item in frames] == [Fraction(n, 20) for n in range(40)]
    assert frames[-1].arrived - frames[0].arrived > 1.5
    assert ended.reason == ""


@pytest.mark.parametrize(("width", "height"), [(161, 121), (162, 120), (320, 240)])
def test_pictures_of_any_size_keep_their_rows(captured: Captured, width: int, height: int) -> None:
    """GStreamer pads rows and odd sides: a picture that is red on the left must stay so."""
    pattern = f"videotestsrc num-buffers=3 pattern=smpte75 ! video/x-raw,width={width},height={height},framerate=10/1"
    with capture(f"gst:{pattern}", captured, paced=True, size=(120, 160)):
        captured.waited(SourceEnded)
    pixels = captured.of(CapturedFrame)[0].frame.pixels
    bars = pixels[:60].reshape(60, 160, 3).mean(axis=0)
    assert np.abs(pixels[:60].astype(int) - bars).mean() < 3  # vertical bars: all rows are alike
    assert bars[150, 2] > bars[150, 0] + 50  # the last is blue
    assert bars[5].min() > 150  # the first is white


@pytest.mark.parametrize(
    ("pipeline", "reason"),
    [
        ("nosuchelement", "nosuchelement"),
        ("videotestsrc ! video/x-raw,width=", "GStreamer does not take the pipeline"),
    ],
)
def test_a_pipeline_that_cannot_be_built_ends_with_the_reason(captured: Captured, pipeline: str, reason: str) -> None:
    with capture(f"gst:{pipeline}", captured):
        (ended,) = captured.waited(SourceEnded)
    assert reason in ended.reason


def test_without_a_python_that_has_gi_it_ends_with_what_to_install(
    captured: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CMSN_GST_PYTHON", "/bin/false")
    with capture("gst:videotestsrc", captured):
        (ended,) = captured.waited(SourceEnded)
    assert "install python3-gi" in ended.reason
    assert has_gstreamer()


def test_pictures_are_made_only_where_they_are_wanted() -> None:
    task = {"address": "gst:videotestsrc", "paced": False, "pictures_per_second": 0, "picture_width": 480}
    assert "jpegenc" not in launch_line(task)
    assert "framerate=[0/1,5/1]" in launch_line({**task, "pictures_per_second": 5.0})


def test_passwords_of_a_pipeline_are_found() -> None:
    pipeline = 'rtspsrc location=x user-id=me user-pw="a b/c" ! souphttpsrc cookies=k  extra-token=t!1 ! fakesink'
    assert list(secrets_of(pipeline)) == ["a b/c", "t!1"]


def test_the_name_of_a_pipeline_is_its_source_with_a_tag_in_which_passwords_have_no_part() -> None:
    pipeline = "gst:rtspsrc location=rtsp://me:{}@cam/{} user-pw={} ! openh264dec"
    names = [public_name(pipeline.format(*parts)) for parts in (("a", 1, "b"), ("c", 1, "d"), ("a", 2, "b"))]
    assert names[0] == names[1] != names[2]
    assert names[0].partition("#")[0] == "gst:rtspsrc"
    assert set(secret_parts(pipeline.format("one", 1, "two"))) >= {"me:one", "one", "two"}
    assert has_no_end(pipeline)
