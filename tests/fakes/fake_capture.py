"""Cameras without processes: a test delivers what each of them captures."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
from command_line import FPS

from cmsn_runtime.capture.items import CapturedFrame, Deliver, SourceBack, SourceEnded, SourceLost
from cmsn_runtime.closing import Closing
from cmsn_runtime.events import WallClock
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.secrets import Secret

Colour = tuple[int, int, int]


class FakeCapture(Closing):
    """A capture that delivers what `frames`, `lose`, `come_back` and `end` say."""

    def __init__(self, name: str, deliver: Deliver, size: tuple[int, int]) -> None:
        self.name = name
        self.closed = False
        self.next = 0  # number of the next frame
        self._deliver = deliver
        self._size = size
        self._discontinuity = False

    def frames(self, colours: Iterable[Colour], *, arrived: float | None = None) -> None:
        """Frames of one colour each, FPS per second, all at once. arrived: when; by default now."""
        for colour in colours:
            pixels = np.full((*self._size, 3), colour, np.uint8)
            frame = Frame(pixels, self.next / FPS, discontinuity=self._discontinuity)
            self._discontinuity = False
            self.next += 1
            clock = WallClock(Fraction(1_700_000_000), "arrival")
            self._deliver(CapturedFrame(frame, time.monotonic() if arrived is None else arrived, clock))

    def lose(self, reason: str = "the connection is gone") -> None:
        """The connection is gone."""
        self._deliver(SourceLost(reason, time.monotonic(), 0.5))

    def come_back(self, *, skipped: int = 60) -> None:
        """It is there again; so many frames passed."""
        self.next += skipped
        self._discontinuity = True
        self._deliver(SourceBack(float(skipped / FPS), time.monotonic()))

    def end(self, reason: str = "") -> None:
        """The source has ended."""
        self._deliver(SourceEnded(reason))

    def close(self) -> None:
        self.closed = True


class FakeCaptures:
    """Opens fake captures, and keeps them in the order of their opening."""

    def __init__(self) -> None:
        self.opened: list[FakeCapture] = []

    def __call__(
        self, address: Secret, *, name: str, size: tuple[int, int], deliver: Deliver, **ignored: object
    ) -> FakeCapture:
        self.opened.append(FakeCapture(name, deliver, size))
        return self.opened[-1]

    def of(self, name: str) -> FakeCapture:
        """The newest capture of a camera."""
        return [capture for capture in self.opened if capture.name == name][-1]

    def each(self, names: Sequence[str]) -> list[FakeCapture]:
        """The newest of each of these cameras."""
        return [self.of(name) for name in names]
