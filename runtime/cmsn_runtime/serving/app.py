"""The web application: which request gets which answer."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from cmsn_runtime.serving.access import Access
from cmsn_runtime.serving.clips import ClipFinder
from cmsn_runtime.serving.guard import Guard
from cmsn_runtime.serving.health import camera_fields
from cmsn_runtime.serving.login import Login
from cmsn_runtime.serving.sink import PageSink
from cmsn_runtime.serving.watch import Watch

_FILES = Path(__file__).parent / "files"
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".html": "text/html"}

Answer = Callable[[Request], Awaitable[Response]]


class Page:
    """The answers; those that may wait for a disk are not coroutines, and run in other threads.

    site: its name, for the headline. networks: what runs them, in words. clips: finds those of final events.
    needs_token: whether there is something to log out of.
    """

    def __init__(
        self, site: str, networks: str, sink: PageSink, watch: Watch, clips: ClipFinder, *, needs_token: bool
    ) -> None:
        self._needs_token = needs_token
        self._site = site
        self._networks = networks
        self._sink = sink
        self._watch = watch
        self._clips = clips

    async def index(self, request: Request) -> Response:
        """The page itself."""
        return packaged("index.html")

    async def static(self, request: Request) -> Response:
        """A file of the page."""
        return packaged(request.path_params["name"])

    async def events(self, request: Request) -> Response:
        """Server-sent events: a snapshot, then what happens."""
        if self._sink.feed.full:
            return PlainTextResponse("too many readers, or the page ends; try again later\n", 503)
        stream = self._sink.feed.read(self._snapshot)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    async def picture(self, request: Request) -> Response:
        """The newest picture of a camera."""
        jpeg = self._sink.board.jpeg(request.path_params["name"])
        if jpeg is None:
            return PlainTextResponse("no camera of that name has a picture\n", 404)
        return Response(jpeg, media_type="image/jpeg")

    def clip(self, request: Request) -> Response:
        """A saved clip, or a part of it."""
        path = self._clips.file(request.path_params["name"])
        return PlainTextResponse("there is no such clip\n", 404) if path is None else FileResponse(path)

    def metrics(self, request: Request) -> Response:
        """Figures for Prometheus."""
        return Response(self._sink.metrics.exposition(), headers={"Content-Type": _METRICS_TYPE})

    async def cameras(self, request: Request) -> Response:
        """The states of all cameras."""
        return JSONResponse([camera_fields(each) for each in self._watch.cameras])

    async def healthz(self, request: Request) -> Response:
        """Whether the process works; which cameras there are is only for those who may see the page."""
        health = self._watch.health
        fields = {**health.fields(), "networks": self._networks} if request.scope["trusted"] else {"ok": health.ok}
        return JSONResponse(fields, 200 if health.ok else 503)

    def _snapshot(self) -> Mapping[str, object]:
        cameras = [camera_fields(each) for each in self._watch.cameras]
        return {
            "type": "snapshot",
            "site": self._site,
            "networks": self._networks,
            "now": time.time(),
            "token": self._needs_token,
            "cameras": cameras,
            **self._sink.board.snapshot(),
        }


def application(page: Page, access: Access) -> Guard:
    """All routes behind the guard."""
    login = Login(access)
    routes = [
        Route("/", page.index),
        Route("/events", page.events),
        Route("/cameras/{name:path}.jpg", page.picture),
        Route("/clips/{name:path}", page.clip),
        Route("/metrics", page.metrics),
        Route("/healthz", page.healthz),
        Route("/api/cameras", page.cameras),
        Route("/static/{name}", page.static),
        Route("/login", login.enter, methods=["POST"]),
        Route("/logout", login.leave, methods=["POST"]),
    ]
    return Guard(Starlette(routes=routes), access, refused=packaged("login.html", 401))


def packaged(name: str, status: int = 200) -> Response:
    """A file that is installed with this package; only those directly in its folder."""
    path = _FILES / name
    if path.parent != _FILES or path.suffix not in _TYPES or not path.is_file():
        return PlainTextResponse("there is no such file\n", 404)
    return Response(path.read_bytes(), status, media_type=_TYPES[path.suffix])
