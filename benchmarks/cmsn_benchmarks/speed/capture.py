"""What captures cost: frames through a pipe against shared memory, and processes for cameras over RTSP.

    python -m cmsn_benchmarks.speed.capture [--cameras 8] [--seconds 20] [--json OUT]

The cameras need GStreamer's RTSP server; without it only the transport of frames is measured.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import click

from cmsn_benchmarks.device.processes import cpu_seconds, megabytes
from cmsn_benchmarks.live.servers import RtspServer, capturing, endless, has_gstreamer
from cmsn_runtime.capture.capture import Capture
from cmsn_runtime.capture.items import CapturedFrame, CaptureItem
from cmsn_runtime.capture.protocol import FrameMessage, Message, Reader, Writer
from cmsn_runtime.capture.settings import CaptureSettings
from cmsn_runtime.secrets import Secret
from cmsn_runtime.sources.options import SourceOptions
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams

_SIZES = ((48, 64), (128, 171), (360, 640))  # height, width: of the demo model, of the CCTV model, of a picture
_FRAMES = 1500
_SLOTS = 8  # of the shared memory
_ROUNDS = 5


def _send(kind: str, size: tuple[int, int], memory: mmap.mmap, messages: int, credits: int) -> None:
    """The child's side: all frames, one after another."""
    height, width = size
    pixels = bytes(height * width * 3)
    with os.fdopen(messages, "wb", buffering=0) as file:
        writer = Writer(file)
        for number in range(_FRAMES):
            if kind == "pipe":
                writer.frame(Fraction(number, 25), pixels, size=size, arrived=0.0)
                continue
            if number >= _SLOTS:
                os.read(credits, 1)
            begin = number % _SLOTS * len(pixels)
            memory[begin : begin + len(pixels)] = pixels
            writer.clock(Fraction(number, 25))  # a message that is as small as one that names a slot


def _receive(kind: str, size: tuple[int, int], memory: mmap.mmap, messages: int, credits: int) -> None:
    """The parent's side: each frame as bytes of its own, as a queue must have it."""
    reader, number, length = Reader(), 0, size[0] * size[1] * 3

    def take(message: Message) -> bytes | memoryview:
        if isinstance(message, FrameMessage):
            return message.pixels
        begin = number % _SLOTS * length
        pixels = memory[begin : begin + length]
        os.write(credits, b"x")
        return pixels

    while count := os.readv(messages, [reader.room()]):
        message = reader.filled(count)
        if message is not None:
            assert len(take(message)) == length
            number += 1
    assert number == _FRAMES


def _transport(kind: str, size: tuple[int, int]) -> float:
    """CPU microseconds per frame, of both sides."""
    messages, credits = os.pipe(), os.pipe()
    fcntl.fcntl(messages[0], fcntl.F_SETPIPE_SZ, 1 << 20)  # as that of a capture
    memory = mmap.mmap(-1, _SLOTS * size[0] * size[1] * 3)
    before = _cpu()
    child = os.fork()
    if child == 0:
        os.close(messages[0])
        _send(kind, size, memory, messages[1], credits[0])
        os._exit(0)
    os.close(messages[1])
    _receive(kind, size, memory, messages[0], credits[1])
    os.waitpid(child, 0)
    for descriptor in (messages[0], *credits):
        os.close(descriptor)
    memory.close()
    return (_cpu() - before) / _FRAMES * 1e6


def _cpu() -> float:
    """CPU seconds of this process and of those that it has reaped."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def _start_seconds() -> float:
    """From nothing to a process that has imported what it needs."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import cmsn_runtime.capture.filming"], check=True)
    return time.perf_counter() - begin


def _cameras(address: str, count: int, seconds: float) -> dict[str, float]:
    """Cores, memory and latency of so many captures of one address."""
    late: list[float] = []
    counting = False

    def deliver(item: CaptureItem) -> None:
        if counting and isinstance(item, CapturedFrame):
            late.append(time.monotonic() - item.arrived)

    with ExitStack() as stack:
        for number in range(count):
            camera = Capture(
                Secret(address),
                name=f"camera {number}",
                size=(48, 64),
                deliver=deliver,
                options=SourceOptions(),
                settings=CaptureSettings(stall_seconds=30),
                pictures=False,
                packets=False,
            )
            stack.enter_context(camera)
        time.sleep(8)
        counting, processes = True, [int(child) for child in capturing()]
        begin, own, theirs = time.perf_counter(), time.process_time(), sum(map(cpu_seconds, processes))
        time.sleep(seconds)
        passed = time.perf_counter() - begin
        own, theirs = time.process_time() - own, sum(map(cpu_seconds, processes)) - theirs
        memory = statistics.mean(megabytes(process, shared=True) for process in processes)
    late.sort()
    return {
        "cameras": count,
        "frames_per_second_each": len(late) / count / passed,
        "cores_children": theirs / passed,
        "cores_parent": own / passed,
        "megabytes_each": memory,
        "decoded_to_delivered_p50_ms": 1e3 * late[len(late) // 2],
        "decoded_to_delivered_p99_ms": 1e3 * late[len(late) * 99 // 100],
    }


def _median(measure: Callable[[], float]) -> float:
    return statistics.median(measure() for _ in range(_ROUNDS))


@click.command()
@click.option("--cameras", default=8, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=20.0, show_default=True, help="Of measuring the cameras.")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(cameras: int, seconds: float, output: Path | None) -> None:
    """Measure the transport of frames in turns, then the cameras."""
    report: dict[str, dict[str, float]] = {}
    for size in _SIZES:
        turns = [(_transport("pipe", size), _transport("shared memory", size)) for _ in range(_ROUNDS)]
        pipe, shared = (statistics.median(turn[index] for turn in turns) for index in (0, 1))
        report[f"{size[1]}x{size[0]}"] = {"pipe_us_per_frame": pipe, "shared_memory_us_per_frame": shared}
    report["process"] = {"start_seconds": _median(_start_seconds)}
    if has_gstreamer():
        with tempfile.TemporaryDirectory() as folder:
            render_streams(Path(folder), RenderSettings(seconds=20.0, seed=11), streams=1)
            mounts = {"yard": endless(next(Path(folder).glob("*.mp4")))}
            with RtspServer(mounts) as server:
                report["rtsp"] = _cameras(server.url("yard"), cameras, seconds)
    rounded = {name: {key: round(value, 4) for key, value in part.items()} for name, part in report.items()}
    click.echo(json.dumps(rounded, indent=2))
    if output is not None:
        output.write_text(json.dumps(rounded, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
