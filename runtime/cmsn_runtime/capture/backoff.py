"""How long to wait before a camera's connection is opened again."""

from __future__ import annotations

import random
from collections.abc import Callable

_JITTER = 0.25  # share by which a wait is shortened at most


class Backoff:
    """Waits that double up to a limit, each shortened at random, so that many cameras do not all return at once.

    first, last: seconds. uniform: random numbers from 0 to 1.
    """

    def __init__(self, first: float, last: float, *, uniform: Callable[[], float] = random.random) -> None:
        self._first = first
        self._last = last
        self._uniform = uniform
        self._next = first
        self._waited = 0.0

    def wait(self) -> float:
        """Seconds until the next attempt; each call counts as one."""
        self._waited = self._next
        self._next = min(2 * self._next, self._last)
        return self._waited * (1 - _JITTER * self._uniform())

    def worked(self, seconds: float) -> None:
        """A session ended that had frames for so long: where it outlasted the wait before it, waits begin anew.

        A camera that comes and goes every second is not asked every second indefinitely.
        """
        if seconds >= self._waited:
            self._next = self._first
            self._waited = 0.0
