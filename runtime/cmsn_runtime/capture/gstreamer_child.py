"""A capture process for GStreamer pipelines: it needs gi and the standard library, and runs in any Python that has gi.

Started by its path, as `PYTHON gstreamer_child.py DESCRIPTOR`; its folder has the two modules that it imports.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from importlib import import_module
from typing import Any

_WAIT_SECONDS = 0.2  # for a frame, before the pipeline's messages are looked at
_SECOND = 1_000_000_000  # GStreamer's times are in nanoseconds


def main() -> None:
    """Send messages until the pipeline ends or fails; see process_setup for the descriptor."""
    # Of the folder of this script, not of the package, which this Python does not have.
    task, file = import_module("process_setup").begin()
    writer = import_module("protocol").Writer(file)
    try:
        writer.ended(*_filmed(task, writer))
    except BrokenPipeError:  # nobody reads any more
        return


def launch_line(task: dict[str, Any]) -> str:
    """GStreamer's description: the user's pipeline, and behind it frames in I420, and pictures if wanted.

    Frames keep their size: GStreamer's scaler differs from libswscale, by which models saw their pictures.
    """
    paced = str(task["paced"]).lower()
    frames = (
        "queue max-size-buffers=4 max-size-bytes=0 max-size-time=0 ! videoconvert ! video/x-raw,format=I420 "
        f"! appsink name=cmsn_frames sync={paced} max-buffers=4"
    )
    pipeline = task["address"].partition(":")[2]
    if not task["pictures_per_second"]:
        return f"{pipeline} ! {frames}"
    rate = Fraction(task["pictures_per_second"]).limit_denominator(1000)
    pictures = (
        "queue max-size-buffers=1 leaky=downstream ! videorate drop-only=true "
        f"! video/x-raw,framerate=[0/1,{rate.numerator}/{rate.denominator}] ! videoconvert ! videoscale "
        f"! video/x-raw,width=[16,{task['picture_width']}],pixel-aspect-ratio=1/1 ! jpegenc quality=80 "
        "! appsink name=cmsn_pictures sync=false max-buffers=2 drop=true"
    )
    return f"{pipeline} ! tee name=cmsn_tee cmsn_tee. ! {frames} cmsn_tee. ! {pictures}"


def _filmed(task: dict[str, Any], writer: Any) -> tuple[str, bool]:
    """Why it ended, and whether starting it again cannot help. Raises BrokenPipeError without a reader."""
    try:
        gi = import_module("gi")
        gi.require_version("Gst", "1.0")
        gi.require_version("GstApp", "1.0")
        gst = import_module("gi.repository.Gst")
        import_module("gi.repository.GstApp")  # gives appsink its methods
        glib = import_module("gi.repository.GLib")
    except (ImportError, ValueError):
        return f"{sys.executable} has no gi, GStreamer's bindings", True
    gst.init(None)
    writer.started()
    try:
        pipeline = gst.parse_launch(launch_line(task))
    except glib.Error as error:
        return f"GStreamer does not take the pipeline: {error.message}", True
    try:
        pipeline.set_state(gst.State.PLAYING)
        return _played(gst, pipeline, task, writer), False
    finally:
        pipeline.set_state(gst.State.NULL)


def _played(gst: Any, pipeline: Any, task: dict[str, Any], writer: Any) -> str:
    """Send all samples -> why there are no more."""
    frames, pictures = pipeline.get_by_name("cmsn_frames"), pipeline.get_by_name("cmsn_pictures")
    bus, opened, reason = pipeline.get_bus(), False, None
    while True:
        sample = frames.try_pull_sample(int(_WAIT_SECONDS * _SECOND))
        if sample is not None:
            if not opened:
                writer.opened("gstreamer")
                opened = True
            _send(gst, sample, writer)
        for picture in _waiting(pictures):
            buffer, seconds = picture.get_buffer(), _seconds(gst, picture)
            if seconds is not None:
                writer.picture(seconds, buffer.extract_dup(0, buffer.get_size()))
        message = bus.pop_filtered(gst.MessageType.ERROR)
        if message is not None and reason is None:
            reason = str(message.parse_error()[0].message)
        # An error overtakes the frames that came before it: what is still on its way is waited for.
        if sample is None and (reason is not None or frames.is_eos()):
            return reason or ""


def _send(gst: Any, sample: Any, writer: Any) -> None:
    """A frame, with its time; one without has no place, as elsewhere."""
    buffer, seconds = sample.get_buffer(), _seconds(gst, sample)
    if seconds is None:
        return
    caps = sample.get_caps().get_structure(0)
    size = (caps.get_int("height").value, caps.get_int("width").value)
    data = buffer.extract_dup(0, buffer.get_size())
    writer.frame(seconds, data, size=size, arrived=time.monotonic(), planar=True)


def _seconds(gst: Any, sample: Any) -> Fraction | None:
    """Time in the stream, exact; a file's PTS in its buffers are shifted by its edit list, which this undoes."""
    pts = sample.get_buffer().pts
    if pts == gst.CLOCK_TIME_NONE:
        return None
    streamed = sample.get_segment().to_stream_time(gst.Format.TIME, pts)
    return Fraction(pts if streamed == gst.CLOCK_TIME_NONE else streamed, _SECOND)


def _waiting(pictures: Any) -> Iterator[Any]:
    """The pictures that are there now; none where they are not wanted."""
    while pictures is not None:
        sample = pictures.try_pull_sample(0)
        if sample is None:
            return
        yield sample


if __name__ == "__main__":
    main()
