"""Starts the web server of a running fleet, in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from cmsn_runtime.closing import Closing
from cmsn_runtime.identity import LOCAL_SITE
from cmsn_runtime.live.status import CameraStatus
from cmsn_runtime.serving.health import camera_fields
from cmsn_runtime.serving.listening import listening
from cmsn_runtime.serving.settings import WebSettings, require_web
from cmsn_runtime.serving.sink import PageSink
from cmsn_runtime.serving.watch import Watch, Watched

if TYPE_CHECKING:
    import uvicorn

    from cmsn_runtime.serving.clips import ClipFinder
    from cmsn_runtime.serving.guard import Guard
    from cmsn_runtime.serving.outputs import Outputs

_END_SECONDS = 0.5  # for answers under way; then they are cut
_MOST_CONNECTIONS = 300


class Web(Closing):
    """A page that is being served. url: where; it holds no token."""

    def __init__(self, url: str, server: uvicorn.Server, listener: socket.socket, sink: PageSink, watch: Watch) -> None:
        self.url = url
        self._server = server
        self._listener = listener
        self._sink = sink
        self._watch = watch
        self._thread = threading.Thread(target=self._run, name="cmsn-web", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the server within a second, whoever is reading."""
        self._watch.close()
        self._server.should_exit = True
        self._sink.feed.close()
        self._thread.join(_END_SECONDS)
        self._server.force_exit = True
        self._thread.join(_END_SECONDS)
        self._listener.close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._sink.feed.bind(asyncio.get_running_loop())
        await self._server.serve(sockets=[self._listener])


def start_web(
    settings: WebSettings,
    fleet: Watched,
    sink: PageSink,
    *,
    site: str = LOCAL_SITE,
    networks: str = "",
    outputs: Outputs = dict,
    stuck_seconds: float = 15.0,
) -> Web:
    """Serve what the sink was given and the fleet reports, until the returned object is closed.

    site: its name, for the headline. networks: what runs them, in words. outputs: those beside the page, as they
    are now. stuck_seconds: without progress, after which the health is bad; far beyond the lag that cuts a camera.
    Raises SettingsError where it cannot listen there, and MissingExtraError.
    """
    require_web()
    from cmsn_runtime.serving.access import Access
    from cmsn_runtime.serving.app import Page, application
    from cmsn_runtime.serving.clips import ClipFinder

    listener = listening(settings)
    host, port = listener.getsockname()[:2]
    access = Access(settings.token, port=port, hosts=settings.names)
    finder = ClipFinder(outputs)
    sink.metrics.outputs = outputs
    watch = Watch(fleet, partial(_show, sink, finder), stuck_seconds=stuck_seconds)
    page = Page(site, networks, sink, watch, finder, needs_token=access.needs_token)
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    return Web(url, _server(application(page, access)), listener, sink, watch)


def _server(application: Guard) -> uvicorn.Server:
    """Of a request, nothing is logged: neither who asked nor for what."""
    import uvicorn

    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        http="h11",
        ws="none",
        lifespan="off",
        limit_concurrency=_MOST_CONNECTIONS,
        server_header=False,
        proxy_headers=False,
    )
    return uvicorn.Server(config)


def _show(sink: PageSink, finder: ClipFinder, cameras: Sequence[CameraStatus]) -> None:
    """Pass on the newest states, and the clips that have been saved since."""
    sink.metrics.look(cameras)
    sink.board.keep([each.name for each in cameras])
    sink.feed.send({"type": "cameras", "cameras": [camera_fields(each) for each in cameras]})
    for key in sink.board.without_clip():
        if (name := finder.name_of(key)) and (message := sink.board.add_clip(key, name)):
            sink.feed.send(message)
