"""Seeks to a time in a file such that the frames from there equal those read from its beginning."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice

import av.error
from av import Packet
from av.container import InputContainer
from av.video.stream import VideoStream

_STEPS_BACK = (
    Fraction(0),
    Fraction(10),
    Fraction(60),
)  # seconds; MPEG-TS has no index, and may land behind a key frame
_PACKETS_LOOKED_AT = 2000


def seek(
    container: InputContainer, stream: VideoStream, *, begin: Fraction, start: Fraction
) -> Packet[VideoStream] | None:
    """Go to a key frame that is shown at `begin` or before -> its packet; the ones after it come next.

    start: seconds at which the file begins. None where there is no such key frame, or it is unknown: the container is
    then somewhere, and must be opened again to be read from its beginning.
    """
    time_base = Fraction(stream.time_base or 0)
    for back in _STEPS_BACK:
        if not time_base or begin - back <= start:
            return None
        try:
            container.seek(int((begin - back) / time_base), stream=stream)
            packets = islice(container.demux(stream), _PACKETS_LOOKED_AT)
            packet = next((packet for packet in packets if packet.is_keyframe), None)
        except av.error.FFmpegError:
            return None
        if packet is None or packet.pts is None:
            return None
        if start <= packet.pts * time_base <= begin:
            return packet
    return None
