"""Clips of every kind, made with PyAV, and what is read from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from cmsn_runtime.errors import DecodeError
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.sources.opening import SourceOptions, open_source


def pictures(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Smooth pictures without any symmetry, each different from the one before."""
    rows, columns = np.mgrid[0:height, 0:width]
    ramp = np.stack([columns * 3, rows * 4, (rows + columns) * 2], axis=2).clip(0, 255)
    return [np.roll(ramp, i, axis=1).astype(np.uint8) for i in range(count)]


def write_clip(
    path: Path,
    shown: Sequence[np.ndarray],
    *,
    times: Sequence[Fraction] | None = None,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    muxing: dict[str, str] | None = None,
    tone_seconds: int = 0,
    rate: int = 25,
    last_duration: Fraction | None = None,
) -> Path:
    """A clip of these pictures. last_duration: seconds that the last one stands; as the others without."""
    times = times or [Fraction(i, rate) for i in range(len(shown))]
    with av.open(str(path), "w", options=muxing or {}) as container:
        stream: Any = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = shown[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.time_base = stream.codec_context.time_base = tick = _tick(path, rate)
        sound: Any = container.add_stream("aac", rate=16000, layout="mono") if tone_seconds else None
        packets: list[Any] = []
        for picture, time in zip(shown, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.time_base, frame.pts = tick, round(time / tick)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        if last_duration is not None:
            packets[-1].duration = round(last_duration / tick)
        container.mux(packets)
        if sound is not None:
            for i in range(tone_seconds * 16000 // 1024):
                tone = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                tone.sample_rate, tone.pts = 16000, i * 1024
                container.mux(sound.encode(tone))
            container.mux(sound.encode(None))
    return path


def _tick(path: Path, rate: int) -> Fraction:
    """A unit that holds every time; that of a frame where the container takes nothing else."""
    return Fraction(1, rate) if path.suffix in (".avi", ".h264") else Fraction(1, 12800)


def write_pictures(folder: Path, names: Sequence[str], *, sizes: Sequence[tuple[int, int]] = ((48, 64),)) -> None:
    """Numbered pictures as files, from 0 again after 20; their (height, width) go round."""
    for number, name in enumerate(names):
        height, width = sizes[number % len(sizes)]
        picture = np.full((height, width, 3), 20 + 10 * (number % 20), np.uint8)
        av.VideoFrame.from_ndarray(picture, format="rgb24").save(str(folder / name))


def read(path: Path | str, **options: Any) -> list[Frame]:
    """All frames of a source. options: of SourceOptions."""
    with open_source(path, options=SourceOptions(**options)) as source:
        return list(source)


def read_until_broken(path: Path) -> tuple[list[Frame], DecodeError]:
    frames = []
    with open_source(path) as source, pytest.raises(DecodeError) as caught:
        for frame in source:
            frames.append(frame)
    return frames, caught.value


def decoded_by_pyav(path: Path) -> list[Any]:
    """What PyAV gives with nothing of ours in between."""
    found: list[Any] = []
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        for packet in container.demux(stream):
            try:
                found += packet.decode()
            except av.error.InvalidDataError:
                continue
    return found


def increasing(times: Iterable[Fraction]) -> bool:
    return all(earlier < later for earlier, later in pairwise(times))


def numbered(count: int) -> list[np.ndarray]:
    """Pictures whose brightness is their number: 20, 30, 40 ..."""
    return [np.full((48, 64, 3), 20 + 10 * number, np.uint8) for number in range(count)]


def number_of(frame: Frame) -> int:
    """Which of the numbered pictures a frame shows."""
    return round((float(frame.pixels.mean()) - 20) / 10)


def spoil_packets(path: Path, *, after: Fraction, until: Fraction = Fraction(1000)) -> None:
    """Overwrite the content of the packets between two times in place."""
    content, begin = bytearray(path.read_bytes()), 0
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.pts is None or not after < packet.pts * packet.time_base < until:
                continue
            data = bytes(packet)
            begin = content.index(data, begin)
            content[begin : begin + len(data)] = bytes(len(data))
    path.write_bytes(content)
