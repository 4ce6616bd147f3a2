"""Whether a video was complete and could be decoded."""

from __future__ import annotations

from fractions import Fraction

from av import Packet
from av.container import InputContainer
from av.stream import Stream

from cmsn_runtime.sources.container import announced_duration, announced_start, exact

_MISSING_SECONDS = Fraction(1)  # headers round; a video that ends this much early is incomplete


class Completeness:
    """Compares what was decoded with the packets, and the packets with the end that the container announces.

    time_base: of the video's packets, in seconds.

    Some containers count their duration from zero and some from their first frame. The earlier end is used, so that
    a complete file that begins late, or below zero, is never reported as broken.
    """

    def __init__(self, container: InputContainer, time_base: Fraction) -> None:
        duration = announced_duration(container)
        self._time_base = time_base
        self._end = None if duration is None else duration + min(Fraction(0), announced_start(container))
        self._data_end: Fraction | None = None  # of all streams: the sound may be longer
        self._first_packet: Fraction | None = None  # of the video
        self._last_packet: Fraction | None = None
        self._last_frame: Fraction | None = None
        self._began_with_key_frame = True
        self.unseen_seconds = Fraction(0)  # before the first frame, where the video does not begin with a key frame
        self.damaged = 0  # packets after the first frame

    def packet(self, packet: Packet[Stream], *, ours: bool) -> None:
        """A packet was read. ours: it belongs to the video."""
        time_base = self._time_base if ours else exact(packet.time_base)
        if packet.pts is None or time_base is None:
            return
        begin = packet.pts * time_base
        end = begin + (packet.duration or 0) * time_base
        self._data_end = end if self._data_end is None else max(self._data_end, end)
        if ours:
            if self._first_packet is None:
                self._first_packet, self._began_with_key_frame = begin, packet.is_keyframe
            self._last_packet = begin

    def lost(self) -> None:
        """A packet could not be decoded."""
        if self._last_frame is None:
            self._began_with_key_frame = False
        else:
            self.damaged += 1

    def frame(self, pts: int | None) -> None:
        """A frame was decoded."""
        if pts is None:
            return
        seconds = pts * self._time_base
        if self._last_frame is None and self._first_packet is not None and not self._began_with_key_frame:
            self.unseen_seconds = max(Fraction(0), seconds - self._first_packet)
        # Times of frames without PTS are in decoding order.
        self._last_frame = seconds if self._last_frame is None else max(seconds, self._last_frame)

    @property
    def is_missing(self) -> bool:
        """Whether more than a second could not be decoded, or was announced and is missing."""
        if self._data_end is None:
            return False
        undecoded = absent = Fraction(0)
        if self._last_packet is not None and self._last_frame is not None:
            undecoded = self._last_packet - self._last_frame
        if self._end is not None:
            absent = self._end - self._data_end
        return max(undecoded, absent) > _MISSING_SECONDS
