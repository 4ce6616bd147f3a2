"""A page that is served to tests over cameras that they play."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from cmsn_runtime.clips.sink import ClipSettings, ClipSink
from cmsn_runtime.events import Event, EventKind, Notice, NoticeKind, Proposal, Stamp, WallClock
from cmsn_runtime.live.status import LAG_BOUNDS, CameraStatus
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.secrets import Secret
from cmsn_runtime.serving.server import Web, start_web
from cmsn_runtime.serving.settings import WebSettings
from cmsn_runtime.serving.sink import PageSink
from cmsn_runtime.sinks.base import Sink

STEP_SECONDS = Fraction(8, 25)
TOKEN = "canary-7f3a9c51d2e8"

RUNNING = CameraStatus(
    name="door",
    state="running",
    reason="",
    since=1_700_000_000.0,
    frames=100,
    waiting=0,
    lag_seconds=0.03,
    lags=(0, 0, 90, 10, *[0] * (len(LAG_BOUNDS) - 3)),
    lag_sum=4.0,
    left_out=0,
    losses=0,
    returns=0,
    gaps=0,
    overloads=0,
    seconds=60.0,
    clock="arrival",
    frames_per_second=25.0,
)


class FakeFleet:
    """Cameras whose states a test sets."""

    def __init__(self, *cameras: CameraStatus) -> None:
        self.cameras = list(cameras)

    @property
    def idle_seconds(self) -> float:
        return 0.0

    def statuses(self) -> list[CameraStatus]:
        return list(self.cameras)


def saving_clips(folder: Path) -> dict[str, Sink | None]:
    """An output that saves clips there."""
    return {"clips": ClipSink(ClipSettings(folder=str(folder)), folder, site="lab")}


def status(name: str = "door", **changes: Any) -> CameraStatus:
    return replace(RUNNING, name=name, **changes)


def event(
    kind: EventKind = "final",
    *,
    camera: str = "door",
    action: int = 1,
    rank: int = 1,
    start: float = 50,
    end: float = 54,
    score: float = 0.8,
    begin: float = 1_700_000_000.0,
) -> Event:
    """A report 4 s after the end of its action; begin: the camera's time of day at 0 s."""
    stamp = Stamp(f"lab/{camera}/R/1/{action}/{rank}", 1, f"lab/{camera}/R/1", WallClock(Fraction(begin), "arrival"))
    proposal = Proposal(Fraction(start), Fraction(end), score)
    return Event(kind, action, rank, proposal, Fraction(end) + 4, wall=begin + end + 5, stamp=stamp)


def notice(kind: NoticeKind, reason: str, *, camera: str = "door", number: int = 1) -> Notice:
    return Notice(kind, Fraction(60), reason, stamp=Stamp(f"lab/{camera}/R/1/0/{number}", number, f"{camera}/{number}"))


def frame(red: int = 200, *, height: int = 90, width: int = 160) -> Frame:
    """A picture with something in it."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = red
    pixels[:, width // 2 :, 1] = 180
    return Frame(pixels, Fraction(1))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Served:
    """A served page, and what feeds it."""

    def __init__(self, web: Web, sink: PageSink, fleet: FakeFleet) -> None:
        self.web = web
        self.sink = sink
        self.fleet = fleet
        self.url = web.url
        self.port = urlsplit(web.url).port or 0

    def ask(
        self, path: str, *, method: str = "GET", body: str | None = None, address: str = "127.0.0.1", **headers: str
    ) -> Answer:
        """One request; see `ask`."""
        return ask(self.port, path, method=method, body=body, address=address, **headers)


def ask(
    port: int,
    path: str,
    *,
    method: str = "GET",
    body: str | None = None,
    address: str = "127.0.0.1",
    **headers: str,
) -> Answer:
    """One request; `_` in the name of a header stands for `-`. The path goes out as it is."""
    connection = http.client.HTTPConnection(address, port, timeout=20)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.putrequest(method, path, skip_host="Host" in sent)
        if body is not None:
            sent["Content-Length"] = str(len(body))
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders(None if body is None else body.encode())
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


class Reader:
    """A browser's stream of server-sent events."""

    def __init__(self, port: int, *, token: str | None = None) -> None:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self._connection.request("GET", "/events", headers=headers)
        self.answer = self._connection.getresponse()

    def next(self, kind: str) -> dict[str, object]:
        """The next message of that type."""
        return self.next_where(lambda message: message["type"] == kind)

    def next_where(self, wanted: Callable[[dict[str, object]], bool]) -> dict[str, object]:
        """The next message for which that holds."""
        while True:
            line = self.answer.readline()
            assert line, "the stream has ended"
            if line.startswith(b"data: ") and wanted(message := json.loads(line[6:])):
                return dict(message)

    def close(self) -> None:
        self._connection.close()
        self.answer.close()


@contextmanager
def served(
    *cameras: CameraStatus,
    token: str | None = None,
    hosts: tuple[str, ...] = (),
    outputs: Mapping[str, Sink | None] | None = None,
    port: int = 0,
) -> Iterator[Served]:
    """A page on a port of this machine; any that is free by default."""
    fleet = FakeFleet(*cameras)
    sink = PageSink(step_seconds=STEP_SECONDS)
    settings = WebSettings(port=port, token=None if token is None else Secret(token), hosts=hosts)
    with start_web(settings, fleet, sink, site="lab", networks="one (auto)", outputs=lambda: outputs or {}) as web:
        yield Served(web, sink, fleet)
