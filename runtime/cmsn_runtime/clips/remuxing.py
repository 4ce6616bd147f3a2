"""Writes compressed frames into a file, as they came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.error
from av import Packet

from cmsn_runtime.clips.bitstream import Bitstream
from cmsn_runtime.errors import OutputError
from cmsn_runtime.text import one_line

if TYPE_CHECKING:
    from cmsn_runtime.capture.items import CapturedPacket

# MP4 for what browsers play from it. FFmpeg's muxer writes VP8 and VP9 only from complete headers, Matroska without.
_IN_MP4 = frozenset({"h264", "hevc", "mpeg4", "mjpeg", "av1"})
_SUFFIXES = {"mp4": ".mp4", "matroska": ".mkv"}
# Times begin at 0, so no list of edits is needed, by which players leave out frames.
_OPTIONS = {"mp4": {"movflags": "+faststart", "use_editlist": "0"}}


def container_of(codec: str) -> tuple[str, str]:
    """Format and suffix for packets of a codec."""
    format = "mp4" if _canonical(codec) in _IN_MP4 else "matroska"
    return format, _SUFFIXES[format]


def write_packets(path: Path, packets: Sequence[CapturedPacket], *, format: str) -> None:
    """Write packets, the first of them a key frame, in their order. Raises OSError, and OutputError for the rest.

    Times are moved so that decoding begins at 0; where they do not increase, they are changed by a tick. None of this
    matters for a replay, which takes the times of frames from the sidecar, in the same order.
    """
    codec = packets[0].codec
    name = _canonical(codec.name)
    try:
        bitstream = Bitstream.of(name, codec.extradata)
        with av.open(str(path), "w", format=format, options=_OPTIONS.get(format, {})) as container:
            stream = container.add_mux_stream(name, width=codec.width, height=codec.height, time_base=codec.time_base)
            for packet, (pts, dts) in zip(packets, _times(packets), strict=True):
                written = Packet(bitstream.self_contained(packet.data, key=packet.key))
                written.pts, written.dts, written.duration = pts, dts, max(packet.duration, 0)
                written.time_base, written.is_keyframe = codec.time_base, packet.key
                written.stream = stream
                container.mux(written)
    except OSError:  # PyAV's too, where the system failed
        raise
    except (av.error.FFmpegError, ValueError) as error:
        raise OutputError(f"{name} packets cannot be written as {format} ({one_line(error)})") from error


def _times(packets: Sequence[CapturedPacket]) -> Iterator[tuple[int, int]]:
    """PTS and DTS of each packet, in ticks: the latter from 0 and increasing, the former never earlier."""
    tick = packets[0].codec.time_base
    shift: int | None = None
    last = -1
    for packet in packets:
        # Raw streams have neither: the frame's own time stands in.
        shown = packet.pts if packet.pts is not None else packet.dts
        if shown is None and packet.seconds is not None:
            shown = round(packet.seconds / tick)
        decoded = packet.dts if packet.dts is not None else shown
        if decoded is None or shown is None:
            shown = decoded = last + 1 + (shift or 0)
        shift = decoded if shift is None else shift
        last = max(decoded - shift, last + 1)
        yield max(shown - shift, last), last


def _canonical(codec: str) -> str:
    """FFmpeg's name of a codec, for that of a decoder, such as libdav1d."""
    try:
        return av.Codec(codec, "r").canonical_name
    except ValueError:
        return codec
