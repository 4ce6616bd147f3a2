"""Cameras that show the same pictures again and again, as fast as a fleet takes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from cmsn_runtime.capture.items import CapturedFrame, Deliver, SourceEnded
from cmsn_runtime.closing import Closing
from cmsn_runtime.events import WallClock
from cmsn_runtime.live.fleet import Fleet
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.secrets import Secret

_MOST_WAITING = 200  # frames


class Repeated:
    """Opens such cameras. pictures: at the model's size. total: number of frames of each. fleet: set before it runs."""

    def __init__(self, pictures: Sequence[npt.NDArray[np.uint8]], rate: Fraction, *, total: int) -> None:
        self.total = total
        self.fleet: Fleet | None = None
        self._pictures = pictures
        self._rate = rate

    def __call__(self, address: Secret, *, name: str, deliver: Deliver, **ignored: object) -> Closing:
        threading.Thread(target=self._play, args=(name, deliver), daemon=True).start()
        return Closing()

    def _play(self, name: str, deliver: Deliver) -> None:
        clock = WallClock(Fraction(int(time.time())), "arrival")
        for number in range(self.total):
            picture = self._pictures[number % len(self._pictures)]
            deliver(CapturedFrame(Frame(picture, number / self._rate), time.monotonic(), clock))
            while number % 50 == 0 and number - self._processed(name) > _MOST_WAITING:
                time.sleep(0.005)
        deliver(SourceEnded())

    def _processed(self, name: str) -> int:
        assert self.fleet is not None
        return next((status.frames for status in self.fleet.statuses() if status.name == name), 0)
