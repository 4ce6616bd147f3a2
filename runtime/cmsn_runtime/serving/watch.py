"""Asks the fleet for the states of its cameras, twice a second, so that no request has to wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from cmsn_runtime.closing import Closing
from cmsn_runtime.live.status import CameraStatus
from cmsn_runtime.serving.health import Health, judged

_PERIOD_SECONDS = 0.5


class Watched(Protocol):
    """What is watched: live.fleet.Fleet, or its like. idle_seconds: since it looked after its cameras last."""

    @property
    def idle_seconds(self) -> float: ...

    def statuses(self) -> Sequence[CameraStatus]:
        """The states of all cameras now. From any thread."""


class Watch(Closing):
    """A thread that keeps the newest states. on_look: gets them each time. stuck_seconds: see health.judged.

    A fleet that does not answer, or fails, makes the health bad after a while.
    """

    def __init__(
        self, fleet: Watched, on_look: Callable[[Sequence[CameraStatus]], None], *, stuck_seconds: float
    ) -> None:
        self._fleet = fleet
        self._stuck_seconds = stuck_seconds
        self._on_look = on_look
        self._cameras: Sequence[CameraStatus] = ()
        self._seen = time.monotonic()
        self._idle_seconds = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cmsn-watch", daemon=True)
        self._thread.start()

    @property
    def cameras(self) -> Sequence[CameraStatus]:
        return self._cameras

    @property
    def health(self) -> Health:
        return judged(self._cameras, time.monotonic() - self._seen + self._idle_seconds, limit=self._stuck_seconds)

    def close(self) -> None:
        """End the thread; one that hangs in the fleet ends with the process."""
        self._ended.set()
        self._thread.join(_PERIOD_SECONDS)

    def _run(self) -> None:
        while not self._ended.is_set():
            with suppress(Exception):  # the fleet's failures are its own to report; the health shows that it is silent
                self._cameras = tuple(self._fleet.statuses())
                self._idle_seconds = self._fleet.idle_seconds
                self._seen = time.monotonic()
            self._on_look(self._cameras)
            self._ended.wait(_PERIOD_SECONDS)
