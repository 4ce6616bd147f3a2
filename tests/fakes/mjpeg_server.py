"""Multipart MJPEG over HTTP, as cheap cameras send it: pictures without any time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler

import av
import numpy as np
from http_server import serving


def jpegs(shown: Sequence[np.ndarray]) -> list[bytes]:
    """Pictures, uint8 [height, width, 3], as JPEG."""
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.height, encoder.width = shown[0].shape[:2]
    encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, 25)
    frames = (av.VideoFrame.from_ndarray(picture, format="rgb24") for picture in shown)
    return [bytes(packet) for frame in frames for packet in encoder.encode(frame)]


@contextmanager
def serving_mjpeg(pictures: Sequence[bytes], *, fps: float, count: int | None = None) -> Iterator[str]:
    """Serve JPEG pictures again and again, `fps` a second for each client -> the address.

    count: pictures until the connection is closed; endless without.
    """
    ended = threading.Event()

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        request.end_headers()
        begin, number = time.monotonic(), 0
        while not ended.is_set() and number != count:
            data = pictures[number % len(pictures)]
            head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data)
            request.wfile.write(head + data + b"\r\n")
            request.wfile.flush()
            number += 1
            ended.wait(max(0.0, begin + number / fps - time.monotonic()))

    with serving(answer) as address:
        try:
            yield f"{address}/video"
        finally:
            ended.set()
