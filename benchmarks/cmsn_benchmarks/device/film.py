"""What live cameras film in a measurement: a file that is made once per machine, or one of the user's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.packet import Packet

from cmsn_runtime.backends.engine_cache import cache_folder
from cmsn_runtime.errors import SourceError
from cmsn_runtime.files import replacing

_RATE = 25
_FRAMES = 100  # that are encoded; they repeat
_REPEATS = 40  # 160 seconds: a camera that begins its file again would cost a process's start


@dataclass(frozen=True, slots=True)
class Film:
    """rate: frames per second. picture: in words, such as "640x480 H.264"."""

    path: Path
    rate: float
    picture: str


def described(path: Path) -> Film:
    """A file of the user's. Raises SourceError where it is no video of a known rate."""
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            context = stream.codec_context
            codec = {"h264": "H.264", "hevc": "H.265"}.get(context.name, context.name)
            rate = stream.average_rate
            size = f"{context.width}x{context.height}"
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise SourceError(f"{path}: is no video that can be played ({error}); name another with --film") from error
    if not rate:
        raise SourceError(f"{path}: its frame rate is unknown; name another with --film")
    return Film(path, float(rate), f"{size} {codec}")


def made_film(size: tuple[int, int], folder: Path | None = None) -> Film:
    """A film of 25 frames per second, with structure, motion and noise; made where it does not exist.

    size: (width, height). folder: by default in the user's cache. Raises OutputError, SourceError.
    """
    width, height = size
    path = (folder or cache_folder() / "films") / f"film-1-{width}x{height}.mp4"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as unfinished:
            _write(unfinished, size)
    return described(path)


def _write(path: Path, size: tuple[int, int]) -> None:
    """One group of pictures is encoded, and its packets repeat: it begins with a key frame."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("h264", rate=_RATE)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "28"}
        stream.codec_context.gop_size = _FRAMES
        stream.codec_context.max_b_frames = 0
        packets = [packet for frame in _frames(size) for packet in stream.encode(frame)] + stream.encode(None)
        contents = [(bytes(packet), packet.is_keyframe) for packet in packets]
        for number in range(len(contents) * _REPEATS):
            content, is_key = contents[number % len(contents)]
            packet = Packet(content)
            packet.stream, packet.time_base = stream, Fraction(1, _RATE)
            packet.pts = packet.dts = number
            packet.duration, packet.is_keyframe = 1, is_key
            container.mux(packet)


def _frames(size: tuple[int, int]) -> Iterator[av.VideoFrame]:
    """A picture of blocks that moves to and fro, with the noise of a sensor."""
    width, height = size
    rng = np.random.default_rng(0)
    coarse = rng.integers(16, 240, (height // 32 + 3, width // 32 + 3, 3), dtype=np.uint8)
    blocks = np.kron(coarse, np.ones((32, 32, 1), np.uint8))
    for number in range(_FRAMES):
        offset = round(16 * (1 + np.sin(2 * np.pi * number / _FRAMES)))
        noise = rng.integers(-4, 5, (height, width, 3), dtype=np.int16)
        pixels = (blocks[offset : offset + height, offset : offset + width] + noise).astype(np.uint8)
        yield av.VideoFrame.from_ndarray(pixels, format="rgb24")
