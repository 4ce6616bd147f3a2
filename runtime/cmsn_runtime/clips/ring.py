"""The newest compressed frames of one camera, bounded in bytes and seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cmsn_runtime.capture.items import CapturedPacket, Codec


@dataclass(slots=True)
class Part:
    """Packets of one session and codec, in groups that each begin with a key frame."""

    codec: Codec
    groups: deque[list[CapturedPacket]] = field(default_factory=deque)

    @property
    def begin(self) -> Fraction | None:
        """Seconds of its first key frame; None without packets, or where that frame has no time."""
        return self.groups[0][0].seconds if self.groups else None

    def packets(self) -> Iterator[CapturedPacket]:
        """All packets, in the order of decoding."""
        return (packet for group in self.groups for packet in group)


class PacketRing:
    """Keeps packets until they are `max_seconds` older than the newest, or more than `max_bytes` are kept.

    Whole groups go, the oldest first; what precedes the first key frame is not kept. Where one group alone is larger,
    it goes too, up to the next key frame. A change of session or codec begins a new part.
    """

    def __init__(self, *, max_bytes: int, max_seconds: Fraction) -> None:
        self.bytes = 0
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds
        self._parts: deque[Part] = deque()
        self._newest: Fraction | None = None

    def add(self, packet: CapturedPacket) -> None:
        """Keep a packet, and drop what is too old or too much."""
        if not self._parts or not _continues(packet, self._parts[-1].codec):
            if self._parts and not self._parts[-1].groups:  # a session that ended before its first key frame
                self._parts.pop()
            self._parts.append(Part(packet.codec))
        groups = self._parts[-1].groups
        if packet.key:
            groups.append([])
        if not groups:
            return
        groups[-1].append(packet)
        self.bytes += len(packet.data)
        if packet.seconds is not None and (self._newest is None or packet.seconds > self._newest):
            self._newest = packet.seconds
        while self._is_first_old():
            self._drop_first()
        while self.bytes > self._max_bytes:
            self._drop_first()

    @property
    def begin(self) -> Fraction | None:
        """Seconds of its first frame; None where it is empty, or that frame has no time."""
        return next((part.begin for part in self._parts if part.groups), None)

    def part_of(self, seconds: Fraction) -> Part | None:
        """The newest part that holds the frame of this time."""
        found = (part for part in reversed(self._parts) if any(each.seconds == seconds for each in part.packets()))
        return next(found, None)

    def _is_first_old(self) -> bool:
        """Whether everything of the oldest group, and of what begins before the limit, is before it."""
        part = self._parts[0]
        if self._newest is None or (len(self._parts) == 1 and len(part.groups) < 2):
            return False
        after = self._parts[0].groups[1] if len(part.groups) > 1 else next(iter(self._parts[1].groups), None)
        begin = None if after is None else after[0].seconds
        return begin is not None and begin <= self._newest - self._max_seconds

    def _drop_first(self) -> None:
        part = self._parts[0]
        if part.groups:
            self.bytes -= sum(len(packet.data) for packet in part.groups.popleft())
        if not part.groups and len(self._parts) > 1:
            self._parts.popleft()


def _continues(packet: CapturedPacket, before: Codec) -> bool:
    """Whether a packet belongs to the part of this codec: what a decoder finds out later is no change of it."""
    codec = packet.codec
    same = (codec.session, codec.name, codec.time_base) == (before.session, before.name, before.time_base)
    return codec == before or (same and not packet.key)
