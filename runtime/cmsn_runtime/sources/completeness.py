"""Whether a video was complete and could be decoded."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from av import Packet
from av.container import InputContainer
from av.stream import Stream

from cmsn_runtime.exact import times
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
        # Times are kept in ticks, since exact fractions for every packet take a good part of what decoding takes.
        self._data_ends: dict[int, _End] = {}  # of each stream: the sound may be longer
        self._first_packet: int | None = None  # of the video, as the following
        self._last_packet: int | None = None
        self._last_frame: int | None = None
        self._began_with_key_frame = True
        self.unseen_seconds = Fraction(0)  # before the first frame, where the video does not begin with a key frame
        self.damaged = 0  # packets after the first frame

    def packet(self, packet: Packet[Stream], *, ours: bool) -> None:
        """A packet was read. ours: it belongs to the video."""
        begin = packet.pts
        if begin is None:
            return
        end = begin + (packet.duration or 0)
        before = self._data_ends.get(packet.stream_index)
        if before is None:
            self._data_ends[packet.stream_index] = _End(end, self._time_base if ours else exact(packet.time_base))
        elif end > before.ticks:
            before.ticks = end
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
        if self._last_frame is None and self._first_packet is not None and not self._began_with_key_frame:
            self.unseen_seconds = times(max(0, pts - self._first_packet), self._time_base)
        # Times of frames without PTS are in decoding order.
        self._last_frame = pts if self._last_frame is None else max(pts, self._last_frame)

    @property
    def is_missing(self) -> bool:
        """Whether more than a second could not be decoded, or was announced and is missing."""
        ends = [times(end.ticks, end.time_base) for end in self._data_ends.values() if end.time_base is not None]
        if not ends:
            return False
        undecoded = absent = Fraction(0)
        if self._last_packet is not None and self._last_frame is not None:
            undecoded = times(self._last_packet - self._last_frame, self._time_base)
        if self._end is not None:
            absent = self._end - max(ends)
        return max(undecoded, absent) > _MISSING_SECONDS


@dataclass(slots=True)
class _End:
    """Where the packets of one stream end so far. time_base: seconds per tick; None where it is unknown."""

    ticks: int
    time_base: Fraction | None
