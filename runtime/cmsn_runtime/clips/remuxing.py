"""Writes compressed frames into a file, as they came."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
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
_TICKS = {"mp4": Fraction(1, 90_000), "matroska": Fraction(1, 1000)}
_OPTIONS = {"mp4": {"movflags": "+faststart", "use_editlist": "0"}}


def container_of(codec: str) -> tuple[str, str]:
    """Format and suffix for packets of a codec."""
    format = "mp4" if _canonical(codec) in _IN_MP4 else "matroska"
    return format, _SUFFIXES[format]


def write_packets(path: Path, packets: Sequence[CapturedPacket], *, format: str) -> None:
    """Write packets, the first of them a key frame, in their order. Raises OSError, and OutputError for the rest.

    Times are rounded, begin at 0, and differ: see `clip_times`. That does not matter for a replay, which has those of
    frames from the sidecar, in the order of the packets.
    """
    codec = packets[-1].codec  # a decoder may learn the size of pictures from the first of them only
    name, tick = _canonical(codec.name), _TICKS[format]
    try:
        bitstream = Bitstream.of(name, codec.extradata)
        with av.open(str(path), "w", format=format, options=_OPTIONS.get(format, {})) as container:
            stream = container.add_mux_stream(name, width=codec.width, height=codec.height, time_base=tick)
            for packet, (pts, dts) in zip(packets, clip_times(packets, tick), strict=True):
                written = Packet(bitstream.self_contained(packet.data, key=packet.key))
                written.pts, written.dts, written.time_base = pts, dts, tick
                written.is_keyframe, written.stream = packet.key, stream
                container.mux(written)
    except OSError:  # PyAV's too, where the system failed
        raise
    except (av.error.FFmpegError, ValueError) as error:
        raise OutputError(f"{name} packets cannot be written as {format} ({one_line(error)})") from error


def clip_times(packets: Sequence[CapturedPacket], tick: Fraction) -> list[tuple[int, int]]:
    """PTS and DTS of each packet, in ticks: each different from the others, the latter increasing and never later.

    From the times of their frames: the DTS of cameras are often none, or counters in another unit.
    """
    begin = min((packet.seconds for packet in packets if packet.seconds is not None), default=Fraction(0))
    shown: list[int] = []
    for packet in packets:
        before = shown[-1] if shown else 0
        shown.append(before if packet.seconds is None else round((packet.seconds - begin) / tick))
    last, order = -1, sorted(range(len(shown)), key=lambda index: shown[index])
    for index in order:
        last = shown[index] = max(shown[index], last + 1)
    decoded = [shown[index] for index in order]
    reordered = max(dts - pts for pts, dts in zip(shown, decoded, strict=True))
    return [(pts + reordered, dts) for pts, dts in zip(shown, decoded, strict=True)]


def _canonical(codec: str) -> str:
    """FFmpeg's name of a codec, for that of a decoder, such as libdav1d."""
    try:
        return av.Codec(codec, "r").canonical_name
    except ValueError:
        return codec
