"""Multipart MJPEG over HTTP, as cheap cameras send it: pictures without any time."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction

import av
import numpy as np


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

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            with suppress(OSError):  # the client has gone
                self._send()

        def _send(self) -> None:
            begin, number = time.monotonic(), 0
            while not ended.is_set() and number != count:
                data = pictures[number % len(pictures)]
                head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data)
                self.wfile.write(head + data + b"\r\n")
                self.wfile.flush()
                number += 1
                ended.wait(max(0.0, begin + number / fps - time.monotonic()))

        def log_message(self, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/video"
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
