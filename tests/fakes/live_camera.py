"""A file, fed to a stream and a sink as a live camera would be, without a network or a clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av

from cmsn_runtime.capture.items import CapturedPacket, Codec
from cmsn_runtime.events import Event, StreamEvent, WallClock
from cmsn_runtime.identity import Numbering
from cmsn_runtime.pictures.decoded import DecodedFrame
from cmsn_runtime.pictures.fitting import Scaler
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.sinks.base import Ending, Sink
from cmsn_runtime.streams.stream import Stream

NAME = "yard"
CLOCK = WallClock(Fraction(1_800_000_000), "arrival")


@dataclass(frozen=True)
class Session:
    """What a connection delivers: packets, each with the frames that were decoded after it."""

    path: Path
    number: int = 1
    offset: Fraction = Fraction(0)  # seconds of its first frame on the camera's clock, if that begins at 0
    lost: frozenset[int] = frozenset()  # packets that do not reach the sink
    damaged: frozenset[int] = frozenset()  # packets whose frames the model does not get

    def packets(self) -> Iterator[tuple[CapturedPacket, list[Frame]]]:
        """Frames at their own size, marked where they begin a session after the first."""
        with av.open(str(self.path)) as container:
            stream = container.streams.video[0]
            context, tick = stream.codec_context, Fraction(stream.time_base or 1)
            codec = Codec(
                context.codec.canonical_name,
                context.width,
                context.height,
                context.pix_fmt or "",
                bytes(context.extradata or b""),
                tick,
                self.number,
            )
            fresh = self.number > 1
            for count, packet in enumerate(container.demux(stream)):
                frames = [
                    DecodedFrame(frame, self.offset + frame.pts * tick)
                    for frame in stream.decode(packet)
                    if frame.pts is not None and count not in self.damaged
                ]
                if frames and fresh:
                    frames[0] = DecodedFrame(frames[0].picture, frames[0].seconds, discontinuity=True)
                    fresh = False
                seconds = None if packet.pts is None else self.offset + packet.pts * tick
                yield (
                    CapturedPacket(
                        b"" if count in self.lost else bytes(packet),
                        packet.pts,
                        packet.dts,
                        packet.duration or 0,
                        packet.is_keyframe,
                        seconds,
                        codec,
                        float(packet.dts or 0) * float(tick),
                    ),
                    list(frames),
                )


def play(stream: Stream, sink: Sink, *sessions: Session, size: tuple[int, int] | None = None) -> list[Event]:
    """Feed sessions to their end -> the finals of rank 1. size: at which frames are delivered, as captures do."""
    numbering = Numbering(site="mill", camera=NAME, run="20260101T000000Z-0000")
    scaler = None if size is None else Scaler(size)
    finals: list[Event] = []

    def report(events: list[StreamEvent]) -> None:
        for event in events:
            stamped = numbering.stamped(event, CLOCK)
            sink.event(NAME, stamped)
            if isinstance(stamped, Event) and stamped.kind == "final" and stamped.rank == 1:
                finals.append(stamped)

    sink.begin(NAME, None)
    for session in sessions:
        for packet, frames in session.packets():
            if packet.data:
                sink.packet(NAME, packet)
            for frame in frames:
                if scaler is not None:
                    frame = Frame(scaler(frame), frame.seconds, frame.discontinuity)
                report(stream.push(frame))
                sink.advance(NAME, frame.seconds)
    report(stream.flush())
    sink.end(NAME, Ending(None))
    sink.close()
    return finals


def changed(packet: CapturedPacket, **values: object) -> CapturedPacket:
    """A packet with other fields."""
    return replace(packet, **values)  # type: ignore[arg-type]
