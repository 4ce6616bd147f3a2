"""Long files from a short clip: its packets, again and again, without encoding."""

from __future__ import annotations

from pathlib import Path

import av


def looped(clip: Path, target: Path, times: int) -> None:
    """Write the clip so many times in a row. It has one video stream of a constant rate, and begins with a key frame.

    Raises ValueError where it has no rate.
    """
    with av.open(str(clip)) as source:
        video = source.streams.video[0]
        packets = [(packet, bytes(packet)) for packet in source.demux(video) if packet.size]
        rate, base = video.average_rate, video.time_base
        if rate is None or base is None:
            raise ValueError(f"{clip.name} has no rate; pass a clip of a constant rate")
        length = round(len(packets) / (rate * base))
        with av.open(str(target), "w") as container:
            stream = container.add_stream_from_template(video)
            for number in range(times):
                for packet, data in packets:
                    copy = av.Packet(data)
                    copy.pts, copy.dts = (_later(time, number * length) for time in (packet.pts, packet.dts))
                    copy.duration, copy.time_base = packet.duration, base
                    copy.is_keyframe, copy.stream = packet.is_keyframe, stream
                    container.mux(copy)


def _later(time: int | None, ticks: int) -> int | None:
    return None if time is None else time + ticks
