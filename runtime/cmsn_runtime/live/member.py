"""A camera of a fleet together with what captures it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from cmsn_runtime.capture.items import (
    CapturedFrame,
    CapturedPacket,
    CapturedPicture,
    CaptureItem,
    Deliver,
    SourceEnded,
    SourceLost,
)
from cmsn_runtime.capture.settings import CaptureSettings
from cmsn_runtime.closing import Closing
from cmsn_runtime.live.camera import LiveCamera
from cmsn_runtime.live.intake import Intake
from cmsn_runtime.live.settings import CameraSettings
from cmsn_runtime.live.waiting import Cut
from cmsn_runtime.secrets import Secret
from cmsn_runtime.sources.options import SourceOptions


class CaptureOpener(Protocol):
    """Begins the capture of a camera: `Capture`, or a test's own."""

    def __call__(
        self,
        address: Secret,
        *,
        name: str,
        size: tuple[int, int],
        deliver: Deliver,
        options: SourceOptions,
        settings: CaptureSettings,
        pictures: bool,
        packets: bool,
        paced: bool,
    ) -> Closing: ...


class Member:
    """A camera, its settings, and its capture while it has one.

    over: its stream has ended, and nothing of it is processed any more. leaving: it was removed.
    """

    def __init__(self, settings: CameraSettings, camera: LiveCamera) -> None:
        self.settings = settings
        self.camera = camera
        self.over = False
        self.leaving = False
        self._capture: Closing | None = None
        self._captures = 0

    def begin(
        self,
        opener: CaptureOpener,
        intake: Intake,
        take: Callable[[Member, int, CaptureItem | Cut], None],
        *,
        size: tuple[int, int],
        pictures: bool,
        packets: bool,
    ) -> None:
        """Begin to capture. take: gets what comes, by way of the intake, with the number of the capture.

        See _Delivery for what happens where the intake is full.
        """
        self._captures += 1
        self._capture = opener(
            self.settings.address,
            name=self.settings.name,
            size=size,
            deliver=_Delivery(intake, partial(take, self, self._captures)),
            options=self.settings.options,
            settings=self.settings.capture,
            pictures=pictures,
            packets=packets,
            paced=self.settings.paced,
        )

    def is_current(self, number: int) -> bool:
        """Whether a capture of that number is the one that counts: an earlier one may still be closing."""
        return number == self._captures and not self.over and not self.leaving

    def disconnect(self) -> None:
        """End the capture, and the segment: it was asked for."""
        self.camera.take(SourceLost("restarted on request", time.monotonic(), 0.0))
        self.end_capture()

    def leave(self) -> None:
        """End the capture, and the stream after all that waits."""
        self.end_capture()
        self.leaving = True
        if not self.over:
            self.camera.take(SourceEnded())

    def end_capture(self) -> threading.Thread | None:
        """Close the capture in a thread, since it may take a second; the other cameras must not wait for it."""
        capture, self._capture = self._capture, None
        if capture is None:
            return None
        thread = threading.Thread(target=capture.close, name=f"cmsn-closing-{self.settings.name}", daemon=True)
        thread.start()
        return thread


class _Delivery:
    """Puts what a capture delivers into the intake. Called by the capture's thread.

    Where the intake is full, frames, packets and pictures are left out: an item in the place of the frames states how
    many there were.
    """

    def __init__(self, intake: Intake, take: Callable[[CaptureItem | Cut], None]) -> None:
        self._intake = intake
        self._take = take
        self._left_out = 0
        self._since = 0.0  # arrival of the first of them, time.monotonic()

    def __call__(self, item: CaptureItem) -> None:
        if self._intake.full and isinstance(item, CapturedFrame | CapturedPacket | CapturedPicture):
            self._leave_out(item)
            return
        if self._left_out and isinstance(item, CapturedFrame):
            cut = Cut(self._left_out, item.arrived - self._since)
            self._left_out = 0
            self._intake.put(partial(self._take, cut))
        self._intake.put(partial(self._take, item))

    def _leave_out(self, item: CaptureItem) -> None:
        if isinstance(item, CapturedFrame):
            self._since = self._since if self._left_out else item.arrived
            self._left_out += 1
