"""Plays a file at its own speed."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction


class Pace:
    """Waits for the moment at which a frame is due, counted from the first frame.

    What is late is not waited for, and does not delay what follows. now, sleep: of the clock.
    """

    def __init__(
        self, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._now = now
        self._sleep = sleep
        self._begin: float | None = None  # time at which second 0 of the file is due

    def wait(self, seconds: Fraction, *, jumped: bool) -> None:
        """seconds: of a frame. jumped: its time does not continue that of the one before; it is due at once."""
        if self._begin is None or jumped:
            self._begin = self._now() - float(seconds)
        wait = self._begin + float(seconds) - self._now()
        if wait > 0:
            self._sleep(wait)
