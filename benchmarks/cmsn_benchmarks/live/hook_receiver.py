"""A web server on loopback that takes webhooks, and answers as it is told."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Posted:
    """A request. headers: by their names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """An answer. hang_up: the connection ends without one, though the event was taken."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    hang_up: bool = False


class HookReceiver:
    """reply: gets each request -> its answer. got: every request; accepted: those that were taken, answered or not."""

    def __init__(
        self,
        reply: Callable[[Posted], Reply] = lambda posted: Reply(),
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.got: list[Posted] = []
        self.accepted: list[Posted] = []
        self.reply = reply
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_POST(self) -> None:
                announced = int(self.headers["Content-Length"])
                body = self.rfile.read(announced)
                if len(body) < announced:  # its sender was killed in the middle of it
                    self.close_connection = True
                    return
                posted = Posted(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                receiver.got.append(posted)
                reply = receiver.reply(posted)
                if reply.hang_up or 200 <= reply.status < 300:
                    receiver.accepted.append(posted)
                if reply.hang_up:
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def __enter__(self) -> HookReceiver:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
